package warehouse

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// rowsPerInsert bounds the INSERT statement that an insertAll request becomes.
const rowsPerInsert = 500

type insertAllRequest struct {
	Rows []struct {
		JSON map[string]any `json:"json"`
	} `json:"rows"`
	SkipInvalidRows     bool `json:"skipInvalidRows"`
	IgnoreUnknownValues bool `json:"ignoreUnknownValues"`
}

// insertAll answers tabledata.insertAll with INSERT statements: the emulator keeps BYTES as their base64 text, and
// memory with every call. Rows that do not fit the table are reported each, and without skipInvalidRows nothing is
// inserted then. It does not deduplicate by insertId.
func (s *rest) insertAll(w http.ResponseWriter, r *http.Request) {
	var request insertAllRequest
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&request); err != nil {
		(&apiError{http.StatusBadRequest, "parseError", "reading the request: " + err.Error()}).write(w)
		return
	}
	ref := bigquery.TableReference{ProjectId: r.PathValue("project"), DatasetId: r.PathValue("dataset"), TableId: r.PathValue("table")}
	if !s.enter(w, r) {
		return
	}
	faults, err := s.insertRows(r.Context(), ref, &request)
	s.gate.leave()
	if err != nil {
		err.write(w)
		return
	}
	writeJSON(w, http.StatusOK, &bigquery.TableDataInsertAllResponse{
		Kind: "bigquery#tableDataInsertAllResponse", InsertErrors: faults,
	})
}

// insertRows inserts what can be inserted. Hold the gate.
func (s *rest) insertRows(
	ctx context.Context, ref bigquery.TableReference, request *insertAllRequest,
) ([]*bigquery.TableDataInsertAllResponseInsertErrors, *apiError) {
	fields, fault := s.fields(ctx, ref)
	if fault != nil {
		return nil, fault
	}
	var rows []string
	var faults []*bigquery.TableDataInsertAllResponseInsertErrors
	failed := func(i int, reason, message string) {
		faults = append(faults, &bigquery.TableDataInsertAllResponseInsertErrors{
			Index: int64(i), Errors: []*bigquery.ErrorProto{{Reason: reason, Message: message}}, ForceSendFields: []string{"Index"},
		})
	}
	valid := make([]int, 0, len(request.Rows))
	for i, row := range request.Rows {
		literal, err := structLiteral(fields, row.JSON, request.IgnoreUnknownValues, "(", ")", false)
		if err != nil {
			failed(i, "invalid", err.Error())
			continue
		}
		rows, valid = append(rows, literal), append(valid, i)
	}
	if len(faults) > 0 && !request.SkipInvalidRows {
		for _, i := range valid {
			failed(i, "stopped", "")
		}
		return faults, nil
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = "`" + f.Name + "`"
	}
	s.meter.grew(tablePath(ref.ProjectId, ref.DatasetId, ref.TableId))
	into := fmt.Sprintf("INSERT INTO `%s.%s.%s` (%s) VALUES ", ref.ProjectId, ref.DatasetId, ref.TableId, strings.Join(names, ","))
	for start := 0; start < len(rows); start += rowsPerInsert {
		part := rows[start:min(start+rowsPerInsert, len(rows))]
		if _, fault := s.runner.sql(ctx, ref.ProjectId, query{}, into+strings.Join(part, ",")); fault != nil {
			return nil, fault
		}
	}
	return faults, nil
}

// fields reads a table's columns.
func (s *rest) fields(ctx context.Context, ref bigquery.TableReference) ([]*bigquery.TableFieldSchema, *apiError) {
	answer, fault := s.emulator.call(ctx, http.MethodGet, "/"+tablePath(ref.ProjectId, ref.DatasetId, ref.TableId), nil)
	if fault != nil {
		return nil, fault
	}
	var table bigquery.Table
	if answer.code != http.StatusOK || json.Unmarshal(answer.body, &table) != nil || table.Schema == nil {
		return nil, faultOf(answer.code, answer.body, "invalid")
	}
	nameTypes(table.Schema.Fields)
	return table.Schema.Fields, nil
}

