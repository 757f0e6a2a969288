package bigquery

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/vectors"
)

// A table may lack columns that this version writes, for as long as it takes to
// add them: rows then go without. A field of the event is kept in extra, where
// it would be if this version did not know it; what else is lacking is in the
// lake.

// lackingFor is how long a table is taken to lack columns before all are tried
// again.
const lackingFor = time.Minute

// isLacking reports whether a request was refused because the table has fewer
// columns than its rows.
func isLacking(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if storage, ok := detail.(*storagepb.StorageError); ok && storage.GetCode() == storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS {
			return true
		}
	}
	return false
}

// narrow has the next connection write only the columns that the table has. It
// returns an error where that cannot be told, or would not help. Where the
// connection is another one by now, a call that was refused as this one has done
// it, and has closed this one.
func (s *stream) narrow(ctx context.Context, c *connection) error {
	described, err := c.client.GetWriteStream(ctx, &storagepb.GetWriteStreamRequest{Name: s.table + "/streams/_default", View: storagepb.WriteStreamView_FULL})
	if !s.uses(c) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the columns of %s: %w", s.table, err)
	}
	has := map[string]bool{}
	for _, column := range described.GetTableSchema().GetFields() {
		has[strings.ToLower(column.GetName())] = true
	}
	encoder, lacking := narrowed(s.encoder.Layout, has)
	if len(lacking) == 0 {
		return fmt.Errorf("reading the columns of %s: it has all that are written", s.table)
	}
	slog.Warn("a table lacks columns: rows go without, fields of events into extra", "table", s.table, "columns", strings.Join(lacking, ","))
	s.mu.Lock()
	s.narrowed, s.until = encoder, time.Now().Add(lackingFor)
	s.mu.Unlock()
	s.discard(c)
	return nil
}

// uses reports whether the connection is the one for the next call.
func (s *stream) uses(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == c
}

// widen has the next connection write all columns when BigQuery says that the
// table has more than before.
func (s *stream) widen(c *connection, answer *storagepb.AppendRowsResponse) {
	if c.encoder.lacks == nil || answer.GetUpdatedSchema() == nil {
		return
	}
	s.mu.Lock()
	s.until = time.Time{}
	s.mu.Unlock()
}

// narrowed returns an encoder of the columns that the table has, and the names of
// the others. It does without nullable ones only.
func narrowed(layout rows.Layout, has map[string]bool) (*Encoder, []string) {
	encoder := NewEncoder(layout)
	encoder.lacks = make([]bool, len(layout.Columns))
	var lacking []string
	for i, column := range layout.Columns {
		if column.Nullable && !has[column.Name] {
			encoder.lacks[i] = true
			lacking = append(lacking, column.Name)
		}
	}
	return encoder, lacking
}

// appendLacking is appendOwn for a table that lacks columns.
func (e *Encoder) appendLacking(dst []byte, own []*vectors.Vector, row int32) []byte {
	for _, i := range e.own {
		if e.lacks[i] {
			continue
		}
		v := own[e.Own[i]].Value(row)
		if i == e.extra {
			v = e.withLacking(v, own, row)
		}
		dst = e.appendValue(dst, i, &v)
	}
	return dst
}

// withLacking returns the row's extra with the event's fields that have no
// column.
func (e *Encoder) withLacking(extra event.Value, own []*vectors.Vector, row int32) event.Value {
	text := slices.Clone(extra.Text())
	for i := range e.extra {
		v := own[e.Own[i]].Value(row)
		if !e.lacks[i] || v.Null() {
			continue
		}
		if len(text) == 0 {
			text = append(text, '{')
		} else {
			text[len(text)-1] = ','
		}
		text = append(appendJSON(append(strconv.AppendQuote(text, e.Columns[i].Name), ':'), &v), '}')
	}
	if len(text) == 0 {
		return extra
	}
	return event.StringValue(text)
}

func appendJSON(dst []byte, v *event.Value) []byte {
	switch v.Type {
	case event.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case event.Float64:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	case event.Timestamp:
		return v.Time().AppendFormat(dst, `"2006-01-02T15:04:05.999999Z07:00"`)
	}
	quoted, _ := json.Marshal(string(v.Text())) // a string never fails
	return append(dst, quoted...)
}
