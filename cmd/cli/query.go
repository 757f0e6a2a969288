package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/program"
)

const queryHelp = `usage: stationflow query [FLAGS] SQL
       stationflow query [FLAGS] < FILE

Asks the warehouse, the local one or BigQuery, and says first how much that
reads. It only reads: a statement that changes anything is refused. Rows are a
table on a terminal and CSV in a pipe; with --json an object that has them as
objects. GOOGLE_CLOUD_PROJECT names the project.

Examples:
  stationflow query 'select * from prod_data.train_dashboard limit 10'
  stationflow query --dry-run < sql/ops/ledger.sql
  stationflow query 'select kafka_topic, reason, count(*) as records
    from staging_data.quarantine_records group by 1, 2' > refused.csv
  stationflow query --json 'select id, station from staging_data.incidents
    limit 1' | jq -r '.rows[].station'

`

// A queryCall is one call of stationflow query.
type queryCall struct {
	streams  Streams
	format   string // table, csv or json
	maxBytes int64
	rows     int // most that a table shows
	dry      bool
}

func runQuery(ctx context.Context, args []string, streams Streams) error {
	c := queryCall{streams: streams}
	sql, err := c.parse(args)
	if err != nil {
		return err
	}
	config, err := read(&c.streams, bqconfig.FromEnv)
	if err != nil {
		return err
	}
	if err := reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return err
	}
	client, err := bigquery.NewClient(ctx, config.Project, config.RESTOptions()...)
	if err != nil {
		return fmt.Errorf("connecting to BigQuery in project %s: %w", config.Project, err)
	}
	defer func() { _ = client.Close() }()
	return asked(c.ask(ctx, client.Query(sql)))
}

func (c *queryCall) parse(args []string) (sql string, err error) {
	flags := flag.NewFlagSet("stationflow query", flag.ContinueOnError)
	flags.StringVar(&c.format, "format", "", "`FORMAT` of the rows: table, csv or json (default: table on a terminal, csv in a pipe)")
	asJSON := flags.Bool("json", false, "the same as --format json")
	flags.Int64Var(&c.maxBytes, "max-bytes", 1<<30, "the most that the statement may read, `N` bytes")
	flags.IntVar(&c.rows, "rows", 200, "the most rows that a table shows, `N`; csv and json have all")
	flags.BoolVar(&c.dry, "dry-run", false, "only say how much would be read")
	if err := c.streams.parse(flags, args, queryHelp); err != nil {
		return "", err
	}
	if sql = strings.Join(flags.Args(), " "); sql == "" {
		if sql, err = c.streams.piped(); err != nil {
			return "", err
		}
	}
	_, onTerminal := c.streams.terminal()
	switch {
	case *asJSON && c.format != "" && c.format != "json":
		return "", program.Mistakef("--json and --format %s: give one of them", c.format)
	case *asJSON:
		c.format = "json"
	case c.format == "" && onTerminal:
		c.format = "table"
	case c.format == "":
		c.format = "csv"
	}
	switch {
	case c.format != "table" && c.format != "csv" && c.format != "json":
		return "", program.Mistakef("--format is %q: it is table, csv or json", c.format)
	case c.maxBytes < 1:
		return "", program.Mistakef("--max-bytes is %d: it must be 1 or more", c.maxBytes)
	case c.rows < 1:
		return "", program.Mistakef("--rows is %d: it must be 1 or more", c.rows)
	case strings.TrimSpace(sql) == "":
		return "", program.Mistakef("say what to ask, in quotes or through a pipe: stationflow query 'select 1'")
	}
	return sql, nil
}

// leastBilled is what BigQuery may bill for a statement that reads less: it
// counts 10 MB for each table at least.
const leastBilled = 1 << 30

// ask runs the statement, if it may be run.
func (c *queryCall) ask(ctx context.Context, query *bigquery.Query) error {
	var plan scan.Plan
	err := c.streams.during("asking how much it would read", func() (err error) {
		plan, err = scan.PlanOf(ctx, query)
		return err
	})
	if err != nil {
		return err
	}
	tellReading(&c.streams, plan.Bytes)
	switch {
	case plan.Statement != "" && plan.Statement != "SELECT":
		return program.Mistakef("query only reads, and this is %s: use bq query, or a client of BigQuery, to change anything", plan.Statement)
	case plan.Bytes > c.maxBytes:
		return fmt.Errorf("it would read %s of the warehouse, and may read %s: narrow it, or raise --max-bytes", sizeText(plan.Bytes), sizeText(c.maxBytes))
	case c.dry:
		return c.dryRun(plan.Bytes)
	}
	query.MaxBytesBilled = max(c.maxBytes, leastBilled)
	var rows *bigquery.RowIterator
	var first []bigquery.Value
	err = c.streams.during("waiting for the first row", func() (err error) {
		if rows, err = query.Read(ctx); err != nil {
			return err
		}
		if err = rows.Next(&first); errors.Is(err, iterator.Done) {
			first = nil
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.print(rows, first, plan.Bytes)
}

func (c *queryCall) dryRun(bytes int64) error {
	if c.format == "json" {
		return printJSON(c.streams.Out, map[string]int64{"bytes_read": bytes})
	}
	return nil
}

// tellReading says what a statement will read, before it does.
func tellReading(streams *Streams, bytes int64) {
	fmt.Fprintf(streams.Err, "reading up to %s of the warehouse\n", sizeText(bytes))
}

// asked leaves of an answer of BigQuery what it says.
func asked(err error) error {
	var answer *googleapi.Error
	if errors.As(err, &answer) && answer.Message != "" {
		return fmt.Errorf("BigQuery: %s", answer.Message)
	}
	return err
}
