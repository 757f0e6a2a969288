// Package page serves the page that a station manager looks at: what Looker
// Studio is over the same tables, here and in the cloud.
//
// In come the typed marts and the five dashboard tables of prod_data, read
// through BigQuery's REST API, and the state of the pipeline, asked from a
// function. Out go one page, embedded with all it needs, and JSON documents
// (see Handler). What a station manager asks, package view answers from the
// typed marts.
//
// The page polls, and every answer comes from the last snapshot in memory, so
// that no number of open browsers ever costs the warehouse a query. Who makes a
// Page tells it when a run of the transform has ended: by Refresh, which reads
// all at once, or by Changed, which leaves the dashboard tables until somebody
// opens them. A reading that fails keeps the snapshot before it and makes the
// page say so. Nothing here outlives the process: after a crash the next reading
// brings everything back.
package page

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/internal/status"
)

// A Config says where a Page finds what it shows.
type Config struct {
	// Client and Dataset name the marts and the dashboard tables; Dataset is
	// prod_data when empty. MaxBytes is the most that one statement may read, 0
	// for no limit. None is used for what Tables and View bring.
	Client   *bigquery.Client
	Dataset  string
	MaxBytes int64

	// Tables returns the rows of all dashboard tables. A table that does not
	// exist yet is no error; it has no rows. The Page keeps the slice.
	Tables func(ctx context.Context) ([]Row, error)

	// View answers what a station manager asks; made from Client, Dataset,
	// MaxBytes and Location when nil.
	View *view.Store

	// State returns the state of the pipeline now, for each Status. It is called
	// from several goroutines, and must answer from memory. The Page fills in
	// what it knows itself.
	State func(*Snapshot) status.Status

	// Documents are served below /api/ by their names, besides the Page's own.
	Documents map[string]func() any

	// Location is the network's time zone (STATION_TIMEZONE), in which the
	// page shows times; UTC when nil.
	Location *time.Location

	Now func() time.Time // time.Now when nil
}

// readTimeout bounds a reading of the dashboard tables: the BigQuery client
// itself would repeat what fails for as long as it may.
const readTimeout = 30 * time.Second

// A Page holds the last snapshot of the dashboard tables, and the marts. Its
// methods may be called concurrently.
type Page struct {
	Config
	reading  sync.Mutex // held while the tables are read
	last     atomic.Pointer[Snapshot]
	outdated atomic.Bool // a run has changed the tables since they were read
}

// A Snapshot is what the last reading of the dashboard tables left; it is never
// changed.
type Snapshot struct {
	Number  int64 // counts runs that were told, so that the page knows when to fetch again
	Rows    []Row
	ReadAt  time.Time // of the rows; zero before the first success
	Failure string    // why the last reading failed; "" when it did not
}

// New returns a Page that shows nothing until the first Refresh or Changed.
func New(config Config) *Page {
	p := &Page{Config: config}
	if p.Tables == nil {
		p.Tables = source{config.Client, config.Dataset, config.MaxBytes}.rows
	}
	if p.State == nil {
		p.State = func(*Snapshot) status.Status { return status.Status{} }
	}
	if p.Location == nil {
		p.Location = time.UTC
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.View == nil {
		from := view.Source{Client: config.Client, Dataset: config.Dataset, MaxBytes: config.MaxBytes}
		p.View = view.New(view.Config{Source: from, Location: p.Location, Now: p.Now})
	}
	p.last.Store(&Snapshot{})
	return p
}

// Status describes the pipeline and what is shown now, from memory.
func (p *Page) Status() status.Status {
	tables, marts := p.last.Load(), p.View.Last()
	s := p.State(tables)
	s.At = p.Now().In(p.Location)
	s.Snapshot, s.View, s.TimeZone = tables.Number, marts.Version, p.Location.String()
	computed := tables.ComputedAt()
	if marts.ComputedAt.After(computed) {
		computed = marts.ComputedAt
	}
	s.ComputedAt = status.Time(p.Location, computed)
	return s
}

// Refresh reads the dashboard tables, and the typed marts while somebody looks;
// it is called after a run of the transform. When it returns nil, every later
// answer shows what was read. On an error the answers keep the rows they had and
// say that reading failed. Concurrent calls wait for each other, so that the
// newest rows win.
func (p *Page) Refresh(ctx context.Context) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	faulty := p.View.Changed(ctx)
	return errors.Join(p.read(ctx, p.last.Load().Number+1), faulty)
}

// Changed reads the typed marts, and has the dashboard tables read when somebody
// next asks for them; it is called when a run of the transform has ended and
// somebody looks. On an error the answers keep what they had and say so.
func (p *Page) Changed(ctx context.Context) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	next := *p.last.Load()
	next.Number++
	p.outdated.Store(true)
	p.last.Store(&next)
	return p.View.Refresh(ctx)
}

// current is the last snapshot, read again when a run has changed the tables.
// Then the answer waits for the warehouse; who waits may go away.
func (p *Page) current(ctx context.Context) *Snapshot {
	if p.outdated.Load() {
		p.reading.Lock()
		defer p.reading.Unlock()
		if p.outdated.Load() {
			_ = p.read(context.WithoutCancel(ctx), p.last.Load().Number) // the snapshot says why it failed
		}
	}
	return p.last.Load()
}

// read makes the next snapshot, of the given number. The caller holds reading.
func (p *Page) read(ctx context.Context, number int64) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	next := *p.last.Load()
	next.Number = number
	rows, err := p.Tables(ctx)
	if err != nil {
		next.Failure = err.Error()
		p.last.Store(&next)
		return fmt.Errorf("reading the dashboard tables: %w", err)
	}
	for i := range rows {
		rows[i].MetricValue = finite(rows[i].MetricValue)
	}
	next.Rows, next.ReadAt, next.Failure = rows, p.Now(), ""
	p.outdated.Store(false)
	p.last.Store(&next)
	return nil
}

// ComputedAt is when the newest row was computed; zero without rows.
func (s *Snapshot) ComputedAt() (newest time.Time) {
	for i := range s.Rows {
		if at := s.Rows[i].ComputedAt; at.After(newest) {
			newest = at
		}
	}
	return newest
}
