// Package compacttest tests functions/compact over Cloud Storage's protocol,
// with a server that fails as the test wants and readers that look after each
// of its steps.
package compacttest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/parquet-go/parquet-go"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

const (
	bucket  = "lake"
	topic   = "incidents"
	topicID = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
)

// eleven is the hour of the events; noon is when it ends.
var (
	eleven = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	noon   = eleven.Add(time.Hour)
)

// A coordinate names a record.
type coordinate struct {
	topicID   string
	partition int64
	offset    int64
}

// A record is one that was ingested, once or several times.
type record struct {
	coordinate
	arrived time.Time
	batch   string
	values  []event.Value // by the columns of the table
}

var format = func() *pages.Format {
	schema, _ := event.SchemaOf(topic)
	return pages.NewFormat(topic, schema.StagingColumns())
}()

// made makes up a row of the record; rows of one record differ by arrival.
func made(random *rand.Rand, at coordinate, arrived time.Time, batchID string) record {
	r := record{at, arrived, batchID, make([]event.Value, len(format.Columns))}
	for i, c := range format.Columns {
		switch c.Name {
		case "kafka_topic":
			r.values[i] = event.StringValue([]byte(topic))
		case "kafka_topic_id":
			r.values[i] = event.StringValue([]byte(at.topicID))
		case "kafka_partition":
			r.values[i] = event.IntValue(at.partition)
		case "kafka_offset":
			r.values[i] = event.IntValue(at.offset)
		case "ingested_at":
			r.values[i] = event.TimeValue(arrived.UnixMicro())
		case "batch_id":
			r.values[i] = event.StringValue([]byte(batchID))
		case "timestamp":
			r.values[i] = event.TimeValue(eleven.UnixMicro() + random.Int64N(3_600_000_000))
		default:
			if c.Nullable && random.IntN(3) == 0 {
				continue
			}
			r.values[i] = value(random, c.Type)
		}
	}
	return r
}

func value(random *rand.Rand, kind event.Type) event.Value {
	switch kind {
	case event.Int64:
		return event.IntValue(random.Int64() - random.Int64())
	case event.Float64:
		return event.FloatValue(random.NormFloat64())
	case event.Timestamp:
		return event.TimeValue(random.Int64N(1 << 50))
	}
	v := event.StringValue([]byte(strings.Repeat("ü", random.IntN(4)) + fmt.Sprint(random.IntN(40))))
	v.Type = kind
	return v
}

// encoded is a file of the records.
func encoded(t *testing.T, f *pages.Format, records []record) []byte {
	t.Helper()
	w := f.NewWriter()
	w.Reset(len(records))
	for i, c := range f.Columns {
		at := slices.IndexFunc(format.Columns, func(own event.Column) bool { return own.Name == c.Name })
		for _, r := range records {
			value := event.StringValue([]byte("unknown"))
			if at >= 0 {
				value = r.values[at]
			}
			w.Add(i, []event.Value{value})
		}
	}
	var file bytes.Buffer
	if err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// A lab is a bucket, and what must be readable in it.
type lab struct {
	t      *testing.T
	server *fakestorage.Server
	want   map[coordinate]record // the earliest of each record
	ahead  time.Duration         // of the clock of the function

	mu     sync.Mutex
	calls  int
	before func(call int, r *http.Request) outcome
	quiet  bool // readers do not look

	known map[string][]parquet.Row // contents of objects, by name and generation
}

// An outcome is what becomes of a call. The zero outcome serves it.
type outcome struct {
	err    error // in place of an answer
	served bool  // the server does what it is asked all the same
	then   func()
}

func newLab(t *testing.T) *lab {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	return &lab{t: t, server: server, want: map[coordinate]record{}, known: map[string][]parquet.Row{}}
}

// RoundTrip is the way to the server.
func (l *lab) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.calls++
	call, before := l.calls, l.before
	l.mu.Unlock()
	var o outcome
	if before != nil {
		o = before(call, r)
	}
	if o.err != nil && !o.served {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, o.err
	}
	answer, err := l.serve(r)
	if o.then != nil {
		o.then()
	}
	if o.err != nil {
		return nil, o.err
	}
	return answer, err
}

// serve has the server answer, and the readers look at what a step has changed.
// The server does not look at the generation that is to be deleted.
func (l *lab) serve(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	recorded := httptest.NewRecorder()
	if want := r.URL.Query().Get("ifGenerationMatch"); r.Method == http.MethodDelete && want != "" {
		name := strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+bucket+"/o/")
		if have, err := l.server.GetObject(bucket, name); err != nil || strconv.FormatInt(have.Generation, 10) != want {
			http.Error(recorded, "conditionNotMet", http.StatusPreconditionFailed)
			return recorded.Result(), nil
		}
	}
	l.server.HTTPHandler().ServeHTTP(recorded, r)
	if r.Method != http.MethodGet && !l.quiet {
		l.look()
	}
	return recorded.Result(), nil
}

// look reads everything, as a reader does that keeps the earliest row of each
// record: each is there, as it came.
func (l *lab) look() {
	l.t.Helper()
	got := map[coordinate]parquet.Row{}
	columns := format.Schema.Columns()
	at := func(name string) int {
		return slices.IndexFunc(columns, func(path []string) bool { return path[0] == name })
	}
	id, partition, offset, arrived, batchID := at("kafka_topic_id"), at("kafka_partition"), at("kafka_offset"), at("ingested_at"), at("batch_id")
	for _, o := range l.objects() {
		for _, row := range l.rows(o) {
			where := coordinate{row[id].String(), row[partition].Int64(), row[offset].Int64()}
			if have, ok := got[where]; !ok || cmp.Or(cmp.Compare(row[arrived].Int64(), have[arrived].Int64()), cmp.Compare(row[batchID].String(), have[batchID].String())) < 0 {
				got[where] = row
			}
		}
	}
	if len(got) != len(l.want) {
		l.t.Errorf("a reader finds %d records of %d", len(got), len(l.want))
	}
	for where, want := range l.want {
		if row, ok := got[where]; !ok {
			l.t.Errorf("a reader does not find %v", where)
		} else if diff := differs(row, want); diff != "" {
			l.t.Errorf("a reader finds %v otherwise: %s", where, diff)
		}
		if l.t.Failed() {
			return
		}
	}
}

