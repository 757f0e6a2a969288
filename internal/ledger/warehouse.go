package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
)

// QuarantineTable is where records are that are no valid events.
const QuarantineTable = "quarantine"

// A Warehouse is the dataset of the staging tables.
type Warehouse struct {
	Client  *bigquery.Client
	Dataset string
	Tables  []string // one for each topic, named as it, and the quarantine
}

// A Run is offsets that follow one another in a table, each once or, where
// Repeated is set, each more than once.
type Run struct {
	Table    string
	Place    Place
	Span     Span
	Repeated bool
	Rows     int64
}

// runsSQL has a row for each run. Offsets that occur more than once are runs of
// their own.
const runsSQL = `with records as (
  select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, count(*) as copies, count(*) > 1 as repeated
  from %s%s
  group by kafka_topic, kafka_topic_id, kafka_partition, kafka_offset
), numbered as (
  select *, kafka_offset - row_number() over (
    partition by kafka_topic, kafka_topic_id, kafka_partition, repeated order by kafka_offset
  ) as run
  from records
)
select kafka_topic, kafka_topic_id, kafka_partition, repeated,
  min(kafka_offset) as first_offset, max(kafka_offset) as last_offset, sum(copies) as row_count
from numbered
group by kafka_topic, kafka_topic_id, kafka_partition, repeated, run`

// arrived bounds the partitions that are read, by time of arrival; zero times
// bound nothing.
type arrived struct{ from, to time.Time }

func (a arrived) where() string {
	var conditions []string
	for _, bound := range []struct {
		operator string
		at       time.Time
	}{{">=", a.from}, {"<", a.to}} {
		if !bound.at.IsZero() {
			conditions = append(conditions, fmt.Sprintf("ingested_at %s timestamp '%s'", bound.operator, bound.at.UTC().Format("2006-01-02 15:04:05.000000+00")))
		}
	}
	if len(conditions) == 0 {
		return ""
	}
	return "\n  where " + strings.Join(conditions, " and ")
}

// labels let a bill be split by what caused it.
var labels = map[string]string{"application": "stationflow", "component": "ledger"}

// query asks for the runs of one table. There is a statement for each, so that
// none keeps the local warehouse for long.
func (w *Warehouse) query(table string, in arrived) *bigquery.Query {
	q := w.Client.Query(fmt.Sprintf(runsSQL, "`"+w.Dataset+"."+table+"`", in.where()))
	q.Labels = labels
	return q
}

// estimate returns the bytes that reading the runs processes.
func (w *Warehouse) estimate(ctx context.Context, in arrived) (int64, error) {
	sizes := make([]int64, len(w.Tables))
	err := w.each(ctx, func(ctx context.Context, i int, table string) error {
		size, err := DryRun(ctx, w.query(table, in))
		sizes[i] = size
		if err != nil {
			return fmt.Errorf("asking how much of %s.%s would be read: %w", w.Dataset, table, err)
		}
		return nil
	})
	var all int64
	for _, size := range sizes {
		all += size
	}
	return all, err
}

// DryRun returns the bytes that a query would process. That costs nothing.
func DryRun(ctx context.Context, q *bigquery.Query) (int64, error) {
	q.DryRun = true
	job, err := q.Run(ctx)
	if err != nil {
		return 0, err
	}
	return job.LastStatus().Statistics.TotalBytesProcessed, nil
}

// Runs reads the runs of all tables.
func (w *Warehouse) Runs(ctx context.Context) ([]Run, error) { return w.runs(ctx, arrived{}) }

func (w *Warehouse) runs(ctx context.Context, in arrived) ([]Run, error) {
	found := make([][]Run, len(w.Tables))
	err := w.each(ctx, func(ctx context.Context, i int, table string) (err error) {
		if found[i], err = w.read(ctx, table, in); err != nil {
			return fmt.Errorf("reading which records %s.%s has: %w", w.Dataset, table, err)
		}
		return nil
	})
	var all []Run
	for _, some := range found {
		all = append(all, some...)
	}
	return all, err
}

func (w *Warehouse) each(ctx context.Context, do func(ctx context.Context, i int, table string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, table := range w.Tables {
		group.Go(func() error { return do(ctx, i, table) })
	}
	return group.Wait()
}

// A runRow is one of runsSQL. A row of a table may lack what is required of it.
type runRow struct {
	Topic     bigquery.NullString `bigquery:"kafka_topic"`
	TopicID   bigquery.NullString `bigquery:"kafka_topic_id"`
	Partition bigquery.NullInt64  `bigquery:"kafka_partition"`
	Repeated  bool                `bigquery:"repeated"`
	First     bigquery.NullInt64  `bigquery:"first_offset"`
	Last      bigquery.NullInt64  `bigquery:"last_offset"`
	Rows      int64               `bigquery:"row_count"`
}

func (w *Warehouse) read(ctx context.Context, table string, in arrived) (runs []Run, err error) {
	err = Rows(ctx, w.query(table, in), func(row *runRow) {
		run := Run{Table: table, Repeated: row.Repeated, Rows: row.Rows, Span: Span{row.First.Int64, row.Last.Int64 + 1},
			Place: Place{row.Topic.StringVal, row.TopicID.StringVal, row.Partition.Int64}}
		if !row.First.Valid || !row.Partition.Valid {
			run.Span = Span{}
		}
		runs = append(runs, run)
	})
	return runs, err
}

// Rows calls f with every row of a query.
func Rows[T any](ctx context.Context, q *bigquery.Query, f func(*T)) error {
	rows, err := q.Read(ctx)
	if err != nil {
		return err
	}
	for {
		var row T
		switch err := rows.Next(&row); {
		case err == nil:
			f(&row)
		case errors.Is(err, iterator.Done):
			return nil
		default:
			return err
		}
	}
}

// keeps is how long the tables keep their rows, the shortest; 0 for ever.
func (w *Warehouse) keeps(ctx context.Context) (time.Duration, error) {
	found := make([]time.Duration, len(w.Tables))
	err := w.each(ctx, func(ctx context.Context, i int, table string) error {
		about, err := w.Client.Dataset(w.Dataset).Table(table).Metadata(ctx)
		if err != nil {
			return fmt.Errorf("asking how long %s.%s keeps its rows: %w", w.Dataset, table, err)
		}
		if about.TimePartitioning != nil {
			found[i] = about.TimePartitioning.Expiration
		}
		return nil
	})
	shortest := time.Duration(0)
	for _, one := range found {
		if one > 0 && (shortest == 0 || one < shortest) {
			shortest = one
		}
	}
	return shortest, err
}
