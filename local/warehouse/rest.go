package warehouse

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// rest is BigQuery's REST API. It answers for query jobs and their results itself, and passes the rest to the
// emulator, one request at a time, with requests and answers corrected where the emulator is wrong.
type rest struct {
	emulator *emulator
	gate     *gate
	tables   *tables
	runner   runner
	jobs     *jobs
	uploads  uploads
	objects  objects
	meter    *meter
	metered  func(Metered) // takes what each query was billed by, or nil
	url      string        // the gateway's address
	log      *slog.Logger
	before   func(ctx context.Context, statement string) error // nil for nothing to do
}

func newREST(cfg Config, e *emulator, g *gate, t *tables, url string) *rest {
	return &rest{
		emulator: e, gate: g, tables: t, runner: runner{emulator: e, tables: t}, jobs: newJobs(),
		uploads: uploads{byID: map[string]*upload{}}, objects: objects{address: cfg.Storage}, meter: t.meter, metered: cfg.Metered, url: url, log: cfg.Log,
		before: cfg.Before,
	}
}

func (s *rest) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /projects/{project}/queries", s.query)
	mux.HandleFunc("GET /projects/{project}/queries/{job}", s.getQueryResults)
	mux.HandleFunc("POST /projects/{project}/jobs", s.insertJob)
	mux.HandleFunc("GET /projects/{project}/jobs", s.listJobs)
	mux.HandleFunc("GET /projects/{project}/jobs/{job}", s.getJob)
	mux.HandleFunc("POST /projects/{project}/jobs/{job}/cancel", s.cancelJob)
	mux.HandleFunc("DELETE /projects/{project}/jobs/{job}/delete", s.deleteJob)
	mux.HandleFunc("GET /projects/{project}/datasets", s.listDatasets)
	mux.HandleFunc("GET /projects/{project}/datasets/{dataset}/routines", s.listRoutines)
	mux.HandleFunc("GET /projects/{project}/datasets/{dataset}/tables/{table}", s.getTable)
	mux.HandleFunc("GET /projects/{project}/datasets/{dataset}/tables/{table}/data", s.listRows)
	mux.HandleFunc("POST /projects/{project}/datasets/{dataset}/tables/{table}/insertAll", s.insertAll)
	mux.HandleFunc("POST /projects/{project}/datasets/{dataset}/tables", s.createTable)
	mux.HandleFunc("PATCH /projects/{project}/datasets/{dataset}/tables/{table}", s.changeTable)
	mux.HandleFunc("PUT /projects/{project}/datasets/{dataset}/tables/{table}", s.changeTable)
	mux.HandleFunc("POST /upload/bigquery/v2/projects/{project}/jobs", s.upload)
	mux.HandleFunc("PUT /upload/bigquery/v2/projects/{project}/jobs", s.continueUpload)
	mux.HandleFunc("/", s.pass)
	return prepare(mux)
}

// prepare undoes what clients may do to any request: tunnel a method, compress the body, add the API's base path.
func prepare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if override := r.Header.Get("X-HTTP-Method-Override"); override != "" && r.Method == http.MethodPost {
			r.Method = strings.ToUpper(override)
			r.Header.Del("X-HTTP-Method-Override")
		}
		body, err := readBody(r)
		if err != nil {
			(&apiError{http.StatusBadRequest, "invalid", "reading the request: " + err.Error()}).write(w)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/bigquery/v2")
		r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, "/bigquery/v2")
		next.ServeHTTP(w, r)
	})
}

// readBody reads the whole body before the gate is entered, so that a slow client keeps nobody waiting.
func readBody(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	r.Header.Del("Content-Encoding")
	unzipped, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(unzipped)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // some clients flush and do not close; an incomplete body is not valid JSON either
	}
	return body, err
}

// decode reads a JSON body, or answers the request with the fault.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		(&apiError{http.StatusBadRequest, "parseError", "reading the request: " + err.Error()}).write(w)
		return false
	}
	return true
}

// enter waits at the gate, or answers the request: the client is gone or the warehouse closes.
func (s *rest) enter(w http.ResponseWriter, r *http.Request) bool {
	if err := s.gate.enter(r.Context(), statements); err != nil {
		(&apiError{http.StatusServiceUnavailable, "backendError", "the local warehouse is closing"}).write(w)
		return false
	}
	return true
}

// pass forwards a request and its answer.
func (s *rest) pass(w http.ResponseWriter, r *http.Request) {
	if known, ok := s.emulator.catalog.find(r.URL.RequestURI()); ok && r.Method == http.MethodGet {
		s.reply(w, known)
		return
	}
	if !s.enter(w, r) {
		return
	}
	answer, fault := s.emulator.forward(r)
	if r.Method != http.MethodGet {
		s.tables.forget(strings.TrimPrefix(r.URL.Path, "/"))
		s.gate.collect()
	}
	s.gate.leave()
	if fault != nil {
		fault.write(w)
		return
	}
	s.reply(w, answer)
}

// reply answers with what the emulator answered.
func (s *rest) reply(w http.ResponseWriter, answer answer) {
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.code)
	if _, err := w.Write(answer.body); err != nil {
		s.log.Debug("answering a request failed", "error", err)
	}
}

// listRoutines answers that there are none: the emulator fails (500).
func (s *rest) listRoutines(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"routines": []any{}})
}

// detached lets a request of the gateway's own run to its end, whatever becomes of the client.
func detached(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }
