// Package dashboard is the page of the local system: package page, with the state
// of every hop between Kafka and prod_data, which only who runs them knows.
package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/page"
	"github.com/stationflow/stationflow/internal/page/view"
)

// What the page is made of.
type (
	Row     = page.Row
	Figures = page.Figures
	Period  = page.Period
)

// A Config says where a Dashboard finds what it shows.
type Config struct {
	// Client, Dataset, Tables, View, Location and Now are those of page.Config.
	Client   *bigquery.Client
	Dataset  string
	Tables   func(ctx context.Context) ([]Row, error)
	View     *view.Store
	Location *time.Location
	Now      func() time.Time

	// Sizes, which goes with Tables, returns how many rows each table of the
	// dataset has, by its name; views have none. Those of Client's dataset
	// are read as metadata, which costs no query.
	Sizes func(ctx context.Context) (map[string]int64, error)

	// Pipeline returns the pipeline's state now. It is called for each Status,
	// from several goroutines, and must answer from memory.
	Pipeline func() Pipeline

	// Metered returns what was used since the start of what a bill counts, as
	// /api/meter has it in JSON.
	Metered func() any
}

// A Dashboard is a page.Page with the state of the pipeline. Its methods may be
// called concurrently.
type Dashboard struct {
	*page.Page
	read     func(ctx context.Context) (map[string]int64, error)
	pipeline func() Pipeline
	sizes    atomic.Pointer[map[string]int64] // rows of each table, as last read
}

// New returns a Dashboard that shows nothing until the first Refresh.
func New(config Config) *Dashboard {
	d := &Dashboard{read: config.Sizes, pipeline: config.Pipeline}
	if d.read == nil {
		d.read = func(context.Context) (map[string]int64, error) { return nil, nil }
		if config.Tables == nil {
			d.read = sizesOf{config.Client.Dataset(cmp.Or(config.Dataset, "prod_data"))}.read
		}
	}
	if d.pipeline == nil {
		d.pipeline = func() Pipeline { return Pipeline{} }
	}
	if config.Metered == nil {
		config.Metered = func() any { return struct{}{} }
	}
	d.sizes.Store(&map[string]int64{})
	d.Page = page.New(page.Config{
		Client: config.Client, Dataset: config.Dataset, Tables: config.Tables, View: config.View, Location: config.Location, Now: config.Now,
		State: d.state, Documents: map[string]func() any{"meter": config.Metered},
	})
	return d
}

// sizesTimeout bounds the reading of sizes.
const sizesTimeout = 30 * time.Second

// Refresh reads how many rows tables have, and then what page.Page does.
func (d *Dashboard) Refresh(ctx context.Context) error {
	reading, cancel := context.WithTimeout(ctx, sizesTimeout)
	defer cancel()
	sizes, err := d.read(reading)
	if err == nil {
		d.sizes.Store(&sizes)
	}
	return errors.Join(err, d.Page.Refresh(ctx))
}

// sizesOf reads how many rows the tables of a dataset have.
type sizesOf struct{ *bigquery.Dataset }

// read returns them by the tables' names. A table that goes away meanwhile is
// left out.
func (s sizesOf) read(ctx context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	listed := s.Tables(ctx)
	for {
		table, err := listed.Next()
		if errors.Is(err, iterator.Done) || bqconfig.IsMissing(err) {
			return sizes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the tables of %s: %w", s.DatasetID, err)
		}
		about, err := table.Metadata(ctx)
		switch {
		case bqconfig.IsMissing(err):
		case err != nil:
			return nil, fmt.Errorf("counting the rows of %s: %w", table.TableID, err)
		case about.Type == bigquery.RegularTable:
			sizes[table.TableID] = int64(about.NumRows)
		}
	}
}
