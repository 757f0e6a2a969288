package batch

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const topicID = "0f9b3c1e-5a7d-4e21-8c44-d2b6a1907e53"

var stamp = time.Date(2026, 11, 22, 7, 30, 0, 123e6, time.UTC)

// sample has every shape a record can have.
func sample() *Batch {
	return &Batch{
		ClusterID: "lkc-1a2b3", Topic: "incidents", TopicID: topicID, Partition: 3,
		Records: []Record{
			{Offset: 41, Timestamp: 1764000000123, Key: []byte("7"), Value: []byte(`{"id":"7"}`)},
			{Offset: 42, Timestamp: -1},
			{Offset: 45, Timestamp: 0, Key: []byte{}, Value: []byte{}, Headers: []Header{
				{Key: "trace", Value: []byte{0, 0xff}}, {Key: "", Value: nil}, {Key: "e", Value: []byte{}},
			}},
			{Offset: 1 << 60, Timestamp: 1 << 50, ValueURI: "gs://lake/quarantine/x.bin", ValueSize: 9 << 20},
		},
	}
}

func mustEvent(t testing.TB, b *Batch) cloudevents.Event {
	t.Helper()
	e, err := b.Event(stamp, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvent_WireBytes(t *testing.T) {
	e := mustEvent(t, sample())
	var wire bytes.Buffer
	attributes := Attributes(e)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(&wire, "%s: %s\n", name, attributes[name])
	}
	fmt.Fprintf(&wire, "\n%s", hex.Dump(e.Data()))
	const golden = "testdata/event.golden"
	if *update {
		if err := os.WriteFile(golden, wire.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), wire.String()); diff != "" {
		t.Errorf("the wire format changed (-want +got):\n%s", diff)
	}
}

// A real HTTP server and the SDK's binding stand between the two halves.
func TestFromEvent_AfterHTTP(t *testing.T) {
	var got *Batch
	var fault error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := cehttp.NewEventFromHTTPRequest(r)
		if err != nil {
			fault = err
			return
		}
		got, fault = FromEvent(*e)
	}))
	defer server.Close()

	e := mustEvent(t, sample())
	request, err := http.NewRequest(http.MethodPost, server.URL, bytes.NewReader(e.Data()))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range Attributes(e) {
		request.Header.Set(name, value)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if fault != nil {
		t.Fatal(fault)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("the batch changed on its way (-want +got):\n%s", diff)
	}
}

func TestEvent_RoundTripOfRandomBatches(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := randomBatch(random)
		e := mustEvent(t, b)
		if err := e.Validate(); err != nil {
			t.Fatal(err)
		}
		got, err := FromEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(b, got) { // cmp takes a hundred times as long
			t.Fatalf("(-want +got):\n%s", cmp.Diff(b, got))
		}
		size := overhead
		for i := range b.Records {
			size += EncodedSize(&b.Records[i])
		}
		if size < len(e.Data()) || size > len(e.Data())+maxBlockPrefix {
			t.Fatalf("EncodedSize makes it %d bytes, the data has %d", size, len(e.Data()))
		}
	}
}

func randomBatch(random *rand.Rand) *Batch {
	b := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID, Partition: random.Int32()}
	offset := random.Int64N(1 << uint(1+random.IntN(61)))
	for range 1 + random.IntN(40) {
		r := Record{Offset: offset, Timestamp: random.Int64N(1<<50) - 1, Key: randomBytes(random, 70), Value: randomBytes(random, 300)}
		for range max(0, random.IntN(8)-5) {
			r.Headers = append(r.Headers, Header{Key: fmt.Sprint("h", random.IntN(9)), Value: randomBytes(random, 20)})
		}
		if random.IntN(20) == 0 {
			r.Value, r.ValueURI, r.ValueSize = nil, "gs://b/o", random.Int64()
		}
		b.Records = append(b.Records, r)
		offset += 1 + random.Int64N(3)
	}
	return b
}

func randomBytes(random *rand.Rand, most int) []byte {
	if random.IntN(8) == 0 {
		return nil
	}
	b := make([]byte, random.IntN(most))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func TestEvent_RefusesWhatIsNoBatch(t *testing.T) {
	tests := map[string]func(b *Batch){
		"no records":       func(b *Batch) { b.Records = nil },
		"equal offsets":    func(b *Batch) { b.Records[1].Offset = b.Records[0].Offset },
		"too many bytes":   func(b *Batch) { b.Records[0].Value = make([]byte, MaxEncodedBytes-100) },
		"too many headers": func(b *Batch) { b.Records[0].Headers = make([]Header, MaxHeaders+1) },
		"too many records": func(b *Batch) {
			for b.Records = nil; len(b.Records) <= MaxRecords; {
				b.Records = append(b.Records, Record{Offset: int64(len(b.Records))})
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			b := sample()
			change(b)
			if _, err := b.Event(stamp, ""); err == nil {
				t.Error("made an event of it")
			}
		})
	}
}

func TestEvent_LargestBatches(t *testing.T) {
	b := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID}
	for i := range MaxRecords {
		b.Records = append(b.Records, Record{Offset: 1<<62 + int64(i), Timestamp: -1})
	}
	big := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID,
		Records: []Record{{Offset: 0, Timestamp: -1, Value: make([]byte, MaxEncodedBytes-overhead-12)}}}
	for _, b := range []*Batch{b, big} {
		got, err := FromEvent(mustEvent(t, b))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) != len(b.Records) {
			t.Errorf("%d records became %d", len(b.Records), len(got.Records))
		}
	}
	if size := len(mustEvent(t, big).Data()); size > MaxEncodedBytes || size < MaxEncodedBytes-16 {
		t.Errorf("the largest record makes %d bytes", size)
	}
}

