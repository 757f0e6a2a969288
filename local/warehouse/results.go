package warehouse

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	bigquery "google.golang.org/api/bigquery/v2"
)

// maxPageBytes bounds a page of rows, as BigQuery does: the client asks for the next one.
const maxPageBytes = 10 << 20

// pageOptions say which rows of a result a client wants, and how.
type pageOptions struct {
	start           int
	maxRows         *int64
	int64Timestamps bool
}

// pageOf reads the options of a GET request. A page token is the index of the next row.
func pageOf(values url.Values) (pageOptions, *apiError) {
	micros, _ := strconv.ParseBool(values.Get("formatOptions.useInt64Timestamp")) // "true" or, from Python, "True"
	options := pageOptions{int64Timestamps: micros}
	for _, name := range []string{"startIndex", "pageToken", "maxResults"} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return options, &apiError{http.StatusBadRequest, "invalid", "Invalid value for " + name + ": " + text}
		}
		if name == "maxResults" {
			options.maxRows = &n
		} else {
			options.start = int(n)
		}
	}
	return options, nil
}

// resultPage is the answer to jobs.query and jobs.getQueryResults.
type resultPage struct {
	Kind                string                 `json:"kind"`
	Schema              *bigquery.TableSchema  `json:"schema,omitempty"`
	JobReference        *bigquery.JobReference `json:"jobReference"`
	TotalRows           string                 `json:"totalRows"`
	PageToken           string                 `json:"pageToken,omitempty"`
	Rows                []json.RawMessage      `json:"rows,omitempty"`
	TotalBytesProcessed string                 `json:"totalBytesProcessed"`
	JobComplete         bool                   `json:"jobComplete"`
	CacheHit            bool                   `json:"cacheHit"`
	StatementType       string                 `json:"statementType,omitempty"`
	Location            string                 `json:"location,omitempty"`

	// Of DML only.
	ChangedRows string                  `json:"numDmlAffectedRows,omitempty"`
	Changes     *bigquery.DmlStatistics `json:"dmlStats,omitempty"`
}

func (j *job) page(options pageOptions, kind string) *resultPage {
	rows, token := slicePage(j.rows, options)
	if !options.int64Timestamps {
		rows = floatTimestamps(j.schema, rows)
	}
	p := &resultPage{
		Kind: kind, Schema: j.schema, JobReference: j.resource.JobReference, Rows: rows, PageToken: token,
		TotalRows: strconv.Itoa(len(j.rows)), TotalBytesProcessed: "0", JobComplete: true,
		Location: j.resource.JobReference.Location,
	}
	if j.resource.Statistics != nil && j.resource.Statistics.Query != nil {
		p.StatementType = j.resource.Statistics.Query.StatementType
		p.TotalBytesProcessed = strconv.FormatInt(j.resource.Statistics.Query.TotalBytesProcessed, 10)
		if changes := j.resource.Statistics.Query.DmlStats; changes != nil {
			p.ChangedRows = strconv.FormatInt(j.resource.Statistics.Query.NumDmlAffectedRows, 10)
		}
	}
	return p
}

// slicePage cuts a page out of rows and returns the token of the next one.
func slicePage(rows []json.RawMessage, options pageOptions) ([]json.RawMessage, string) {
	start := min(options.start, len(rows))
	end, size := start, 0
	for end < len(rows) && (options.maxRows == nil || int64(end-start) < *options.maxRows) {
		if size += len(rows[end]); size > maxPageBytes && end > start {
			break
		}
		end++
	}
	if end == len(rows) {
		return rows[start:end], ""
	}
	return rows[start:end], strconv.Itoa(end)
}

// getQueryResults answers jobs.getQueryResults.
func (s *rest) getQueryResults(w http.ResponseWriter, r *http.Request) {
	options, fault := pageOf(r.URL.Query())
	if fault != nil {
		fault.write(w)
		return
	}
	j := s.jobs.find(r.PathValue("job"))
	switch {
	case j == nil:
		jobNotFound(r).write(w)
	case j.fault != nil:
		j.fault.write(w)
	case j.stored != "":
		s.storedResults(w, r, j, options)
	default:
		writeJSON(w, http.StatusOK, j.page(options, "bigquery#getQueryResultsResponse"))
	}
}

func jobNotFound(r *http.Request) *apiError {
	return &apiError{http.StatusNotFound, "notFound",
		"Not found: Job " + r.PathValue("project") + ":" + r.PathValue("job") + " (the local warehouse remembers the last jobs only)"}
}

// getJob answers jobs.get.
func (s *rest) getJob(w http.ResponseWriter, r *http.Request) {
	if j := s.jobs.find(r.PathValue("job")); j != nil {
		writeJSON(w, http.StatusOK, j.resource)
		return
	}
	jobNotFound(r).write(w)
}

// cancelJob answers jobs.cancel: too late, always.
func (s *rest) cancelJob(w http.ResponseWriter, r *http.Request) {
	if j := s.jobs.find(r.PathValue("job")); j != nil {
		writeJSON(w, http.StatusOK, bigquery.JobCancelResponse{Kind: "bigquery#jobCancelResponse", Job: j.resource})
		return
	}
	jobNotFound(r).write(w)
}

// deleteJob answers jobs.delete.
func (s *rest) deleteJob(w http.ResponseWriter, r *http.Request) {
	if !s.jobs.delete(r.PathValue("job")) {
		jobNotFound(r).write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// listJobs answers jobs.list, newest first.
func (s *rest) listJobs(w http.ResponseWriter, r *http.Request) {
	options, fault := pageOf(r.URL.Query())
	if fault != nil {
		fault.write(w)
		return
	}
	all := s.jobs.newest()
	list := bigquery.JobList{Kind: "bigquery#jobList", Jobs: []*bigquery.JobListJobs{}}
	for i := options.start; i < len(all); i++ {
		if options.maxRows != nil && int64(len(list.Jobs)) == *options.maxRows {
			list.NextPageToken = strconv.Itoa(i)
			break
		}
		j := all[i].resource
		list.Jobs = append(list.Jobs, &bigquery.JobListJobs{
			Kind: j.Kind, Id: j.Id, JobReference: j.JobReference, Configuration: j.Configuration,
			Statistics: j.Statistics, Status: j.Status, State: "DONE", ErrorResult: j.Status.ErrorResult,
		})
	}
	writeJSON(w, http.StatusOK, list)
}
