// Package scan runs queries that people ask for: each says first how much it
// will read, and is not begun where that is too much.
package scan

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

// Limits are what a query may read; the zero value lets it read all, and asks
// nothing first.
type Limits struct {
	MaxBytes int64             // of one query
	Told     func(bytes int64) // is called before each query with what it will read, at most
}

// A TooMuch error says that a query would read more than it may.
type TooMuch struct{ Bytes, Most int64 }

func (e *TooMuch) Error() string {
	return fmt.Sprintf("it would read %d bytes of the warehouse and may read %d", e.Bytes, e.Most)
}

// A Plan is what is known of a query before it runs.
type Plan struct {
	Bytes     int64  // that it would read, at most
	Statement string // BigQuery's word, such as SELECT; "" where it does not say
}

// PlanOf asks what the query would do, which costs nothing.
func PlanOf(ctx context.Context, query *bigquery.Query) (Plan, error) {
	query.DryRun = true
	job, err := query.Run(ctx)
	query.DryRun = false
	if err != nil {
		return Plan{}, err
	}
	statistics := job.LastStatus().Statistics
	plan := Plan{Bytes: statistics.TotalBytesProcessed}
	if details, of := statistics.Details.(*bigquery.QueryStatistics); of {
		plan.Statement = details.StatementType
	}
	return plan, nil
}

// Bytes asks how much the query would read, which costs nothing.
func Bytes(ctx context.Context, query *bigquery.Query) (int64, error) {
	plan, err := PlanOf(ctx, query)
	return plan.Bytes, err
}

// Check asks how much the query would read, which costs nothing, and returns a
// *TooMuch error where that is over the limit.
func (l Limits) Check(ctx context.Context, query *bigquery.Query) error {
	if l.Told == nil && l.MaxBytes == 0 {
		return nil
	}
	bytes, err := Bytes(ctx, query)
	if err != nil {
		return err
	}
	if l.MaxBytes > 0 && bytes > l.MaxBytes {
		return &TooMuch{bytes, l.MaxBytes}
	}
	if l.Told != nil {
		l.Told(bytes)
	}
	return nil
}

// Rows yields the rows of the query, once it is known how much it reads. An
// error is the last that it yields.
func Rows[R any](ctx context.Context, limits Limits, query *bigquery.Query) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		err := limits.Check(ctx, query)
		var rows *bigquery.RowIterator
		if err == nil {
			rows, err = query.Read(ctx)
		}
		if err != nil {
			yield(none, err)
			return
		}
		for {
			var row R
			err := rows.Next(&row)
			if errors.Is(err, iterator.Done) {
				return
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}
