package warehouse

import (
	"encoding/json"
	"strconv"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// floatTimestamps turns the microseconds of TIMESTAMP values into seconds with a fraction, the form of clients that do
// not ask for another.
func floatTimestamps(schema *bigquery.TableSchema, rows []json.RawMessage) []json.RawMessage {
	if schema == nil || !has(schema.Fields, isTimestamp) {
		return rows
	}
	return mapTimestamps(schema.Fields, rows, func(text string) string {
		micros, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return text
		}
		return seconds(micros)
	})
}

// mendTimestamps turns TIMESTAMP values inside of arrays and records, which the emulator leaves in its own form, into
// microseconds. The others are already.
func mendTimestamps(fields []*bigquery.TableFieldSchema, rows []json.RawMessage) []json.RawMessage {
	nested := func(f *bigquery.TableFieldSchema) bool {
		return isTimestamp(f) && f.Mode == "REPEATED" || has(f.Fields, isTimestamp)
	}
	if !has(fields, nested) {
		return rows
	}
	return mapTimestamps(fields, rows, func(text string) string {
		at, err := time.Parse("2006-01-02 15:04:05.999999999-07", text)
		if err != nil {
			return text
		}
		return strconv.FormatInt(at.UnixMicro(), 10)
	})
}

func isTimestamp(f *bigquery.TableFieldSchema) bool { return f.Type == "TIMESTAMP" }

// has says whether a field, or one inside of it, is wanted.
func has(fields []*bigquery.TableFieldSchema, wanted func(*bigquery.TableFieldSchema) bool) bool {
	for _, f := range fields {
		if wanted(f) || has(f.Fields, wanted) {
			return true
		}
	}
	return false
}

// seconds writes microseconds as seconds with six digits after the point.
func seconds(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	fraction := strconv.FormatInt(1_000_000+micros%1_000_000, 10)[1:]
	return sign + strconv.FormatInt(micros/1_000_000, 10) + "." + fraction
}

// mapTimestamps rewrites the text of every TIMESTAMP value in rows. A row that cannot be read stays as it is.
func mapTimestamps(fields []*bigquery.TableFieldSchema, rows []json.RawMessage, change func(string) string) []json.RawMessage {
	out := make([]json.RawMessage, len(rows))
	for i, raw := range rows {
		out[i] = mapRecord(fields, raw, change)
	}
	return out
}

// mapRecord changes a row, or a RECORD in one: {"f":[{"v":…},…]}.
func mapRecord(fields []*bigquery.TableFieldSchema, raw json.RawMessage, change func(string) string) json.RawMessage {
	var record struct {
		F []cell `json:"f"`
	}
	if json.Unmarshal(raw, &record) != nil || record.F == nil {
		return raw
	}
	for i, f := range fields {
		if i < len(record.F) && (isTimestamp(f) || has(f.Fields, isTimestamp)) {
			record.F[i].V = mapValue(f, record.F[i].V, f.Mode == "REPEATED", change)
		}
	}
	return encoded(record, raw)
}

type cell struct {
	V json.RawMessage `json:"v"`
}

func mapValue(f *bigquery.TableFieldSchema, raw json.RawMessage, list bool, change func(string) string) json.RawMessage {
	var items []cell
	var text *string
	switch {
	case list && json.Unmarshal(raw, &items) == nil && items != nil:
		for i := range items {
			items[i].V = mapValue(f, items[i].V, false, change)
		}
		return encoded(items, raw)
	case list:
		return raw
	case len(f.Fields) > 0:
		return mapRecord(f.Fields, raw, change)
	case json.Unmarshal(raw, &text) == nil && text != nil:
		return encoded(change(*text), raw)
	}
	return raw
}

// encoded is v as JSON, or the original when that fails.
func encoded(v any, original json.RawMessage) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		return original
	}
	return out
}