// differs says in which column a row is not the record's.
func differs(row parquet.Row, want record) string {
	for i, c := range format.Columns {
		v, have := &want.values[i], row[i]
		same := false
		switch {
		case v.Null() || have.IsNull():
			same = v.Null() && have.IsNull()
		case c.Type == event.String || c.Type == event.Bytes:
			same = bytes.Equal(v.Text(), have.ByteArray())
		case c.Type == event.Float64:
			same = v.Float() == have.Double()
		default:
			same = v.Int() == have.Int64()
		}
		if !same {
			return c.Name + " is " + have.String()
		}
	}
	return ""
}

// rows are those of an object, in its order, by the columns of the table.
func (l *lab) rows(o fakestorage.ObjectAttrs) []parquet.Row {
	l.t.Helper()
	key := fmt.Sprint(o.Name, o.Generation)
	if rows, ok := l.known[key]; ok {
		return rows
	}
	content, err := l.server.GetObject(bucket, o.Name)
	if err != nil {
		l.t.Errorf("reading %s: %v", o.Name, err)
		return nil
	}
	file, err := parquet.OpenFile(bytes.NewReader(content.Content), int64(len(content.Content)))
	if err != nil {
		return nil // not ours
	}
	var all []parquet.Row
	own := file.Schema().Columns()
	reader := parquet.NewReader(file)
	buffer := make([]parquet.Row, 64)
	for {
		n, err := reader.ReadRows(buffer)
		for _, row := range buffer[:n] {
			whole := make(parquet.Row, len(format.Columns))
			for i, c := range format.Columns {
				if at := slices.IndexFunc(own, func(path []string) bool { return path[0] == c.Name }); at >= 0 {
					whole[i] = row[at].Clone()
				}
			}
			all = append(all, whole)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			l.t.Errorf("reading %s: %v", o.Name, err)
			return nil
		}
	}
	l.known[key] = all
	return all
}

func (l *lab) objects() []fakestorage.ObjectAttrs {
	l.t.Helper()
	all, _, err := l.server.ListObjects(bucket, "raw/", "", false)
	if err != nil {
		l.t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b fakestorage.ObjectAttrs) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (l *lab) names() (all []string) {
	for _, o := range l.objects() {
		all = append(all, strings.TrimPrefix(o.Name, "raw/incidents/dt=2026-11-22/hour=11/"))
	}
	return all
}

// batchOf names the batch of the records.
func batchOf(records []record) *batch.Batch {
	b := &batch.Batch{ClusterID: "c", Topic: topic, TopicID: records[0].topicID, Lane: batch.LakeLane}
	for _, r := range records {
		b.Records = append(b.Records, batch.Record{Partition: int32(r.partition), Offset: r.offset})
	}
	return b
}

// put writes a file of the records as ingest does. One that is there stays.
func (l *lab) put(records ...record) string {
	l.t.Helper()
	b := batchOf(records)
	name := lake.RawObject(b, eleven)
	if _, err := l.server.GetObject(bucket, name); err == nil {
		return name
	}
	for _, r := range records {
		have, ok := l.want[r.coordinate]
		if !ok || cmp.Or(r.arrived.Compare(have.arrived), cmp.Compare(r.batch, have.batch)) < 0 {
			l.want[r.coordinate] = r
		}
	}
	l.write(name, encoded(l.t, format, records), b.Ranges().String())
	return name
}

func (l *lab) write(name string, content []byte, ranges string) {
	l.server.CreateObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name, Created: time.Now().Add(l.ahead), Metadata: map[string]string{"stationflow-ranges": ranges}},
		Content:     content,
	})
}

// client is one of the lake's own.
func (l *lab) client() *storage.Client {
	l.t.Helper()
	c, err := storage.NewClient(context.Background(), append([]option.ClientOption{storage.WithJSONReads()}, l.config().Storage...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// config is that of a function with this lake.
func (l *lab) config() compact.Config {
	return compact.Config{
		Bucket: bucket, After: time.Hour, Grace: 6 * time.Hour, Days: 3000, // all of them
		Now:     func() time.Time { return time.Now().Add(l.ahead) },
		Logger:  slog.New(slog.DiscardHandler),
		Storage: []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: l}), option.WithEndpoint("http://nowhere/storage/v1/")},
	}
}

// run calls the function once.
func (l *lab) run(ctx context.Context, adjust ...func(*compact.Config)) (*compact.Result, error) {
	l.t.Helper()
	config := l.config()
	for _, change := range adjust {
		change(&config)
	}
	c, err := compact.New(context.Background(), config)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.Run(ctx, compact.Choice{})
}

func (l *lab) mustRun(adjust ...func(*compact.Config)) *compact.Result {
	l.t.Helper()
	result, err := l.run(l.t.Context(), adjust...)
	if err != nil {
		l.t.Fatal(err)
	}
	return result
}

// decide says what becomes of calls from now on, counted from 1.
func (l *lab) decide(before func(call int, r *http.Request) outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.before = 0, before
}
