package warehouse

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
)

const defaultLocation = "US"

// query answers jobs.query: it runs a query and returns the first page of its result.
func (s *rest) query(w http.ResponseWriter, r *http.Request) {
	var request struct {
		query
		Location      string                     `json:"location"`
		MaxResults    *int64                     `json:"maxResults"`
		FormatOptions bigquery.DataFormatOptions `json:"formatOptions"`
	}
	if !decode(w, r, &request) || !s.ready(w, r, request.SQL) || !s.enter(w, r) {
		return
	}
	ref := &bigquery.JobReference{ProjectId: r.PathValue("project"), JobId: newJobID(), Location: request.Location}
	j := s.run(r.Context(), ref, request.query)
	s.gate.leave()
	if j.fault != nil {
		j.fault.write(w)
		return
	}
	if !request.DryRun {
		s.jobs.add(j)
	}
	page := pageOptions{maxRows: request.MaxResults, int64Timestamps: request.FormatOptions.UseInt64Timestamp}
	writeJSON(w, http.StatusOK, j.page(page, "bigquery#queryResponse"))
}

// run runs a query to its end and makes a job of it. Hold the gate.
func (s *rest) run(ctx context.Context, ref *bigquery.JobReference, q query) *job {
	if ref.Location == "" {
		ref.Location = defaultLocation
	}
	bound, fault := bind(q)
	if fault != nil {
		return failedJob(ref, q, fault)
	}
	outline := parseStatement(bound.SQL)
	started := time.Now()
	metered := s.meter.metered(ctx, ref.ProjectId, bound, outline)
	if fault := metered.limit(q.MaximumBytes.String()); fault != nil && !q.DryRun {
		return failedJob(ref, q, fault)
	}
	result, fault := s.runner.run(ctx, ref.ProjectId, bound, outline)
	j := newJob(ref, q, outline, started)
	if !q.DryRun {
		s.meter.changed(ref.ProjectId, bound, outline)
	}
	if j.fault = fault; fault != nil {
		j.resource.Status.ErrorResult = fault.proto()
		j.resource.Status.Errors = []*bigquery.ErrorProto{fault.proto()}
		return j
	}
	j.schema, j.rows = result.Schema, result.Rows
	for _, row := range j.rows {
		j.bytes += len(row)
	}
	s.describe(j, q, outline, result.changes)
	s.account(j, q, metered)
	return j
}

// newJob is the job of a query that has just ended, without its result.
func newJob(ref *bigquery.JobReference, q query, outline statement, started time.Time) *job {
	ended := time.Now()
	return &job{resource: &bigquery.Job{
		Kind:         "bigquery#job",
		Id:           ref.ProjectId + ":" + ref.Location + "." + ref.JobId,
		JobReference: ref,
		Configuration: &bigquery.JobConfiguration{
			JobType: "QUERY",
			DryRun:  q.DryRun,
			Query: &bigquery.JobConfigurationQuery{
				Query: q.SQL, DefaultDataset: q.DefaultDataset, ParameterMode: q.ParameterMode, Priority: "INTERACTIVE",
				UseLegacySql: new(bool),
			},
		},
		Status: &bigquery.JobStatus{State: "DONE"},
		Statistics: &bigquery.JobStatistics{
			CreationTime: started.UnixMilli(), StartTime: started.UnixMilli(), EndTime: ended.UnixMilli(),
			TotalSlotMs:     ended.Sub(started).Milliseconds(),
			Query:           &bigquery.JobStatistics2{StatementType: outline.kind, ForceSendFields: []string{"TotalBytesProcessed", "TotalBytesBilled", "CacheHit"}},
			ForceSendFields: []string{"TotalBytesProcessed"},
		},
	}}
}

// account writes what a query was billed by into its job, and tells the meter. A dry run is not billed.
func (s *rest) account(j *job, q query, m Metered) {
	stats := j.resource.Statistics
	stats.TotalBytesProcessed, stats.Query.TotalBytesProcessed = m.Processed, m.Processed
	for _, t := range m.Tables {
		if part := strings.Split(t.Table, "."); len(part) == 3 {
			stats.Query.ReferencedTables = append(stats.Query.ReferencedTables,
				&bigquery.TableReference{ProjectId: part[0], DatasetId: part[1], TableId: part[2]})
		}
	}
	if q.DryRun {
		return
	}
	stats.Query.TotalBytesBilled, m.Labels = m.Billed, q.Labels
	if s.metered != nil {
		s.metered(m)
	}
}

// describe completes a successful job: where its result is and what it did. A SELECT's result has the name of a
// table that only the gateway knows.
func (s *rest) describe(j *job, q query, outline statement, changes map[string]Changes) {
	stats, config := j.resource.Statistics.Query, j.resource.Configuration.Query
	if q.DryRun {
		stats.Schema = j.schema
	}
	if outline.kind == "SELECT" || outline.kind == "SCRIPT" {
		config.DestinationTable = resultTable(j.resource.JobReference)
		return
	}
	ref, ok := locate(j.resource.JobReference.ProjectId, q, outline.path)
	if !ok {
		return
	}
	if !strings.HasPrefix(outline.kind, "DROP_") {
		config.DestinationTable = &ref
	}
	if outline.changesRows() && !q.DryRun {
		countChanges(stats, changes[storedName(ref)])
	}
	if !outline.ddl() {
		return
	}
	stats.DdlTargetTable = &ref
	switch {
	case outline.replace:
		stats.DdlOperationPerformed = "REPLACE"
	case strings.HasPrefix(outline.kind, "DROP_"):
		stats.DdlOperationPerformed = "DROP"
	case strings.HasPrefix(outline.kind, "CREATE_"):
		stats.DdlOperationPerformed = "CREATE"
	}
}

// insertJob answers jobs.insert. The job has ended when the answer is sent: a query's result is read with
// jobs.getQueryResults, and a statement that failed is a job with an error, as in BigQuery.
func (s *rest) insertJob(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if !decode(w, r, &raw) {
		return
	}
	var request struct {
		JobReference  *bigquery.JobReference `json:"jobReference"`
		Configuration struct {
			DryRun bool              `json:"dryRun"`
			Labels map[string]string `json:"labels"`
			Query  *struct {
				query
				Destination *bigquery.TableReference `json:"destinationTable"`
				Create      string                   `json:"createDisposition"`
				Write       string                   `json:"writeDisposition"`
			} `json:"query"`
		} `json:"configuration"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		(&apiError{http.StatusBadRequest, "parseError", "reading the job: " + err.Error()}).write(w)
		return
	}
	ref := reference(request.JobReference, r.PathValue("project"))
	duplicate := &apiError{http.StatusConflict, "duplicate", "Already Exists: Job " + ref.ProjectId + ":" + ref.Location + "." + ref.JobId}
	if s.jobs.find(ref.JobId) != nil {
		duplicate.write(w)
		return
	}
	config := request.Configuration.Query
	if config == nil {
		s.insertOtherJob(w, r, raw, ref)
		return
	}
	if !s.ready(w, r, config.SQL) || !s.enter(w, r) {
		return
	}
	if s.jobs.find(ref.JobId) != nil { // it ran while this one waited
		s.gate.leave()
		duplicate.write(w)
		return
	}
	config.DryRun, config.Labels = request.Configuration.DryRun, request.Configuration.Labels
	var j *job
	if config.Destination != nil && !config.DryRun {
		j = s.runInto(r.Context(), ref, config.query, destination{*config.Destination, config.Create, config.Write})
	} else {
		j = s.run(r.Context(), ref, config.query)
	}
	j.resource.Configuration.Labels = request.Configuration.Labels
	if !config.DryRun {
		s.jobs.add(j)
	}
	s.gate.leave()
	if config.DryRun && j.fault != nil {
		j.fault.write(w)
		return
	}
	writeJSON(w, http.StatusOK, j.resource)
}

func reference(ref *bigquery.JobReference, project string) *bigquery.JobReference {
	if ref == nil {
		ref = &bigquery.JobReference{}
	}
	if ref.ProjectId == "" {
		ref.ProjectId = project
	}
	if ref.JobId == "" {
		ref.JobId = newJobID()
	}
	if ref.Location == "" {
		ref.Location = defaultLocation
	}
	return ref
}
