package warehouse

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"

	bigquery "google.golang.org/api/bigquery/v2"
)

// uploads are resumable uploads in progress: the emulator takes every chunk for a whole file, and tells clients to go
// on at an address where nobody listens. One that is never finished is kept until the warehouse closes.
type uploads struct {
	mu   sync.Mutex
	byID map[string]*upload
}

type upload struct {
	mu      sync.Mutex
	job     map[string]any
	content []byte
}

// upload answers jobs.insert with content: all of it in one request, or the beginning of a resumable upload.
func (s *rest) upload(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("uploadType") != "resumable" {
		job, content, err := readMultipart(r)
		if err != nil {
			(&apiError{http.StatusBadRequest, "invalid", "reading the upload: " + err.Error()}).write(w)
			return
		}
		s.load(w, r, job, content)
		return
	}
	var job map[string]any
	if !decode(w, r, &job) {
		return
	}
	id := newJobID()
	s.uploads.mu.Lock()
	s.uploads.byID[id] = &upload{job: job}
	s.uploads.mu.Unlock()
	w.Header().Set("Location", fmt.Sprintf("%s/upload/bigquery/v2/projects/%s/jobs?uploadType=resumable&upload_id=%s",
		s.url, r.PathValue("project"), id))
	w.WriteHeader(http.StatusOK)
}

// continueUpload takes a chunk of a resumable upload, and runs the job after the last one.
func (s *rest) continueUpload(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("upload_id")
	s.uploads.mu.Lock()
	u := s.uploads.byID[id]
	s.uploads.mu.Unlock()
	if u == nil {
		(&apiError{http.StatusNotFound, "notFound", "Not found: upload " + id}).write(w)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var first, last, total int
	contentRange := r.Header.Get("Content-Range")
	switch n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &total); {
	case contentRange == "": // everything
	case n < 2 && !strings.HasPrefix(contentRange, "bytes */"), first > len(u.content):
		(&apiError{http.StatusBadRequest, "invalid", "Invalid Content-Range: " + contentRange}).write(w)
		return
	default:
		u.content = u.content[:first] // a chunk that is sent again replaces what it overlaps
	}
	chunk, err := io.ReadAll(r.Body)
	if err != nil {
		(&apiError{http.StatusBadRequest, "invalid", "reading the upload: " + err.Error()}).write(w)
		return
	}
	u.content = append(u.content, chunk...)
	if strings.HasSuffix(contentRange, "/*") || total > len(u.content) {
		if len(u.content) > 0 {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(u.content)-1))
		}
		w.WriteHeader(http.StatusPermanentRedirect) // 308, here: go on
		return
	}
	s.uploads.mu.Lock()
	delete(s.uploads.byID, id)
	s.uploads.mu.Unlock()
	s.load(w, r, u.job, u.content)
}

// readMultipart reads the job and the content of an upload in one request.
func readMultipart(r *http.Request) (job map[string]any, content []byte, err error) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, err
	}
	parts := multipart.NewReader(r.Body, parameters["boundary"])
	part, err := parts.NextPart()
	if err != nil {
		return nil, nil, err
	}
	if err := json.NewDecoder(part).Decode(&job); err != nil {
		return nil, nil, err
	}
	if part, err = parts.NextPart(); err != nil {
		return nil, nil, err
	}
	content, err = io.ReadAll(part)
	return job, content, err
}

// load runs a load job with its content.
func (s *rest) load(w http.ResponseWriter, r *http.Request, job map[string]any, content []byte) {
	var wanted struct {
		JobReference  *bigquery.JobReference `json:"jobReference"`
		Configuration struct {
			Load *bigquery.JobConfigurationLoad `json:"load"`
		} `json:"configuration"`
	}
	asSent(job)
	if err := convert(job, &wanted); err != nil || wanted.Configuration.Load == nil {
		(&apiError{http.StatusBadRequest, "invalid", "the upload's job has no configuration.load"}).write(w)
		return
	}
	s.insertLoad(w, r, job, reference(wanted.JobReference, r.PathValue("project")), [][]byte{content})
}

// asSent makes numbers of those that the Python client sends as texts, and the
// API's words of types in SQL: BigQuery takes both.
func asSent(job map[string]any) {
	config, _ := job["configuration"].(map[string]any)
	load, _ := config["load"].(map[string]any)
	for _, field := range []string{"skipLeadingRows", "maxBadRecords"} {
		if text, ok := load[field].(string); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				load[field] = n
			}
		}
	}
	schema, _ := load["schema"].(map[string]any)
	apiTypes(schema)
}

var apiType = map[string]string{"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}

// apiTypes gives the fields of a schema, or of a record, the API's types.
func apiTypes(of map[string]any) {
	fields, _ := of["fields"].([]any)
	for _, one := range fields {
		field, _ := one.(map[string]any)
		if kind, ok := field["type"].(string); ok {
			field["type"] = cmp.Or(apiType[strings.ToUpper(kind)], strings.ToUpper(kind))
		}
		apiTypes(field)
	}
}

func convert(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

func writeMultipart(job map[string]any, content []byte) (body []byte, boundary string, err error) {
	description, err := json.Marshal(job)
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	parts := multipart.NewWriter(&out)
	for _, part := range [][]byte{description, content} {
		p, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}})
		if err != nil {
			return nil, "", err
		}
		if _, err := p.Write(part); err != nil {
			return nil, "", err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, "", err
	}
	return out.Bytes(), parts.Boundary(), nil
}

// mendCSV leaves exactly one line before the data: the emulator always takes the first for the names of columns.
func mendCSV(content []byte, skip int) []byte {
	for ; skip > 1; skip-- {
		_, rest, found := bytes.Cut(content, []byte("\n"))
		if !found {
			return nil
		}
		content = rest
	}
	if skip == 1 {
		return content
	}
	first, err := csv.NewReader(bytes.NewReader(content)).Read()
	if err != nil && !errors.Is(err, csv.ErrFieldCount) {
		return content
	}
	return append([]byte(strings.Repeat(",", len(first)-1)+"-\n"), content...)
}