func TestFromEvent_NamesTheAttributeAtFault(t *testing.T) {
	data := func(change func([]byte) []byte) func(*cloudevents.Event) {
		return func(e *cloudevents.Event) { e.DataEncoded = change(bytes.Clone(e.DataEncoded)) }
	}
	extension := func(name string, value any) func(*cloudevents.Event) {
		return func(e *cloudevents.Event) { e.SetExtension(name, value) }
	}
	tests := []struct {
		name, attribute string
		change          func(e *cloudevents.Event)
	}{
		{"another version", "specversion", func(e *cloudevents.Event) { e.SetSpecVersion("0.3") }},
		{"no context", "specversion", func(e *cloudevents.Event) { e.Context = nil }},
		{"another type", "type", func(e *cloudevents.Event) { e.SetType("google.cloud.storage.object.v1.finalized") }},
		{"JSON", "datacontenttype", func(e *cloudevents.Event) { e.SetDataContentType("application/json") }},
		{"another source", "source", func(e *cloudevents.Event) { e.SetSource("//storage/bucket") }},
		{"a partition too large", "source", func(e *cloudevents.Event) { e.SetSource("//kafka/c/incidents/4294967296") }},
		{"another partition", "id", func(e *cloudevents.Event) { e.SetSource("//kafka/c/incidents/4") }},
		{"another subject", "subject", func(e *cloudevents.Event) { e.SetSubject("passenger_flow") }},
		{"another id", "id", func(e *cloudevents.Event) { e.SetID("1") }},
		{"no topic id", "topicid", extension("topicid", nil)},
		{"an upper-case topic id", "topicid", extension("topicid", strings.ToUpper(topicID))},
		{"another topic id", "id", extension("topicid", strings.Replace(topicID, "0", "1", 1))},
		{"no count", "recordcount", extension("recordcount", nil)},
		{"a count of 0", "recordcount", extension("recordcount", 0)},
		{"a count too small", "data", extension("recordcount", "3")},
		{"a count too large", "recordcount", extension("recordcount", "5")},
		{"a count beyond the limit", "recordcount", extension("recordcount", "20001")},
		{"another first offset", "firstoffset", extension("firstoffset", "42")},
		{"another last offset", "lastoffset", extension("lastoffset", "42")},
		{"no last offset", "lastoffset", extension("lastoffset", nil)},
		{"no data", "data", data(func([]byte) []byte { return nil })},
		{"cut data", "data", data(func(b []byte) []byte { return b[:len(b)-20] })},
		{"cut sync marker", "data", data(func(b []byte) []byte { return b[:len(b)-1] })},
		{"no block", "recordcount", data(func(b []byte) []byte { return b[:len(fileHeader)] })},
		{"trailing bytes", "data", data(func(b []byte) []byte { return append(b, 0) })},
		{"another schema", "data", data(func(b []byte) []byte { return bytes.Replace(b, []byte(`"offset"`), []byte(`"0ffset"`), 1) })},
		{"a codec", "data", data(func(b []byte) []byte { return bytes.Replace(b, []byte("\x08null"), []byte("\x08zstd"), 1) })},
		{"too much data", "data", data(func([]byte) []byte { return make([]byte, MaxEncodedBytes+1) })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := mustEvent(t, sample())
			test.change(&e)
			_, err := FromEvent(e)
			var fault *Malformed
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a *Malformed", err)
			}
			if fault.Attribute != test.attribute {
				t.Errorf("%v: names %s, want %s", err, fault.Attribute, test.attribute)
			}
		})
	}
}

// One buffer serves batch after batch.
func TestEncoder_Reuse(t *testing.T) {
	var e Encoder
	for _, count := range []int{4, 1, 3} {
		b := sample()
		b.Records = b.Records[:count]
		e.Reset()
		for i := range b.Records {
			if !e.Fits(&b.Records[i]) {
				t.Fatal("does not fit")
			}
			e.Add(&b.Records[i])
		}
		got, err := FromEvent(e.Event(b, stamp, ""))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
