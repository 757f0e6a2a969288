package filesink_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/internal/bigquery"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// start serves a function whose only sink is the file's, and returns its
// address.
func start(t *testing.T, s *sink, log io.Writer) string {
	t.Helper()
	f, err := ingest.New(t.Context(), ingest.Config{
		Sinks: []string{"file"}, Known: append(ingest.Sinks(), kind(s)),
		Bucket: "b", Warehouse: bigquery.Config{Project: "p", StagingDataset: "d"},
		AppendTimeout: time.Minute, CallTimeout: time.Minute,
		Logger:         slog.New(slog.NewJSONHandler(log, nil)),
		StorageOptions: []option.ClientOption{option.WithoutAuthentication()},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// deliver returns the answer to a batch of incidents from the partition, whose
// first offset is 100.
func deliver(t *testing.T, address string, partition int32, values ...string) int {
	t.Helper()
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Lane: batch.BothLanes}
	for i, value := range values {
		b.Records = append(b.Records, batch.Record{Partition: partition, Offset: int64(100 + i), Timestamp: noon.UnixMilli(), Value: []byte(value)})
	}
	e, err := b.Event(noon, "")
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(e.Data()))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range batch.Attributes(e) {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func incident(id string) string {
	return fmt.Sprintf(`{"id":%q,"type":"a","station":"s","location":"l","timestamp":"2026-11-22T11:00:00Z","severity":"Minor","duration":1}`, id)
}

// What a file takes is in it, and the rest in the quarantine, which is the
// file's too: what is not an event, and what the file refuses.
func TestFile_HoldsRowsAndQuarantine(t *testing.T) {
	s := &sink{folder: t.TempDir()}
	address := start(t, s, io.Discard)
	if got := deliver(t, address, 3, incident("a"), "x", incident("c/d"), incident("b")); got != http.StatusOK {
		t.Fatalf("answer %d", got)
	}
	staged, err := s.lines("incidents")
	if err != nil || len(staged) != 2 || staged[0]["id"] != "a" || staged[1]["id"] != "b" ||
		staged[1]["kafka_offset"] != 103.0 || staged[1]["kafka_partition"] != 3.0 || staged[1]["timestamp"] != "2026-11-22T11:00:00Z" {
		t.Errorf("incidents holds %v (%v)", staged, err)
	}
	refused, err := s.lines("quarantine")
	if err != nil || len(refused) != 2 || refused[0]["reason"] != "not_json" || refused[0]["value"] != "x" ||
		refused[1]["reason"] != "refused_by_warehouse" || refused[1]["detail"] != "the id has a slash" || refused[1]["kafka_offset"] != 102.0 {
		t.Errorf("quarantine holds %v (%v)", refused, err)
	}
}

// A strange is the outage of a client that ingest has never heard of.
type strange struct{}

func (strange) Error() string { return "the file is unplugged" }

// However often batches are delivered while a sink is away, none of the
// answers is a verdict on them, so that none becomes a dead letter; and all of
// them land when it is there again.
func TestFile_OutageDeadLettersNothing(t *testing.T) {
	for name, test := range map[string]struct {
		outage error
		kind   fault.Kind
		class  string // in the log
	}{
		"the sink does not know its error": {strange{}, "", "unknown"},
		"it says a kind that there is not": {strange{}, "broken", "unknown"},
		"it looks like a foreign batch":    {&batch.Malformed{Attribute: "data", Detail: "is strange"}, fault.Unknown, "unknown"},
		"several errors":                   {errors.Join(strange{}, io.ErrNoProgress), "", "unknown"},
		"the sink knows that it is away":   {strange{}, fault.Outage, "transient"},
		"a person must plug it in":         {strange{}, fault.Misconfigured, "misconfigured"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := &sink{folder: t.TempDir()}
			address := start(t, s, &log)
			s.breakDown(test.outage, test.kind)
			const deliveries, batches = 25, 3
			for range deliveries {
				for partition := range int32(batches) {
					if got := deliver(t, address, partition, incident("a"), incident("b")); got != http.StatusServiceUnavailable {
						t.Fatalf("answer %d, want 503", got)
					}
				}
			}
			if n := strings.Count(log.String(), fmt.Sprintf(`"class":%q`, test.class)); n != deliveries*batches {
				t.Errorf("%d lines of class %s, want %d: %s", n, test.class, deliveries*batches, log.String())
			}
			s.breakDown(nil, "")
			for partition := range int32(batches) {
				if got := deliver(t, address, partition, incident("a"), incident("b")); got != http.StatusOK {
					t.Fatalf("answer %d after the outage", got)
				}
			}
			if staged, err := s.lines("incidents"); err != nil || len(staged) != 2*batches {
				t.Errorf("%d rows, want %d (%v)", len(staged), 2*batches, err)
			}
		})
	}
}

// A sink may say that a batch is the cause: then it is a verdict.
func TestFile_VerdictOnABatch(t *testing.T) {
	s := &sink{folder: t.TempDir()}
	address := start(t, s, io.Discard)
	s.breakDown(strange{}, fault.OfBatch)
	if got := deliver(t, address, 0, incident("a")); got != http.StatusInternalServerError {
		t.Errorf("answer %d, want 500", got)
	}
}

// A record because of which the sink blames the whole batch is found, also where
// it is alone: then the quarantine, which is the same sink's, takes it. What is
// only suspected is not blamed alone, and an outage is never.
func TestFile_PoisonIsFound(t *testing.T) {
	for kind, alone := range map[fault.Kind]int{
		fault.OfBatch: http.StatusOK, fault.Suspect: http.StatusServiceUnavailable, fault.Outage: http.StatusServiceUnavailable,
		fault.Misconfigured: http.StatusServiceUnavailable, fault.Unknown: http.StatusServiceUnavailable,
	} {
		t.Run(string(kind), func(t *testing.T) {
			s := &sink{folder: t.TempDir(), poison: "poison"}
			address := start(t, s, io.Discard)
			s.breakDown(strange{}, kind)
			among := http.StatusServiceUnavailable
			if kind == fault.OfBatch || kind == fault.Suspect {
				among = http.StatusOK
			}
			if got := deliver(t, address, 0, incident("a"), incident("b"), "x", incident("poison"), incident("c")); got != among {
				t.Errorf("among others it is answered %d, want %d", got, among)
			}
			if got := deliver(t, address, 1, incident("poison")); got != alone {
				t.Errorf("alone it is answered %d, want %d", got, alone)
			}
			if among != http.StatusOK {
				return
			}
			staged, err := s.lines("incidents")
			refused, err2 := s.lines("quarantine")
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			ids := map[any]bool{}
			for _, row := range staged {
				ids[row["id"]] = true
			}
			if len(ids) != 3 || ids["poison"] {
				t.Errorf("staged are %v", ids)
			}
			want := 2
			if alone == http.StatusOK {
				want++
			}
			if last := refused[len(refused)-1]; len(refused) != want || last["reason"] != "refused_by_warehouse" || last["detail"] != "the file is unplugged" {
				t.Errorf("in quarantine are %v", refused)
			}
		})
	}
}

// A sink that cannot be opened, or is not in the list, is one sentence.
func TestFile_Configuration(t *testing.T) {
	for sinks, want := range map[string]string{
		"file":      "setting up ingest: opening sink file: ",
		"lake,tape": `setting up ingest: the configuration names "tape", which is not a sink: name one or more of lake, warehouse, file, by comma`,
	} {
		_, err := ingest.New(t.Context(), ingest.Config{
			Sinks: strings.Split(sinks, ","), Known: append(ingest.Sinks(), kind(&sink{folder: "not there"})),
			Bucket: "b", Warehouse: bigquery.Config{Project: "p", StagingDataset: "d"}, AppendTimeout: time.Minute, CallTimeout: time.Minute,
			StorageOptions: []option.ClientOption{option.WithoutAuthentication()},
		})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", sinks, err, want)
		}
	}
}
