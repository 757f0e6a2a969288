package deploytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/local/freeport"
)

// generatedMain is a program as the buildpack makes one around a function.
const generatedMain = `package main

import (
	"log"
	"os"

	_ "github.com/stationflow/stationflow"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}
`

// built tidies the upload, puts a main around it, and returns the program.
// Compiled in the repository's place, the packages that make build compiled of
// the same files come from the cache.
func built(t *testing.T) string {
	t.Helper()
	folder := unpacked(t)
	goCommand(t, folder, "mod", "tidy")
	app := filepath.Join(folder, "serverless_function_app")
	if err := os.Mkdir(app, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(generatedMain), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "functions")
	goCommand(t, repository, "build", "-overlay", overlay(t, folder), "-o", program, "./serverless_function_app")
	return program
}

// overlay has the go command find a folder's files in the repository's place,
// and none of the repository's own. It returns the file that says so.
func overlay(t *testing.T, folder string) string {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for _, name := range committed(t) {
		replace[filepath.Join(root, name)] = "" // is not there
	}
	for _, name := range filesBelow(t, folder) {
		replace[filepath.Join(root, name)] = filepath.Join(folder, name)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// serve starts the program for one function, as Cloud Run does, and returns
// its address.
func serve(t *testing.T, program, function string, environment ...string) string {
	t.Helper()
	address, err := freeport.Address() // the framework takes its port by number only
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)

	var log bytes.Buffer
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), append(environment, "PORT="+port, "FUNCTION_TARGET="+function, "K_SERVICE="+function)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s logged:\n%s", function, log.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			connection.Close()
			return "http://" + address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended at once: %v", function, err)
		case <-ctx.Done():
			t.Fatalf("%s does not listen: %v", function, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Each function answers through the framework: a real batch, one that is
// none, and the scheduler's trigger.
func TestUpload_FunctionsAnswer(t *testing.T) {
	program := built(t)
	objects := startLake(t)
	rows, warehouse := startWarehouse(t)
	environment := []string{
		"GOOGLE_CLOUD_PROJECT=p", "LAKE_BUCKET=lake", "STORAGE_EMULATOR_HOST=" + objects.url,
		"BIGQUERY_STORAGE_EMULATOR_HOST=" + warehouse, "BIGQUERY_EMULATOR_HOST=http://127.0.0.1:1",
	}

	ingest := serve(t, program, "ingest", environment...)
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Lane: batch.BothLanes, Records: []batch.Record{{
		Offset: 7, Timestamp: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixMilli(), Key: []byte("i-1"),
		Value: []byte(`{"id":"i-1","type":"Technique","station":"A","location":"Dock 2","timestamp":"2026-11-22T11:30:00Z","severity":"Minor","duration":12}`),
	}}}
	e, err := b.Event(time.Date(2026, 11, 22, 12, 0, 1, 0, time.UTC), "")
	if err != nil {
		t.Fatal(err)
	}
	// As the push subscription sends it: to the address that Terraform names.
	if status, body := post(t, ingest+"/ingest", e.Data(), batch.Attributes(e)); status != http.StatusOK {
		t.Errorf("ingest answers %d to a batch: %s", status, body)
	}
	if objects.created.Load() != 1 || rows.Load() != 1 {
		t.Errorf("%d objects and %d appends after one batch", objects.created.Load(), rows.Load())
	}
	foreign := batch.Attributes(e)
	foreign["ce-type"] = "com.example.other"
	if status, _ := post(t, ingest+"/ingest", e.Data(), foreign); status != http.StatusUnprocessableEntity {
		t.Errorf("ingest answers %d to a foreign event, want 422", status)
	}

	transform := serve(t, program, "transform", append(environment, "TRANSFORM_STATEMENT_TIMEOUT=1s")...)
	status, body := post(t, transform+"/transform", []byte("{}"), map[string]string{"Content-Type": "application/json"})
	var report struct {
		Status string `json:"status"`
		RunID  string `json:"run_id"`
	}
	if err := json.Unmarshal(body, &report); err != nil || status != http.StatusInternalServerError || report.RunID == "" {
		t.Errorf("transform answers %d %s, want 500 and the report of a run that found no warehouse", status, body)
	}
	if status, body := post(t, transform+"/transform", []byte(`{"full": true}`), map[string]string{"Content-Type": "application/json"}); status != http.StatusBadRequest {
		t.Errorf("transform answers %d %s to a body it does not know, want 400", status, body)
	}
}

func post(t *testing.T, url string, body []byte, header map[string]string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, text
}

// A lakeServer takes every object.
type lakeServer struct {
	url     string
	created atomic.Int64
}

func startLake(t *testing.T) *lakeServer {
	t.Helper()
	l := &lakeServer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/b/lake/o") {
			http.Error(w, "only uploads to the bucket lake", http.StatusBadRequest)
			return
		}
		l.created.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"storage#object","bucket":"lake","name":"object","generation":"1"}`)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// A writeServer takes every append of the Storage Write API, and counts them.
type writeServer struct {
	storagepb.UnimplementedBigQueryWriteServer
	appends *atomic.Int64
}

func startWarehouse(t *testing.T) (*atomic.Int64, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	appends := new(atomic.Int64)
	server := grpc.NewServer()
	storagepb.RegisterBigQueryWriteServer(server, writeServer{appends: appends})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { server.Stop(); <-stopped })
	return appends, listener.Addr().String()
}

func (s writeServer) GetWriteStream(_ context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	return &storagepb.WriteStream{Name: r.Name}, nil
}

func (s writeServer) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.appends.Add(1)
		answer := &storagepb.AppendRowsResponse{
			Response:    &storagepb.AppendRowsResponse_AppendResult_{AppendResult: &storagepb.AppendRowsResponse_AppendResult{}},
			WriteStream: request.WriteStream,
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}
