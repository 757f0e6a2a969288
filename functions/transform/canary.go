package transform

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

// CanaryTable is where the canaries are, in the dataset of the staging tables as
// they came, and in that of the marts once a run has published.
const CanaryTable = "stationflow_canary"

// CanarySchema is that of the table beside the marts, as BigQuery's JSON.
// Terraform makes the table from the same file.
//
//go:embed canary.json
var CanarySchema []byte

// canaryReach is how far back the newest canary is looked for: longer than any
// age that does not alarm.
const canaryReach = time.Hour

// A canary is the newest one in staging.
type canary struct {
	ID       string    `bigquery:"id"`
	SentAt   time.Time `bigquery:"sent_at"`
	Ingested time.Time `bigquery:"ingested_at"`
	Offset   int64     `bigquery:"kafka_offset"`
}

// canaries carry the newest canary beside the marts. It is no model of the dbt
// project: its rows would be news, of which a run that nobody needs would come.
type canaries struct {
	client *bigquery.Client
	config bqconfig.Config
	log    *slog.Logger
	now    func() time.Time
}

func newCanaries(ctx context.Context, config bqconfig.Config, log *slog.Logger) (*canaries, error) {
	client, err := bigquery.NewClient(ctx, config.Project, config.RESTOptions()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to BigQuery in project %s: %w", config.Project, err)
	}
	return &canaries{client, config, log, time.Now}, nil
}

// carry is called after a run that has published. It logs one line: how old the
// newest canary is, or why that is not known. A run does not fail for it.
func (c *canaries) carry(ctx context.Context) {
	newest, err := c.newest(ctx)
	now := c.now().UTC()
	if err == nil {
		err = c.keep(ctx, newest, now)
	}
	if err != nil {
		c.log.Error("canary not carried", "hop", "marts", "error", err.Error())
		return
	}
	c.log.Info("canary arrived", "hop", "marts", "age_ms", now.Sub(newest.SentAt).Milliseconds())
}

// newest reads one column-bounded hour of one table.
func (c *canaries) newest(ctx context.Context) (one canary, err error) {
	const statement = "select id, `timestamp` as sent_at, ingested_at, kafka_offset from `%s.%s` " +
		"where ingested_at >= timestamp '%s' order by `timestamp` desc limit 1"
	rows, err := c.query(fmt.Sprintf(statement, c.config.StagingDataset, CanaryTable, moment(c.now().Add(-canaryReach)))).Read(ctx)
	if err == nil {
		err = rows.Next(&one)
	}
	if errors.Is(err, iterator.Done) {
		return one, fmt.Errorf("no canary has come to staging for %v", canaryReach)
	}
	if err != nil {
		return one, fmt.Errorf("reading the newest canary in staging: %w", err)
	}
	return one, nil
}

// keep adds a row, by a statement that reads no table and so bills no bytes.
func (c *canaries) keep(ctx context.Context, one canary, now time.Time) error {
	const statement = "insert into `%s.%s` (published_at, sent_at, ingested_at, id, kafka_offset) values (timestamp '%s', timestamp '%s', timestamp '%s', %s, %d)"
	_, err := c.query(fmt.Sprintf(statement, c.config.ProdDataset, CanaryTable, moment(now), moment(one.SentAt), moment(one.Ingested),
		bqconfig.Quoted(one.ID), one.Offset)).Read(ctx)
	if err != nil {
		return fmt.Errorf("keeping a canary beside the marts: %w", err)
	}
	return nil
}

func (c *canaries) query(statement string) *bigquery.Query {
	q := c.client.Query(statement)
	q.Labels = map[string]string{"application": "stationflow", "component": "canary"}
	return q
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000000+00") }
