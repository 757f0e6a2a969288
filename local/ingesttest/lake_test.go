package ingesttest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/stationflow/stationflow/local/objects"
)

const bucket = "lake"

// A fakeLake is a Cloud Storage server with one bucket; before may answer a
// request in its place.
type fakeLake struct {
	server *fakestorage.Server
	url    string

	mu      sync.Mutex
	uploads int
	before  func(r *http.Request) outcome
}

// An outcome is what becomes of a request. The zero outcome serves it.
type outcome struct {
	status int             // answered in place of the server's answer, when it is not 0
	page   bool            // as HTML, as proxies do
	json   string          // as JSON, with this
	serve  bool            // whether the server does what it is asked before that
	hang   <-chan struct{} // answers only when it is closed
}

func startLake(t *testing.T) *fakeLake {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	l := &fakeLake{server: server}
	front := httptest.NewServer(objects.Mend(l)) // which reads each upload first: an end of the connection is noticed then
	t.Cleanup(front.Close)
	l.url = front.URL
	return l
}

func (l *fakeLake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	before := l.before
	if isUpload(r) {
		l.uploads++
	}
	l.mu.Unlock()
	var o outcome
	if before != nil {
		o = before(r)
	}
	if o.hang != nil {
		select {
		case <-o.hang:
		case <-r.Context().Done():
			return
		}
	}
	if o.status == 0 {
		l.server.HTTPHandler().ServeHTTP(w, r)
		return
	}
	if o.serve {
		l.server.HTTPHandler().ServeHTTP(httptest.NewRecorder(), r)
	}
	if o.page {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(o.status)
		io.WriteString(w, "<html><title>no</title></html>")
		return
	}
	if o.json != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(o.status)
		io.WriteString(w, o.json)
		return
	}
	http.Error(w, "as the test wants", o.status)
}

func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/upload/")
}

func (l *fakeLake) decide(before func(r *http.Request) outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = before
}

// firstUpload gives the outcome to the first upload only.
func firstUpload(o outcome) func(*http.Request) outcome {
	var mu sync.Mutex
	done := false
	return func(r *http.Request) outcome {
		mu.Lock()
		defer mu.Unlock()
		if done || !isUpload(r) {
			return outcome{}
		}
		done = true
		return o
	}
}

// objects returns the names under the prefix, in order.
func (l *fakeLake) objects(t *testing.T, prefix string) []string {
	t.Helper()
	listed, _, err := l.server.ListObjects(bucket, prefix, "", false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range listed {
		names = append(names, o.Name)
	}
	sort.Strings(names)
	return names
}

func (l *fakeLake) read(t *testing.T, name string) []byte {
	t.Helper()
	o, err := l.server.GetObject(bucket, name)
	if err != nil {
		t.Fatal(err)
	}
	return o.Content
}

// readParquet reads a file with a library other than the one that wrote it.
// Timestamps come as microseconds, strings as strings.
func readParquet(t *testing.T, data []byte) (*arrow.Schema, []row) {
	t.Helper()
	reader, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	arrows, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := arrows.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	rows := make([]row, table.NumRows())
	for i := range rows {
		rows[i] = make(row)
	}
	for c := range int(table.NumCols()) {
		i := 0
		for _, chunk := range table.Column(c).Data().Chunks() {
			for j := range chunk.Len() {
				if !chunk.IsNull(j) {
					rows[i][table.Schema().Field(c).Name] = valueAt(t, chunk, j)
				}
				i++
			}
		}
	}
	return table.Schema(), rows
}

func valueAt(t *testing.T, chunk arrow.Array, i int) any {
	switch values := chunk.(type) {
	case *array.String:
		return values.Value(i)
	case *array.Binary:
		return values.Value(i)
	case *array.Int64:
		return values.Value(i)
	case *array.Float64:
		return values.Value(i)
	case *array.Timestamp:
		return int64(values.Value(i))
	}
	t.Fatalf("no reader for %T", chunk)
	return nil
}
