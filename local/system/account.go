package system

import (
	"context"
	"fmt"
	"io"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/local/console"
)

// ledgerRows is how many rows the ledger may have to read at the end of a run
// (some 10 µs a row here); beyond that it says so and leaves the statement to
// the user.
const ledgerRows = 500_000

// countKept counts the rows that an earlier run left in the staging tables.
func (s *System) countKept(ctx context.Context) error {
	if s.options.DataDir == "" {
		return nil
	}
	for _, table := range append(event.Topics(), "quarantine") {
		columns := "count(*)"
		if table == "quarantine" {
			columns += ", (select count(*) from " + s.Endpoints.StagingDataset + ".quarantine_records), countif(reason = 'tombstone')"
		}
		rows, err := s.bigquery.Query("select " + columns + " from " + s.Endpoints.StagingDataset + "." + table).Read(ctx)
		if err != nil {
			return fmt.Errorf("counting the rows of %s: %w", table, err)
		}
		var row []bigquery.Value
		if err := rows.Next(&row); err != nil {
			return fmt.Errorf("counting the rows of %s: %w", table, err)
		}
		if table != "quarantine" {
			s.kept.valid += row[0].(int64)
			continue
		}
		s.kept.quarantined += row[0].(int64)
		s.kept.surplus = row[0].(int64) - row[1].(int64)
		s.kept.tombstones += row[2].(int64)
	}
	return nil
}

// countTime bounds how long Kafka is asked at the end of a run.
const countTime = 8 * time.Second

// account says at the end what became of the records, once the parts before
// the warehouse have drained.
func (s *System) account(ctx context.Context) error {
	valid, quarantined := s.held()
	if rows := valid + quarantined; rows > ledgerRows {
		fmt.Fprintf(s.out, "%d rows in staging; while the system runs, this accounts for them: stationflow verify\n", rows)
		return nil
	}
	held, err := s.ledger(ctx)
	var sum balance
	if err == nil {
		asking, cancel := context.WithTimeout(ctx, countTime)
		defer cancel()
		sum, err = s.broker.compare(asking, s.options.Kafka != "", held.landed)
	}
	if err != nil { // the records are where they are; only the summary is missing
		fmt.Fprintf(s.out, "the records could not be counted: %v\n", err)
		return nil
	}
	gone := ""
	if surplus := held.records - sum.arrived; surplus > 0 {
		gone = fmt.Sprintf(", and %d that Kafka no longer holds", surplus)
	}
	fmt.Fprintf(s.out, "accounted for %d of %d records in Kafka%s: %d in staging, %d in quarantine, %d rows redelivered\n",
		sum.arrived, sum.arrived+sum.missing, gone, held.staged, held.quarantined, held.redelivered)
	if sum.open > 0 {
		fmt.Fprintf(s.out, "%d offsets wait for the end of a transaction\n", sum.open)
	}
	if sum.deleted > 0 {
		fmt.Fprintf(s.out, "Kafka deleted %d offsets that are in no table, by age or with their topic: of records that nobody had read, or of markers of transactions\n", sum.deleted)
	}
	if s.missing = sum.missing; s.missing > 0 {
		fmt.Fprintf(s.out, "warning: %d records had not arrived when the system stopped: %s\n", s.missing, sum.where())
	}
	return nil
}

// A holding is what staging and quarantine hold.
type holding struct {
	records, staged, quarantined, redelivered int64
	landed                                    landed
}

func (s *System) ledger(ctx context.Context) (holding, error) {
	tables := ledger.Warehouse{Client: s.bigquery, Dataset: s.Endpoints.StagingDataset, Tables: ledger.Tables(event.Topics())}
	runs, err := tables.Runs(ctx)
	if err != nil {
		return holding{}, err
	}
	all := holding{landed: landed{}}
	for _, run := range runs {
		offsets := run.Span.Next - run.Span.First
		if all.redelivered += run.Rows - offsets; run.Table == ledger.QuarantineTable {
			all.quarantined += offsets
		} else {
			all.staged += offsets
		}
		all.landed.add(run.Place.TopicID, run.Place.Partition, run.Span)
	}
	for at, spans := range all.landed {
		all.landed[at] = ledger.Of(spans...)
		all.records += all.landed[at].Count()
	}
	return all, nil
}

func (s *System) introduce(out io.Writer, log string, took time.Duration) {
	e, bridge := s.Endpoints, s.Endpoints.Bridge
	if s.options.without("bridge") {
		bridge = "not started: see below"
	}
	if s.options.Idle == "stop" {
		bridge += ", asleep while nothing comes"
	}
	fmt.Fprintf(out, "ready after %.1f s\n\n", took.Seconds())
	for _, line := range [][2]string{
		{"look here", e.Dashboard},
		{"Kafka", e.Kafka},
		{"registry", e.SchemaRegistry},
		{"BigQuery", e.BigQuery + ", Storage Write API " + e.BigQueryGRPC},
		{"Cloud Storage", e.Storage + ", bucket " + e.Bucket},
		{"Pub/Sub", e.PubSub},
		{"functions", e.Functions + "/ingest and /transform"},
		{"bridge", bridge},
		{"log", log},
	} {
		fmt.Fprintf(out, "  %-14s %s\n", line[0], line[1])
	}
	if e.Traces != "" {
		fmt.Fprintf(out, "  %-14s %s; %s/trace/TOPIC/PARTITION/OFFSET shows those of a record\n", "traces", e.Traces, e.Dashboard)
	}
	if s.options.Simulate {
		fmt.Fprintf(out, "\nthe stations are simulated: their time goes %.4g times as fast as the clock, and they play today over and over\n", s.options.pace())
	}
	fmt.Fprintf(out, "\nall commands of stationflow find it from any shell, such as status, verify, trace and query; your own programs read:\n\n    . %s\n", s.environ)
	if s.options.without("bridge") {
		fmt.Fprintf(out, "\nto start the bridge, in another shell:\n\n    . %s\n    bin/bridge\n", s.environ)
	}
	fmt.Fprint(out, "\nCtrl-C stops everything")
	if s.options.DataDir == "" {
		fmt.Fprint(out, " and keeps nothing; --data DIR keeps it")
	} else {
		fmt.Fprintf(out, "; Kafka, objects, warehouse and how far the stations came stay in %s,\nand the next start with --data %s goes on from there", s.options.DataDir, s.options.DataDir)
	}
	fmt.Fprint(out, ".\n\n")
}

// report shows how the pipeline does until ctx is done or a part ends by
// itself.
func (s *System) report(ctx context.Context, out io.Writer) error {
	shown := console.New(out, console.IsTerminal(out, s.getenv))
	defer shown.Done()
	ticker := time.NewTicker(console.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.failed:
			return err
		case <-ticker.C:
			shown.Show(s.dashboard.Status())
		}
	}
}
