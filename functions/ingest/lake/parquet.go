package lake

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

// Parquet writes rows of one table as Parquet files. It is safe for concurrent
// use.
type Parquet struct {
	rows.Layout
	Schema  *parquet.Schema
	writers sync.Pool // of *pages.Writer
}

// NewParquet returns the format of the table's files.
func NewParquet(table *rows.Table) *Parquet {
	format := pages.NewFormat(table.Name, table.Columns)
	p := &Parquet{Layout: table.Layout, Schema: format.Schema}
	p.writers.New = func() any { return format.NewWriter() }
	return p
}

// Encode writes one file with the rows to dst. stamp is the rows'
// ingested_at, in microseconds since 1970-01-01 UTC.
func (p *Parquet) Encode(dst *bytes.Buffer, all rows.Set, stamp int64) error {
	w := p.writers.Get().(*pages.Writer)
	w.Reset(len(all.Rows))
	for c, place := range p.Own {
		switch {
		case c == p.Stamp:
			w.Repeat(c, event.TimeValue(stamp))
		case place < 0:
			w.Repeat(c, all.Shared[c])
		default:
			w.Take(c, all.Own[place], all.Rows)
		}
	}
	if err := w.WriteTo(dst); err != nil {
		return fmt.Errorf("encoding %d rows as Parquet: %w", len(all.Rows), err)
	}
	p.writers.Put(w) // after an error or a panic its state is unknown: not reused
	return nil
}
