package warehouse

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

// destination is the table that a client wants a query's result in.
type destination struct {
	table         bigquery.TableReference
	create, write string // dispositions
}

// runInto runs a query whose result goes to a table. Hold the gate.
func (s *rest) runInto(ctx context.Context, ref *bigquery.JobReference, q query, to destination) *job {
	name := "`" + to.table.ProjectId + "." + to.table.DatasetId + "." + to.table.TableId + "`"
	existing, fault := s.emulator.call(ctx, http.MethodGet, "/"+tablePath(to.table.ProjectId, to.table.DatasetId, to.table.TableId), nil)
	if fault != nil {
		return failedJob(ref, q, fault)
	}
	var table bigquery.Table
	exists := existing.code == http.StatusOK && json.Unmarshal(existing.body, &table) == nil
	into := q
	switch {
	case !exists && to.create == "CREATE_NEVER":
		return failedJob(ref, q, &apiError{http.StatusNotFound, "notFound", "Not found: Table " + name})
	case !exists || to.write == "WRITE_TRUNCATE":
		into.SQL = "CREATE OR REPLACE TABLE " + name + " AS " + q.SQL
	case to.write == "WRITE_APPEND" || table.NumRows == 0:
		into.SQL = "INSERT INTO " + name + " " + q.SQL
	default:
		return failedJob(ref, q, &apiError{http.StatusConflict, "duplicate", "Already Exists: Table " + name})
	}
	j := s.run(ctx, ref, into)
	config := j.resource.Configuration.Query
	config.Query, config.DestinationTable = q.SQL, &to.table
	config.CreateDisposition, config.WriteDisposition = to.create, to.write
	j.resource.Statistics.Query.StatementType = parseStatement(q.SQL).kind
	j.resource.Statistics.Query.DdlOperationPerformed, j.resource.Statistics.Query.DdlTargetTable = "", nil
	if j.fault != nil {
		return j
	}
	j.stored = name
	shape, fault := s.runner.send(ctx, ref.ProjectId, query{SQL: "SELECT * FROM " + name + " LIMIT 0"}, true)
	if fault == nil {
		j.schema, j.rows = shape.Schema, nil
	}
	return j
}

func failedJob(ref *bigquery.JobReference, q query, fault *apiError) *job {
	j := newJob(ref, q, parseStatement(q.SQL), time.Now())
	j.fault = fault
	j.resource.Status.ErrorResult = fault.proto()
	j.resource.Status.Errors = []*bigquery.ErrorProto{fault.proto()}
	return j
}

// storedResults answers getQueryResults of a job whose result is in a table.
func (s *rest) storedResults(w http.ResponseWriter, r *http.Request, j *job, options pageOptions) {
	if !s.enter(w, r) {
		return
	}
	list, fault := s.tableRows(r.Context(), *j.resource.Configuration.Query.DestinationTable, "", options)
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	page := j.page(pageOptions{}, "bigquery#getQueryResultsResponse")
	page.Rows, page.PageToken, page.TotalRows = list.Rows, list.PageToken, list.TotalRows
	writeJSON(w, http.StatusOK, page)
}

// insertOtherJob answers jobs.insert for jobs that are no queries.
func (s *rest) insertOtherJob(w http.ResponseWriter, r *http.Request, raw json.RawMessage, ref *bigquery.JobReference) {
	var request map[string]any
	if err := json.Unmarshal(raw, &request); err != nil {
		(&apiError{http.StatusBadRequest, "parseError", "reading the job: " + err.Error()}).write(w)
		return
	}
	config, _ := request["configuration"].(map[string]any)
	if config["load"] != nil {
		s.insertLoad(w, r, request, ref, nil)
		return
	}
	(&apiError{http.StatusBadRequest, "invalid",
		"the local warehouse runs queries and load jobs: copy a table with CREATE TABLE ... AS SELECT, and extract one by reading it"}).write(w)
}

// mendLoad fills in what the emulator does not assume of a load job: CSV, and types in upper case.
func mendLoad(job map[string]any) {
	config, _ := job["configuration"].(map[string]any)
	load, ok := config["load"].(map[string]any)
	if !ok {
		return
	}
	if format, _ := load["sourceFormat"].(string); format == "" {
		load["sourceFormat"] = "CSV"
	}
	if schema, ok := load["schema"].(map[string]any); ok {
		mendTypes(schema["fields"])
	}
}