// structLiteral writes values in the order of the fields, each followed by its name if named.
func structLiteral(
	fields []*bigquery.TableFieldSchema, values map[string]any, ignoreUnknown bool, left, right string, named bool,
) (string, error) {
	byName := make(map[string]any, len(values))
	for name, value := range values {
		byName[strings.ToLower(name)] = value
	}
	literals := make([]string, len(fields))
	for i, f := range fields {
		value := byName[strings.ToLower(f.Name)]
		delete(byName, strings.ToLower(f.Name))
		literal, err := valueLiteral(f, value, f.Mode == "REPEATED", ignoreUnknown)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
		if literals[i] = literal; named {
			literals[i] += " AS `" + f.Name + "`"
		}
	}
	if !ignoreUnknown {
		for name := range byName {
			return "", fmt.Errorf("no such field: %s", name)
		}
	}
	return left + strings.Join(literals, ",") + right, nil
}

// valueLiteral writes a value of a JSON row in GoogleSQL, by the conversions of BigQuery's JSON format.
func valueLiteral(f *bigquery.TableFieldSchema, value any, list, ignoreUnknown bool) (string, error) {
	if list {
		items, ok := value.([]any)
		if !ok && value != nil {
			return "", errors.New("array specified for non-repeated field, or the reverse")
		}
		literals := make([]string, len(items))
		for i, item := range items {
			literal, err := valueLiteral(f, item, false, ignoreUnknown)
			if err != nil {
				return "", err
			}
			literals[i] = literal
		}
		return "[" + strings.Join(literals, ",") + "]", nil
	}
	if value == nil {
		if f.Mode == "REQUIRED" {
			return "", errors.New("missing required field")
		}
		return "NULL", nil
	}
	if f.Type == "RECORD" {
		values, ok := value.(map[string]any)
		if !ok {
			return "", fmt.Errorf("%v is no record", value)
		}
		return structLiteral(f.Fields, values, ignoreUnknown, "STRUCT(", ")", true)
	}
	if f.Type == "JSON" {
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				return "", err
			}
			text = string(encoded)
		}
		return "PARSE_JSON(" + strconv.Quote(text) + ")", nil
	}
	return scalarLiteral(f.Type, fmt.Sprint(value))
}

// layouts are the forms of the types that have a literal of the same name.
var layouts = map[string][]string{
	"DATE":     {time.DateOnly},
	"TIME":     {"15:04:05.999999"},
	"DATETIME": {"2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999", time.DateOnly},
	"TIMESTAMP": {time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 MST",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly},
}

func scalarLiteral(kind, text string) (string, error) {
	switch kind {
	case "INTEGER":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", fmt.Errorf("cannot convert value to integer: %s", text)
		}
		return strconv.FormatInt(n, 10), nil
	case "FLOAT":
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return "", fmt.Errorf("cannot convert value to a finite number: %s", text)
		}
		return "CAST(" + strconv.FormatFloat(x, 'g', -1, 64) + " AS FLOAT64)", nil
	case "BOOLEAN":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return "", fmt.Errorf("cannot convert value to boolean: %s", text)
		}
		return strconv.FormatBool(b), nil
	case "BYTES":
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			return "", fmt.Errorf("cannot decode base64: %w", err)
		}
		return "FROM_BASE64(" + strconv.Quote(text) + ")", nil
	case "NUMERIC", "BIGNUMERIC":
		return kind + " " + strconv.Quote(text), nil
	case "DATE", "TIME", "DATETIME", "TIMESTAMP":
		return timeLiteral(kind, text)
	}
	return strconv.Quote(text), nil
}

func timeLiteral(kind, text string) (string, error) {
	for _, layout := range layouts[kind] {
		if at, err := time.Parse(layout, text); err == nil {
			if kind == "TIMESTAMP" {
				return fmt.Sprintf("TIMESTAMP_MICROS(%d)", at.UnixMicro()), nil
			}
			return kind + " " + strconv.Quote(text), nil
		}
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && kind == "TIMESTAMP" && math.Abs(seconds) < maxInstant/1e6 {
		return fmt.Sprintf("TIMESTAMP_MICROS(%d)", int64(math.Round(seconds*1e6))), nil
	}
	return "", fmt.Errorf("invalid %s: %s", strings.ToLower(kind), text)
}
