// Package filesink_test is an example of a sink: it appends rows to files. All
// that a sink needs is in its folder, besides its name in a list.
package filesink_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// A sink appends each row as one line of JSON to the file of its table.
type sink struct {
	folder string
	mu     sync.Mutex
	outage error  // what Store fails with
	poison string // it fails only where an event has this id; "" for any
	kind   fault.Kind
}

// kind is the sink's entry in a list of sinks.
func kind(s *sink) ingest.SinkKind {
	return ingest.SinkKind{Name: "file", Open: func(context.Context, *ingest.Config, *lake.Bucket) (ingest.Sink, error) {
		_, err := os.Stat(s.folder)
		return s, err
	}}
}

func (*sink) Lane() batch.Lane { return batch.RowsLane }

func (*sink) Close() error { return nil }

// Fault knows nothing of errors, or what a test wants.
func (s *sink) Fault(error) fault.Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kind
}

// Store refuses rows whose id has a slash, as some store might.
func (s *sink) Store(_ context.Context, b *rows.Batch) (stored rows.Stored, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage != nil && (s.poison == "" || holds(b, s.poison)) {
		return stored, s.outage
	}
	var lines []byte
	for i := range b.Rows {
		values := object(b, i)
		if id, _ := values["id"].(string); strings.Contains(id, "/") {
			stored.Refused = append(stored.Refused, rows.Refusal{Row: i, Detail: "the id has a slash"})
			continue
		}
		line, err := json.Marshal(values)
		if err != nil {
			return stored, fmt.Errorf("encoding a row of %s: %w", b.Table.Name, err)
		}
		lines = append(append(lines, line...), '\n')
	}
	file, err := os.OpenFile(filepath.Join(s.folder, b.Table.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return stored, err
	}
	if _, err = file.Write(lines); err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	return stored, err
}

func holds(b *rows.Batch, id string) bool {
	for i := range b.Rows {
		if object(b, i)["id"] == id {
			return true
		}
	}
	return false
}

// object returns the values of row i by column, without those that are NULL.
func object(b *rows.Batch, i int) map[string]any {
	values := map[string]any{}
	for c, column := range b.Table.Columns {
		v := b.Value(i, c)
		if v.Null() {
			continue
		}
		switch column.Type {
		case event.String, event.Bytes:
			values[column.Name] = string(v.Text())
		case event.Float64:
			values[column.Name] = v.Float()
		case event.Timestamp:
			values[column.Name] = v.Time()
		default:
			values[column.Name] = v.Int()
		}
	}
	return values
}

// lines returns the rows in the file of a table.
func (s *sink) lines(table string) (all []map[string]any, err error) {
	file, err := os.Open(filepath.Join(s.folder, table))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, err
		}
		all = append(all, line)
	}
	return all, nil
}

// breakDown has Store fail with the error, of which Fault says the kind; nil
// ends that.
func (s *sink) breakDown(with error, kind fault.Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage, s.kind = with, kind
}
