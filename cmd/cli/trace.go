package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/waterfall"
)

const traceHelp = `usage: stationflow trace [FLAGS] TOPIC/PARTITION/OFFSET
       stationflow trace [FLAGS] --id ID | --key KEY [TOPIC]

Says where a record is at each hop, and when it got there: in Kafka, in staging
or in quarantine, in the lake, in a dead letter, and in the marts. --id and
--key find records that have landed. It changes nothing. It ends with 0 when
there is such a record, with 1 when not, and with 2 when that could not be found
out. What is read is said before. The variables of the bridge and of ingest say
where everything is. Of a local system that was started with --traces it also
shows the spans that tell of the record.

Examples:
  stationflow trace incidents/3/1742
  stationflow trace --key i-1 --from 24h incidents
  stationflow trace --json incidents/3/1742 | jq '.records[0].state'

`

// mostTraces is how many records are shown of those that share an id.
const mostTraces = 20

// errNotThere is what trace ends with when there is no such record.
var errNotThere = errors.New("there is no such record")

// A tracing is what the command line asks for.
type tracing struct {
	proofFlags
	seek ledger.Seek
}

func runTrace(ctx context.Context, args []string, streams Streams) error {
	return undecided(ctx, trace(ctx, args, &streams), errNotThere)
}

// errEnough ends a dry run.
var errEnough = errors.New("a dry run")

func trace(ctx context.Context, args []string, streams *Streams) error {
	t, err := parseTrace(args, streams)
	if err != nil {
		return err
	}
	proof, err := t.open(ctx, streams, true)
	if err != nil {
		return err
	}
	defer func() { _ = proof.Close() }()
	t.seek.Location, t.seek.Prod = proof.location, proof.config.BigQuery.ProdDataset
	var found []*ledger.Trace
	var more bool
	var toRead ledger.Scan
	err = streams.during("looking for the record", func() (err error) {
		found, more, err = ledger.Find(ctx, proof.Sources, t.seek, func(scan ledger.Scan) error {
			fmt.Fprintf(streams.Err, "to read: %s of BigQuery, and the objects of the record's batch\n", ledger.Size(scan.BigQueryBytes))
			if toRead = scan; t.dry {
				return errEnough
			}
			return nil
		})
		return err
	})
	if errors.Is(err, errEnough) {
		return t.tellScan(streams, toRead)
	}
	if err != nil {
		return err
	}
	spans := streams.spansOf(ctx, found)
	return t.print(found, spans, more, streams)
}

func parseTrace(args []string, streams *Streams) (*tracing, error) {
	t := &tracing{seek: ledger.Seek{Now: time.Now(), Most: mostTraces}}
	flags := flag.NewFlagSet("stationflow trace", flag.ContinueOnError)
	if err := t.define(flags); err != nil {
		return nil, err
	}
	flags.StringVar(&t.seek.ID, "id", "", "every record whose event has this `ID`; ids repeat")
	flags.StringVar(&t.seek.Key, "key", "", "every record with this `KEY` in Kafka")
	flags.StringVar(&t.seek.TopicID, "topic-id", "", "`ID` of a topic that was deleted, or made again, as verify shows it; the present one when not given")
	flags.Func("from", "`TIME` since when it may have arrived: "+momentUsage+"; with an offset, Kafka's timestamp when not given", moment(t.seek.Now, &t.seek.From))
	cloud, err := streams.readFlags(flags, args, traceHelp)
	if err != nil {
		return nil, err
	}
	t.seek.InFlight = t.inFlight
	if flags.NArg() > 1 {
		return nil, program.Mistakef("unexpected argument %q: name one record", flags.Arg(1))
	}
	if err := t.read(flags.Arg(0)); err != nil {
		return nil, err
	}
	return t, streams.locate(cloud)
}

