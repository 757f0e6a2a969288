// Package ingesttest tests functions/ingest over real protocols: Cloud
// Storage's HTTP and the Storage Write API's gRPC, with servers that fail as
// the test wants.
package ingesttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/bigquery"
)

// noon is when the records of these tests were written to Kafka.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const topicID = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"

// A lab is a Function between a fake lake and a fake warehouse.
type lab struct {
	function  *ingest.Function
	config    ingest.Config // of it
	lake      *fakeLake
	warehouse *fakeWarehouse
}

// impatient has attempts end while a server that hangs hangs on.
func impatient(c *ingest.Config) { c.AppendTimeout = 4 * time.Second }

// newLab starts a lab; adjust may change the function's configuration.
func newLab(t *testing.T, adjust ...func(*ingest.Config)) *lab {
	t.Helper()
	l := &lab{lake: startLake(t)}
	var address string
	l.warehouse, address = startWarehouse(t)
	config := ingest.Config{
		Warehouse:      bigquery.Config{Project: "p", StagingDataset: "staging_data", GRPCEndpoint: address},
		Bucket:         bucket,
		AppendTimeout:  time.Minute, // a slow machine must not look like a fault
		CallTimeout:    5 * time.Minute,
		Logger:         slog.New(slog.NewTextHandler(io.Discard, nil)),
		StorageOptions: []option.ClientOption{option.WithEndpoint(l.lake.url + "/storage/v1/"), option.WithoutAuthentication()},
	}
	for _, change := range adjust {
		change(&config)
	}
	l.config = config
	l.function = l.another(t)
	return l
}

// another starts a further Function between the same lake and warehouse.
func (l *lab) another(t *testing.T) *ingest.Function {
	t.Helper()
	f, err := ingest.New(context.Background(), l.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("closing the function: %v", err)
		}
	})
	return f
}

// deliver has the function ingest the batch.
func (l *lab) deliver(t *testing.T, b *batch.Batch) error {
	t.Helper()
	return l.function.Ingest(t.Context(), eventOf(t, b))
}

// answer returns what the function answers to a POST of the event.
func (l *lab) answer(t *testing.T, e cloudevents.Event) int {
	t.Helper()
	code, _ := l.answers(t, e)
	return code
}

// answers is answer, with the class of what went wrong.
func (l *lab) answers(t *testing.T, e cloudevents.Event) (code int, class string) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest", bytes.NewReader(e.Data()))
	for name, value := range batch.Attributes(e) {
		request.Header.Set(name, value)
	}
	recorded := httptest.NewRecorder()
	l.function.ServeHTTP(recorded, request)
	return recorded.Code, recorded.Result().Header.Get(batch.HeaderClass)
}

func (l *lab) mustDeliver(t *testing.T, b *batch.Batch) {
	t.Helper()
	if err := l.deliver(t, b); err != nil {
		t.Fatal(err)
	}
}

func eventOf(t *testing.T, b *batch.Batch) cloudevents.Event {
	t.Helper()
	e, err := b.Event(noon, "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// batchOf returns a batch of incidents with the values, at offsets from 100.
func batchOf(values ...string) *batch.Batch {
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes}
	for i, value := range values {
		b.Records = append(b.Records, batch.Record{
			Partition: 3, Offset: int64(100 + i), Timestamp: noon.UnixMilli() + int64(i), Key: fmt.Appendf(nil, "k%d", i), Value: []byte(value),
		})
	}
	return b
}

// move puts all records of the batch into the partition.
func move(b *batch.Batch, partition int32) {
	for i := range b.Records {
		b.Records[i].Partition = partition
	}
}

func incident(id string, at time.Time) string {
	return fmt.Sprintf(`{"id":%q,"type":"suspect package","station":"Châtelet","location":"Dock 2","timestamp":%q,"severity":"Minor","duration":12.5}`,
		id, at.Format(time.RFC3339Nano))
}

// incidents returns n good events over the minutes before noon.
func incidents(n int) []string {
	random := rand.New(rand.NewPCG(7, 7))
	values := make([]string, n)
	for i := range values {
		values[i] = incident(fmt.Sprintf("inc-%d", i), noon.Add(-time.Duration(1+random.IntN(600))*time.Second))
	}
	return values
}

// offsets returns the Kafka offsets of the rows, each with how often it occurs.
func offsets(rows []row) map[int64]int {
	seen := make(map[int64]int)
	for _, r := range rows {
		seen[r["kafka_offset"].(int64)]++
	}
	return seen
}
