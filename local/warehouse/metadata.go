package warehouse

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// resultDataset holds, in name only, the results of SELECT jobs: clients ask for the table that a job names as its
// destination. As in BigQuery's hidden dataset, tables that a client loads may be in it, too.
const resultDataset = "_results"

func resultTable(ref *bigquery.JobReference) *bigquery.TableReference {
	return &bigquery.TableReference{ProjectId: ref.ProjectId, DatasetId: resultDataset, TableId: ref.JobId}
}

// changeTable answers tables.patch and update.
func (s *rest) changeTable(w http.ResponseWriter, r *http.Request) {
	var table map[string]any
	if !decode(w, r, &table) {
		return
	}
	if schema, ok := table["schema"].(map[string]any); ok {
		renamed(schema["fields"], apiNames)
	}
	body, err := json.Marshal(table)
	if err != nil {
		(&apiError{http.StatusBadRequest, "invalid", err.Error()}).write(w)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if !s.enter(w, r) {
		return
	}
	answer, fault := s.emulator.forward(r)
	s.tables.forget(strings.TrimPrefix(r.URL.Path, "/"))
	if fault == nil {
		s.emulator.catalog.keep(r.URL.Path, answer)
	}
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	s.replyTable(w, answer.body)
}

// createTable answers tables.insert: it makes a table or a view by a statement, which knows required columns and says
// what a view may read. What no statement makes goes to the emulator as it is.
func (s *rest) createTable(w http.ResponseWriter, r *http.Request) {
	var table bigquery.Table
	if !decode(w, r, &table) {
		return
	}
	if table.TableReference == nil {
		table.TableReference = &bigquery.TableReference{}
	}
	ref := table.TableReference
	ref.ProjectId, ref.DatasetId = r.PathValue("project"), r.PathValue("dataset")
	ddl, fault := ddlOf(&table)
	if fault != nil {
		fault.write(w)
		return
	}
	if !s.enter(w, r) {
		return
	}
	result, fault := s.runner.send(detached(r), ref.ProjectId, query{SQL: ddl, made: &Made{Table: table}}, false)
	s.tables.forget(tablePath(ref.ProjectId, ref.DatasetId, ref.TableId))
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	for _, made := range result.Made {
		s.replyTable(w, made)
	}
}

// mendTypes writes FLOAT64 for FLOAT, of which the emulator makes a 32-bit column that DML cannot fill, and all types
// in upper case.
func mendTypes(fields any) { renamed(fields, map[string]string{"FLOAT": "FLOAT64"}) }

// renamed gives types of a schema other names.
func renamed(fields any, names map[string]string) {
	list, _ := fields.([]any)
	for _, item := range list {
		field, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if name, ok := field["type"].(string); ok {
			name = strings.ToUpper(name)
			field["type"] = cmp.Or(names[name], name)
		}
		renamed(field["fields"], names)
	}
}

// apiNames are the names that the API uses, by those that it takes, too.
var apiNames = map[string]string{"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}

// replyTable answers with a table, the types of its columns by the names that the API uses.
func (s *rest) replyTable(w http.ResponseWriter, body []byte) {
	var table bigquery.Table
	if err := json.Unmarshal(body, &table); err != nil {
		(&apiError{http.StatusBadRequest, "invalid", "reading the emulator's answer: " + err.Error()}).write(w)
		return
	}
	if table.Schema != nil {
		nameTypes(table.Schema.Fields)
	}
	if table.Location == "" {
		table.Location = defaultLocation
	}
	table.CreationTime = inMillis(table.CreationTime)
	if ref := table.TableReference; ref != nil {
		modified := s.emulator.catalog.modified(tablePath(ref.ProjectId, ref.DatasetId, ref.TableId), time.UnixMilli(table.CreationTime))
		table.LastModifiedTime = uint64(modified.UnixMilli())
	}
	table.ForceSendFields = []string{"NumRows"}
	if table.View != nil {
		table.View.ForceSendFields = []string{"UseLegacySql"}
	}
	if by := table.RangePartitioning; by != nil && by.Range != nil {
		by.Range.ForceSendFields = []string{"Start"}
	}
	writeJSON(w, http.StatusOK, &table)
}

// inMillis mends the emulator's times, which are in seconds where the API has milliseconds.
func inMillis(t int64) int64 {
	if t < 1e11 {
		return t * 1000
	}
	return t
}

func nameTypes(fields []*bigquery.TableFieldSchema) {
	for _, f := range fields {
		f.Type = cmp.Or(apiNames[f.Type], f.Type)
		nameTypes(f.Fields)
	}
}

// resultOf is the job whose result a table is, or nil.
func (s *rest) resultOf(dataset, table string) *job {
	if dataset != resultDataset {
		return nil
	}
	return s.jobs.find(table)
}

// makeResultDataset makes the hidden dataset, in which a client loads a table. Hold the gate.
func (s *rest) makeResultDataset(ctx context.Context, project string) *apiError {
	answer, fault := s.emulator.call(ctx, http.MethodPost, "/projects/"+project+"/datasets", bigquery.Dataset{
		DatasetReference: &bigquery.DatasetReference{ProjectId: project, DatasetId: resultDataset},
	})
	if fault != nil || answer.code == http.StatusOK {
		return fault
	}
	if fault = faultOf(answer.code, answer.body, "invalid"); fault.code == http.StatusConflict {
		return nil // it is there
	}
	return fault
}

// listDatasets answers datasets.list, without the hidden one.
func (s *rest) listDatasets(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r) {
		return
	}
	answer, fault := s.emulator.forward(r)
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	var list bigquery.DatasetList
	if json.Unmarshal(answer.body, &list) == nil {
		list.Datasets = slices.DeleteFunc(list.Datasets, func(d *bigquery.DatasetListDatasets) bool {
			return d.DatasetReference != nil && d.DatasetReference.DatasetId == resultDataset
		})
		writeJSON(w, http.StatusOK, &list)
		return
	}
	s.reply(w, answer)
}

// getTable answers tables.get, for the result of a job too.
func (s *rest) getTable(w http.ResponseWriter, r *http.Request) {
	if j := s.resultOf(r.PathValue("dataset"), r.PathValue("table")); j != nil {
		writeJSON(w, http.StatusOK, &bigquery.Table{
			Kind: "bigquery#table", Type: "TABLE", Location: defaultLocation, TableReference: resultTable(j.resource.JobReference),
			Schema: j.schema, NumRows: uint64(len(j.rows)), NumBytes: int64(j.bytes), ForceSendFields: []string{"NumRows", "NumBytes"},
		})
		return
	}
	if known, ok := s.emulator.catalog.find(r.URL.RequestURI()); ok {
		s.replyTable(w, known.body)
		return
	}
	if !s.enter(w, r) {
		return
	}
	answer, fault := s.emulator.forward(r)
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	s.replyTable(w, answer.body)
}

// rowList is the answer to tabledata.list.
type rowList struct {
	Kind      string            `json:"kind"`
	TotalRows string            `json:"totalRows"`
	PageToken string            `json:"pageToken,omitempty"`
	Rows      []json.RawMessage `json:"rows,omitempty"`
}

// rowsPerPage bounds a page of tabledata.list: the emulator alone would send the whole table.
const rowsPerPage = 10_000

// listRows answers tabledata.list, a page at a time.
func (s *rest) listRows(w http.ResponseWriter, r *http.Request) {
	options, fault := pageOf(r.URL.Query())
	if fault != nil {
		fault.write(w)
		return
	}
	if j := s.resultOf(r.PathValue("dataset"), r.PathValue("table")); j != nil {
		page := j.page(options, "")
		writeJSON(w, http.StatusOK, &rowList{"bigquery#tableDataList", page.TotalRows, page.PageToken, page.Rows})
		return
	}
	ref := bigquery.TableReference{ProjectId: r.PathValue("project"), DatasetId: r.PathValue("dataset"), TableId: r.PathValue("table")}
	if !s.enter(w, r) {
		return
	}
	list, fault := s.tableRows(r.Context(), ref, r.URL.Query().Get("selectedFields"), options)
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	list.Kind = "bigquery#tableDataList"
	writeJSON(w, http.StatusOK, list)
}

// tableRows reads a page of a table, in the order in which rows were written. Hold the gate.
func (s *rest) tableRows(
	ctx context.Context, ref bigquery.TableReference, fields string, options pageOptions,
) (*rowList, *apiError) {
	name := fmt.Sprintf("`%s.%s.%s`", ref.ProjectId, ref.DatasetId, ref.TableId)
	columns := "*"
	if fields != "" {
		columns = "`" + strings.ReplaceAll(fields, ",", "`,`") + "`"
	}
	limit := int64(rowsPerPage)
	if options.maxRows != nil {
		limit = min(limit, *options.maxRows)
	}
	counted, fault := s.runner.send(ctx, ref.ProjectId, query{SQL: "SELECT COUNT(*) FROM " + name}, true)
	if fault != nil {
		return nil, fault
	}
	var count struct {
		F []struct {
			V string `json:"v"`
		} `json:"f"`
	}
	if err := json.Unmarshal(counted.Rows[0], &count); err != nil {
		return nil, &apiError{http.StatusBadRequest, "invalid", "counting rows: " + err.Error()}
	}
	list := &rowList{TotalRows: count.F[0].V}
	result, fault := s.runner.send(ctx, ref.ProjectId,
		query{SQL: fmt.Sprintf("SELECT %s FROM %s LIMIT %d OFFSET %d", columns, name, limit, options.start)}, true)
	if fault != nil {
		return nil, fault
	}
	rows, _ := slicePage(result.Rows, pageOptions{})
	if next := options.start + len(rows); strconv.Itoa(next) != list.TotalRows && len(rows) > 0 {
		list.PageToken = strconv.Itoa(next)
	}
	list.Rows = rows
	if !options.int64Timestamps {
		list.Rows = floatTimestamps(result.Schema, rows)
	}
	return list, nil
}