// read reads what names the record.
func (t *tracing) read(word string) error {
	byName := t.seek.ID != "" || t.seek.Key != ""
	if byName {
		if strings.Contains(word, "/") || t.seek.ID != "" && t.seek.Key != "" {
			return program.Mistakef("name the record once: by TOPIC/PARTITION/OFFSET, by --id, or by --key")
		}
		t.seek.Topic = word
		return nil
	}
	parts := strings.Split(word, "/")
	if len(parts) != 3 || parts[0] == "" {
		return program.Mistakef("%q names no record: write TOPIC/PARTITION/OFFSET, for example incidents/3/1742, or --id or --key", word)
	}
	partition, e1 := strconv.ParseInt(parts[1], 10, 32)
	offset, e2 := strconv.ParseInt(parts[2], 10, 64)
	if e1 != nil || e2 != nil || partition < 0 || offset < 0 {
		return program.Mistakef("%q names no record: partition and offset are numbers from 0 on, for example incidents/3/1742", word)
	}
	if t.seek.TopicID == "" && parts[0] != event.CanaryTopic {
		if err := event.CheckTopic(parts[0]); err != nil {
			return program.AsMistake(err)
		}
	}
	t.seek.Topic, t.seek.Partition, t.seek.Offset = parts[0], partition, offset
	return nil
}

func (t *tracing) print(found []*ledger.Trace, spans [][]waterfall.Trace, more bool, streams *Streams) error {
	there := false
	for _, one := range found {
		there = there || one.State != ledger.IsUnknown && one.State != ledger.IsDeleted && one.State != ledger.IsNone
	}
	if t.asJSON {
		records := make([]tracedRecord, len(found))
		for i, one := range found {
			records[i] = tracedRecord{one, spans[i]}
		}
		if err := printJSON(streams.Out, map[string]any{"records": records, "more": more}); err != nil {
			return err
		}
	} else {
		for i, one := range found {
			if err := printTrace(one, streams.Out); err != nil {
				return err
			}
			own, others := ownSpans(one, spans[i])
			waterfall.Print(streams.Out, own)
			if others > 0 {
				fmt.Fprintf(streams.Out, "    and %d more, of other records: --json has all\n", others)
			}
		}
		if more {
			fmt.Fprintf(streams.Out, "there are more: these are the first %d; --from leaves out earlier ones\n", len(found))
		}
	}
	if there {
		return nil
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s", errNotThere, found[0].Text)
	}
	return fmt.Errorf("%w in staging or in quarantine; one that has not landed is found by its offset", errNotThere)
}

// printTrace writes a line for each hop that has the record.
func printTrace(one *ledger.Trace, out io.Writer) error {
	fmt.Fprintf(out, "%s/%d: %s\n", one.Place, one.Offset, one.Text)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(hop string, at *time.Time, format string, args ...any) {
		when := "-"
		if at != nil {
			when = at.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", hop, when, fmt.Sprintf(format, args...))
	}
	if k := one.Kafka; k != nil && k.Held {
		handed := "not handed on yet"
		if k.HandedOn {
			handed = "handed on"
		}
		line("Kafka", k.At, "key %s, %d bytes, %s; topic id %s", key(k.Key), k.Bytes, handed, one.TopicID)
	} else {
		line("Kafka", nil, "does not hold it; topic id %s", one.TopicID)
	}
	for _, row := range one.Rows {
		line("staging", &row.At, "%s, key %s, id %s, batch %s", row.Table, key(row.Key), row.ID, row.BatchID)
	}
	for _, row := range one.Quarantine {
		line("quarantine", &row.At, "%s: %s; key %s, batch %s", row.Reason, row.Detail, key(row.Key), row.BatchID)
	}
	for _, object := range one.Lake {
		line("lake", &object.At, "%s", object.Name)
	}
	for i := range one.Problems {
		not := "not there; "
		if one.Problems[i].Kind == ledger.Different {
			not = ""
		}
		line("lake", nil, "%s%s", not, oneLine(one.Problems[i].Sentence()))
	}
	for _, letter := range one.DeadLetters {
		line("dead letter", nil, "%s", letter.ID)
	}
	if m := one.Marts; m != nil && m.LocalHour != "" {
		included := "not computed since it arrived"
		if m.Included {
			included = "included"
		}
		line("marts", m.At, "hour %s: %s; %s", m.LocalHour, included, strings.Join(m.Models, ", "))
	}
	return table.Flush()
}

func key(of *string) string {
	if of == nil {
		return "none"
	}
	return strconv.Quote(*of)
}
