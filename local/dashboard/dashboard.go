// Package dashboard serves the page that a station manager looks at: what
// Looker Studio is in the cloud.
//
// In come the five dashboard tables of prod_data, read through BigQuery's REST
// API, and the state of the pipeline, asked from a function. Out go one page,
// embedded with all it needs, and JSON documents (see Handler). What a station
// manager asks, package view answers from the typed marts.
//
// The tables are read by Refresh alone. The page polls, and every answer comes
// from the last snapshot in memory, so that no number of open browsers ever
// costs the warehouse a query. A Refresh that fails keeps the snapshot before
// it and makes the page say so. Nothing here outlives the process: after a
// crash the next Refresh brings everything back.
package dashboard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/local/dashboard/view"
)

// A Config says where a Dashboard finds what it shows.
type Config struct {
	// Client and Dataset name the dashboard tables; Dataset is prod_data when
	// empty. Neither is used when Tables is set.
	Client  *bigquery.Client
	Dataset string

	// Tables returns the rows of all dashboard tables. A table that does not
	// exist yet is no error; it has no rows. The Dashboard keeps the slice.
	Tables func(ctx context.Context) ([]Row, error)

	// Sizes, which goes with Tables, returns how many rows each table of the
	// dataset has, by its name; views have none. Those of Client's dataset
	// are read as metadata, which costs no query.
	Sizes func(ctx context.Context) (map[string]int64, error)

	// View answers what a station manager asks; made from Client, Dataset and
	// Location when nil.
	View *view.Store

	// Pipeline returns the pipeline's state now. It is called for each Status,
	// from several goroutines, and must answer from memory.
	Pipeline func() Pipeline

	// Metered returns what was used since the start of what a bill counts, as
	// /api/meter has it in JSON.
	Metered func() any

	// Location is the network's time zone (STATION_TIMEZONE), in which the
	// page shows times; UTC when nil.
	Location *time.Location

	Now func() time.Time // time.Now when nil
}

// readTimeout bounds a Refresh: the BigQuery client itself would repeat what
// fails for as long as it may.
const readTimeout = 30 * time.Second

// A Dashboard holds the last snapshot of the dashboard tables. Its methods may
// be called concurrently.
type Dashboard struct {
	tables   func(ctx context.Context) ([]Row, error)
	sizes    func(ctx context.Context) (map[string]int64, error)
	view     *view.Store
	pipeline func() Pipeline
	metered  func() any
	location *time.Location
	now      func() time.Time

	refreshing sync.Mutex // held while the tables are read
	last       atomic.Pointer[snapshot]
}

// A snapshot is what the last Refresh left; it is never changed.
type snapshot struct {
	number  int64 // counts Refreshes, so that the page knows when to fetch again
	rows    []Row
	sizes   map[string]int64 // rows of each table of the dataset
	readAt  time.Time        // of the rows; zero before the first success
	failure string           // why the last Refresh failed; "" when it did not
}

// New returns a Dashboard that shows nothing until the first Refresh.
func New(config Config) *Dashboard {
	d := &Dashboard{
		tables:   config.Tables,
		sizes:    config.Sizes,
		view:     config.View,
		pipeline: config.Pipeline,
		metered:  config.Metered,
		location: config.Location,
		now:      config.Now,
	}
	if d.tables == nil {
		from := source{config.Client, config.Dataset}
		d.tables, d.sizes = from.rows, from.sizes
	}
	if d.sizes == nil {
		d.sizes = func(context.Context) (map[string]int64, error) { return nil, nil }
	}
	if d.pipeline == nil {
		d.pipeline = func() Pipeline { return Pipeline{} }
	}
	if d.metered == nil {
		d.metered = func() any { return struct{}{} }
	}
	if d.location == nil {
		d.location = time.UTC
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.view == nil {
		d.view = view.New(view.Config{Source: view.Source{Client: config.Client, Dataset: config.Dataset}, Location: d.location, Now: d.now})
	}
	d.last.Store(&snapshot{})
	return d
}

// Refresh reads the dashboard tables, and the typed marts while somebody looks;
// call it after each transform run. When it returns nil, every later answer shows what was read. On an error the
// answers keep the rows they had and say that reading failed. Concurrent calls
// wait for each other, so that the newest rows win.
func (d *Dashboard) Refresh(ctx context.Context) error {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()

	faulty := d.view.Changed(ctx)
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := d.tables(reading)
	var sizes map[string]int64
	if err == nil {
		sizes, err = d.sizes(reading)
	}
	next := *d.last.Load()
	next.number++
	if err != nil {
		next.failure = err.Error()
		d.last.Store(&next)
		return errors.Join(fmt.Errorf("reading the dashboard tables: %w", err), faulty)
	}
	for i := range rows {
		rows[i].MetricValue = finite(rows[i].MetricValue)
	}
	next.rows, next.sizes, next.readAt, next.failure = rows, sizes, d.now(), ""
	d.last.Store(&next)
	return faulty
}

// computedAt is when the newest row was computed; zero without rows.
func (s *snapshot) computedAt() (newest time.Time) {
	for i := range s.rows {
		if at := s.rows[i].ComputedAt; at.After(newest) {
			newest = at
		}
	}
	return newest
}
