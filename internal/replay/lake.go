package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/sql"
)

// A lakeStep is one statement of a replay from the lake: a day of a topic, or
// the part of it that was asked for.
type lakeStep struct {
	topic    string
	from, to time.Time
}

// String names the step, for Request.After.
func (s lakeStep) String() string { return s.topic + "/" + s.from.Format(time.DateOnly) }

// steps are those of the topics and days, in order.
func (r *Request) steps() (all []lakeStep) {
	for _, topic := range r.Topics {
		for from := r.From.UTC(); from.Before(r.To); {
			to := from.Truncate(24 * time.Hour).Add(24 * time.Hour)
			if r.To.Before(to) {
				to = r.To.UTC()
			}
			all = append(all, lakeStep{topic, from, to})
			from = to
		}
	}
	return all
}

// stepsLeft are those behind Request.After.
func (r *Request) stepsLeft() ([]lakeStep, error) {
	all := r.steps()
	if r.After == "" {
		return all, nil
	}
	at := slices.IndexFunc(all, func(s lakeStep) bool { return s.String() == r.After })
	if at < 0 {
		return nil, program.Mistakef("%q is none of what is to be replayed: it is written as %s", r.After, all[0])
	}
	return all[at+1:], nil
}

// lake puts back into staging what the lake has and staging lacks. Each step is
// one statement: it happens as a whole, or not at all, and to repeat it adds
// nothing. What the tables hold is read once a topic, and what the lake holds
// from its objects, so that a step with nothing to put back takes no statement.
func (w *Worker) lake(ctx context.Context, r Request, report *Report) (err error) {
	steps, err := r.stepsLeft()
	if err != nil {
		return err
	}
	filler := lakeFiller{Worker: w, report: report, dryRun: r.DryRun}
	if err := filler.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, filler.disconnect()) }()
	for i, step := range steps {
		n, err := filler.step(ctx, step)
		if err != nil {
			return fmt.Errorf("replaying %v from the lake: %w", step, err)
		}
		report.Records += n
		if err := w.arrived(report, report.Records, step.String()); err != nil && i < len(steps)-1 {
			return err
		}
	}
	return nil
}

// A lakeFiller fills staging from the lake.
type lakeFiller struct {
	*Worker
	report   *Report
	dryRun   bool
	client   *bigquery.Client
	storage  *storage.Client
	lake     *ledger.Lake // nil where the bucket is not known
	topic    string       // of which held is known; "" for none
	held     map[ledger.Place]ledger.Spans
	refusals []ledger.Run // of the quarantine
	refused  bool         // whether these are known
}

func (f *lakeFiller) open(ctx context.Context) (err error) {
	if f.client, err = bigquery.NewClient(ctx, f.Warehouse.Project, f.Warehouse.RESTOptions()...); err != nil {
		return fmt.Errorf("connecting to BigQuery in project %s: %w", f.Warehouse.Project, err)
	}
	if f.Bucket == "" {
		return nil
	}
	if f.storage, err = storage.NewClient(ctx, storage.WithJSONReads()); err != nil {
		return errors.Join(fmt.Errorf("connecting to Cloud Storage: %w", err), f.client.Close())
	}
	f.lake = &ledger.Lake{Bucket: f.storage.Bucket(f.Bucket), ReadBytes: ledger.DefaultReadBytes}
	return nil
}

func (f *lakeFiller) disconnect() error {
	err := f.client.Close()
	if f.storage != nil {
		err = errors.Join(err, f.storage.Close())
	}
	return err
}

// step does one step, or counts what it would do, and returns how many records
// that are.
func (f *lakeFiller) step(ctx context.Context, step lakeStep) (int64, error) {
	missing, known, err := f.missing(ctx, step)
	if err != nil || known && (missing == 0 || f.dryRun) {
		return missing, err
	}
	insert, count, err := sql.Replay(step.topic)
	if err != nil {
		return 0, err
	}
	if f.dryRun {
		insert = count
	}
	query := f.client.Query(strings.ReplaceAll(insert, "staging_data.", f.Warehouse.StagingDataset+"."))
	query.Parameters = []bigquery.QueryParameter{{Name: "from_time", Value: step.from}, {Name: "to_time", Value: step.to}}
	if err := f.limits(f.report).Check(ctx, query); err != nil {
		return 0, err
	}
	if f.dryRun {
		rows, err := query.Read(ctx)
		if err != nil {
			return 0, err
		}
		var row struct {
			Records int64 `bigquery:"records"`
		}
		return row.Records, rows.Next(&row)
	}
	return affected(ctx, query)
}

// affected runs a statement and returns how many rows it added.
func affected(ctx context.Context, query *bigquery.Query) (int64, error) {
	job, err := query.Run(ctx)
	if err != nil {
		return 0, err
	}
	status, err := job.Wait(ctx)
	if err != nil {
		return 0, err
	}
	if err := status.Err(); err != nil {
		return 0, err
	}
	statistics, _ := status.Statistics.Details.(*bigquery.QueryStatistics)
	if statistics == nil {
		return 0, nil
	}
	return statistics.NumDMLAffectedRows, nil
}

// missing counts the records of the step that are in the lake, and neither in
// staging nor in quarantine. known is false where the lake is too large to read,
// or its bucket unknown.
func (f *lakeFiller) missing(ctx context.Context, step lakeStep) (records int64, known bool, err error) {
	if f.lake == nil {
		return 0, false, nil
	}
	there, known, err := f.lake.Between(ctx, step.topic, step.from, step.to)
	if err != nil || !known || len(there) == 0 {
		return 0, known, err
	}
	if err := f.hold(ctx, step.topic); err != nil {
		return 0, false, err
	}
	for place, offsets := range there {
		records += offsets.Not(f.held[place]).Count()
	}
	return records, true, nil
}

// hold reads what staging and quarantine have of the topic, unless it is known.
// What lands meanwhile is found by the statements.
func (f *lakeFiller) hold(ctx context.Context, topic string) error {
	if f.topic == topic {
		return nil
	}
	var err error
	if !f.refused {
		if f.refusals, err = f.runs(ctx, ledger.QuarantineTable); err != nil {
			return err
		}
		f.refused = true
	}
	staged, err := f.runs(ctx, topic)
	if err != nil {
		return err
	}
	spans := map[ledger.Place][]ledger.Span{}
	for _, run := range slices.Concat(staged, f.refusals) {
		spans[run.Place] = append(spans[run.Place], run.Span)
	}
	f.topic, f.held = topic, map[ledger.Place]ledger.Spans{}
	for place, some := range spans {
		f.held[place] = ledger.Of(some...)
	}
	return nil
}

// runs reads the offsets that a table has.
func (f *lakeFiller) runs(ctx context.Context, table string) ([]ledger.Run, error) {
	w := ledger.Warehouse{Client: f.client, Dataset: f.Warehouse.StagingDataset, Tables: []string{table}}
	bytes, err := w.Estimate(ctx)
	if err != nil {
		return nil, err
	}
	limits := f.limits(f.report)
	if limits.MaxBytes > 0 && bytes > limits.MaxBytes {
		return nil, &scan.TooMuch{Bytes: bytes, Most: limits.MaxBytes}
	}
	limits.Told(bytes)
	return w.Runs(ctx)
}
