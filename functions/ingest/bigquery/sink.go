// Package bigquery is the sink that appends rows to tables with BigQuery's
// Storage Write API.
//
// Rows are appended at least once: readers keep one of each Kafka coordinate.
package bigquery

import (
	"context"
	"errors"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/bigquery"
)

// A Sink appends rows to the tables of the staging dataset. It is safe for
// concurrent use.
type Sink struct {
	now     func() time.Time
	streams map[string]*stream // by table
}

// NewSink returns a sink that appends where the configuration says, without
// contacting it. life bounds its connections, which Close ends as well;
// timeout bounds one attempt, after which the stream is replaced.
func NewSink(life context.Context, at bigquery.Config, timeout time.Duration, now func() time.Time) *Sink {
	s := &Sink{now: now, streams: make(map[string]*stream)}
	for _, table := range rows.Tables() {
		s.streams[table.Name] = newStream(life, at, table.Name, NewEncoder(table.Layout), timeout)
	}
	return s
}

// Lane returns the lane of rows.
func (*Sink) Lane() batch.Lane { return batch.RowsLane }

// Fault returns the kind of an error that Store returned.
func (*Sink) Fault(err error) fault.Kind { return Fault(err) }

// Close ends the sink's connections. Calls that run then fail.
func (s *Sink) Close() error {
	var errs []error
	for _, stream := range s.streams {
		errs = append(errs, stream.end())
	}
	return errors.Join(errs...)
}
