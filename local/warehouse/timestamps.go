package warehouse

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// floatTimestamps turns the microseconds of TIMESTAMP values into seconds with a fraction, the form of clients that do
// not ask for another.
func floatTimestamps(schema *bigquery.TableSchema, rows []json.RawMessage) []json.RawMessage {
	if schema == nil || !has(schema.Fields, isTimestamp) {
		return rows
	}
	return mapTimestamps(schema.Fields, rows, isTimestamp, func(text string) string {
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
	if has(fields, isFloat) && slices.ContainsFunc(rows, func(row json.RawMessage) bool { return bytes.Contains(row, []byte(`Inf"`)) }) {
		rows = mapTimestamps(fields, rows, isFloat, infinity.Replace)
	}
	if has(fields, isClock) {
		rows = mapTimestamps(fields, rows, isClock, sixDigits)
	}
	if !has(fields, nested) {
		return rows
	}
	return mapTimestamps(fields, rows, isTimestamp, func(text string) string {
		at, err := time.Parse("2006-01-02 15:04:05.999999999-07", text)
		if err != nil {
			return text
		}
		return strconv.FormatInt(at.UnixMicro(), 10)
	})
}

func isTimestamp(f *bigquery.TableFieldSchema) bool { return f.Type == "TIMESTAMP" }

func isClock(f *bigquery.TableFieldSchema) bool { return f.Type == "TIME" || f.Type == "DATETIME" }

func isFloat(f *bigquery.TableFieldSchema) bool { return f.Type == "FLOAT" }

// infinity is written in full: Node's client reads nothing else.
var infinity = strings.NewReplacer("+Inf", "Infinity", "-Inf", "-Infinity", "Inf", "Infinity")

// sixDigits writes the fraction of a second as BigQuery does, in six digits or not at all: Python's client reads no others.
func sixDigits(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	if !found || len(fraction) >= 6 {
		return text
	}
	return whole + "." + fraction + "000000"[len(fraction):]
}

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

// mapTimestamps rewrites the text of every value of the wanted columns. A row that cannot be read stays as it is.
func mapTimestamps(
	fields []*bigquery.TableFieldSchema, rows []json.RawMessage, wanted func(*bigquery.TableFieldSchema) bool, change func(string) string,
) []json.RawMessage {
	out := make([]json.RawMessage, len(rows))
	for i, raw := range rows {
		out[i] = mapRecord(fields, raw, wanted, change)
	}
	return out
}

// mapRecord changes a row, or a RECORD in one: {"f":[{"v":…},…]}.
func mapRecord(
	fields []*bigquery.TableFieldSchema, raw json.RawMessage, wanted func(*bigquery.TableFieldSchema) bool, change func(string) string,
) json.RawMessage {
	var record struct {
		F []cell `json:"f"`
	}
	if json.Unmarshal(raw, &record) != nil || record.F == nil {
		return raw
	}
	for i, f := range fields {
		if i < len(record.F) && (wanted(f) || has(f.Fields, wanted)) {
			record.F[i].V = mapValue(f, record.F[i].V, f.Mode == "REPEATED", wanted, change)
		}
	}
	return encoded(record, raw)
}

type cell struct {
	V json.RawMessage `json:"v"`
}

func mapValue(
	f *bigquery.TableFieldSchema, raw json.RawMessage, list bool, wanted func(*bigquery.TableFieldSchema) bool, change func(string) string,
) json.RawMessage {
	var items []cell
	var text *string
	switch {
	case list && json.Unmarshal(raw, &items) == nil && items != nil:
		for i := range items {
			items[i].V = mapValue(f, items[i].V, false, wanted, change)
		}
		return encoded(items, raw)
	case list:
		return raw
	case len(f.Fields) > 0:
		return mapRecord(f.Fields, raw, wanted, change)
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
