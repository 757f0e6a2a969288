// Package repairtest tests what repairs: records of the quarantine that are
// tried again, and replays. The commands run in this process, against a
// warehouse, a lake and the ingest function.
package repairtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/local/staged"
	"github.com/stationflow/stationflow/sql"
)

const (
	bucket  = "lake"
	topicID = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
)

// A lab is the pipeline behind the bridge.
type lab struct {
	*staged.Warehouse
	t        *testing.T
	env      map[string]string
	function *ingest.Function
	config   ingest.Config
	url      string // of ingest

	mu     sync.Mutex
	before func() bool // of a request to ingest: false ends it unanswered
	after  func() bool // the same, once it was worked on
	calls  int
}

// newLab starts a lab. Its clients find the lake by a variable of the process,
// so that tests with labs do not run at the same time.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{Warehouse: staged.Start(t), t: t}
	objects, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", Writer: io.Discard})
	check(t, err)
	t.Cleanup(objects.Stop)
	objects.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	t.Setenv("STORAGE_EMULATOR_HOST", objects.URL())
	for _, table := range append(event.Topics(), "quarantine") {
		view := &bigquery.TableMetadata{ViewQuery: sql.RecordsView(staged.Project + "." + staged.Staging + "." + table)}
		check(t, l.Client.Dataset(staged.Staging).Table(table+"_records").Create(t.Context(), view))
	}
	l.config = ingest.Config{Warehouse: l.Config, Bucket: bucket, AppendTimeout: time.Minute, CallTimeout: 5 * time.Minute,
		Logger: slog.New(slog.DiscardHandler)}
	l.rules("")
	server := httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(server.Close)
	l.url = server.URL + "/ingest"
	l.env = map[string]string{
		"GOOGLE_CLOUD_PROJECT": staged.Project, "LAKE_BUCKET": bucket, "BIGQUERY_EMULATOR_HOST": l.Config.RESTEndpoint,
		"BIGQUERY_STORAGE_EMULATOR_HOST": l.Config.GRPCEndpoint, "BRIDGE_TRANSPORT": "http", "BRIDGE_HTTP_URL": l.url,
	}
	return l
}

// rules starts another version of ingest, which takes numbers of the unit as
// times.
func (l *lab) rules(unit event.EpochUnit) {
	l.t.Helper()
	if l.function != nil {
		check(l.t, l.function.Close())
	}
	l.config.EpochUnit = unit
	function, err := ingest.New(context.Background(), l.config)
	check(l.t, err)
	if l.function == nil {
		l.t.Cleanup(func() { check(l.t, l.function.Close()) })
	}
	l.function = function
}

func (l *lab) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.calls++
	before, after := l.before, l.after
	l.mu.Unlock()
	if before != nil && !before() {
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	l.function.ServeHTTP(answer, r)
	if after != nil && !after() {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// deliver has ingest take the batch.
func (l *lab) deliver(b *batch.Batch) {
	l.t.Helper()
	e, err := b.Event(time.Now(), "")
	check(l.t, err)
	check(l.t, l.function.Ingest(l.t.Context(), e))
}

// run runs a command and returns its exit code, its output, and all it said.
func (l *lab) run(ctx context.Context, args ...string) (code int, out, said string) {
	var stdout, stderr strings.Builder
	streams := cli.Streams{Getenv: func(name string) string { return l.env[name] }, Out: &stdout, Err: &stderr}
	code = cli.Main(ctx, args, streams, cli.Commands())
	return code, stdout.String(), stdout.String() + stderr.String()
}

// must runs a command that succeeds, and says all of the parts.
func (l *lab) must(args string, parts ...string) string {
	l.t.Helper()
	code, out, said := l.run(l.t.Context(), strings.Fields(args)...)
	if code != 0 {
		l.t.Fatalf("stationflow %s: exit code %d: %s", args, code, said)
	}
	for _, part := range parts {
		if !strings.Contains(said, part) {
			l.t.Errorf("stationflow %s does not say %q:\n%s", args, part, said)
		}
	}
	return out
}

// fails runs a command that ends with the code, and says the part.
func (l *lab) fails(code int, args, part string) {
	l.t.Helper()
	got, _, said := l.run(l.t.Context(), strings.Fields(args)...)
	if got != code || !strings.Contains(said, part) {
		l.t.Errorf("stationflow %s: exit code %d, want %d and %q:\n%s", args, got, code, part, said)
	}
}

// mustJSON runs a command of two words that prints JSON.
func (l *lab) mustJSON(args string, to any) {
	l.t.Helper()
	words := strings.SplitN(args, " ", 3)
	words = append(words[:2], append([]string{"--json"}, words[2:]...)...)
	if err := json.Unmarshal([]byte(l.must(strings.Join(words, " "))), to); err != nil {
		l.t.Fatalf("stationflow %s: %v", args, err)
	}
}

// A count says where the records of the lab are: each must be in one place.
type count struct{ staged, quarantined, inBoth, missing, redelivered int64 }

// counted is the ledger's sum.
func (l *lab) counted() (c count) {
	l.t.Helper()
	for _, row := range l.Query("select sum(staged), sum(quarantined), sum(in_both), sum(missing), sum(redelivered_rows) from (" + sql.Ledger + ")") {
		for i, to := range []*int64{&c.staged, &c.quarantined, &c.inBoth, &c.missing, &c.redelivered} {
			*to, _ = row[i].(int64)
		}
	}
	return c
}

// held lists what a view has, as offset=text.
func (l *lab) held(column, view string) string {
	l.t.Helper()
	var all []string
	for _, row := range l.Query(fmt.Sprintf("select kafka_offset, %s from staging_data.%s order by kafka_offset", column, view)) {
		all = append(all, fmt.Sprintf("%v=%v", row[0], row[1]))
	}
	return strings.Join(all, " ")
}

// object puts an object into the lake.
func (l *lab) object(name string, data []byte) {
	l.t.Helper()
	client, err := storage.NewClient(l.t.Context())
	check(l.t, err)
	defer client.Close()
	w := client.Bucket(bucket).Object(name).NewWriter(l.t.Context())
	_, err = w.Write(data)
	check(l.t, err)
	check(l.t, w.Close())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
