package batch

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
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

// sample has every shape a record can have, and partitions that alternate.
func sample() *Batch {
	return &Batch{
		ClusterID: "lkc-1a2b3", Topic: "incidents", TopicID: topicID, Lane: BothLanes,
		Records: []Record{
			{Partition: 3, Offset: 41, Timestamp: 1764000000123, Key: []byte("7"), Value: []byte(`{"id":"7"}`)},
			{Partition: 11, Offset: 7, Timestamp: 1764000000100, Key: []byte("8"), Value: []byte(`{"id":"8"}`)},
			{Partition: 3, Offset: 42, Timestamp: -1},
			{Partition: 0, Offset: 0, Timestamp: 0, Key: []byte{}, Value: []byte{}, Headers: []Header{
				{Key: "trace", Value: []byte{0, 0xff}}, {Key: "", Value: nil}, {Key: "e", Value: []byte{}},
			}},
			{Partition: 3, Offset: 1 << 60, Timestamp: 1 << 50, ValueURI: "gs://lake/quarantine/x.bin", ValueSize: 9 << 20},
			{Partition: math.MaxInt32, Offset: math.MaxInt64, Timestamp: 5},
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

// compressed is the event of the batch as a bridge that pays for bytes sends it.
func compressed(t testing.TB, b *Batch) cloudevents.Event {
	t.Helper()
	e := Encoder{Compress: true}
	for i := range b.Records {
		if !e.Fits(&b.Records[i]) {
			t.Fatalf("record %d does not fit", i)
		}
		e.Add(&b.Records[i])
	}
	return e.Event(b, stamp, "")
}

func wireBytes(e cloudevents.Event) string {
	var wire bytes.Buffer
	attributes := Attributes(e)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(&wire, "%s: %s\n", name, attributes[name])
	}
	fmt.Fprintf(&wire, "\n%s", hex.Dump(e.Data()))
	return wire.String()
}

// readWire is the reverse of wireBytes.
func readWire(t testing.TB, golden string) cloudevents.Event {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	head, dump, _ := strings.Cut(string(text), "\n\n")
	attributes := make(map[string]string)
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		attributes[name] = value
	}
	var data []byte
	for line := range strings.Lines(dump) {
		_, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		digits, _, _ = strings.Cut(digits, "|")
		bytes, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, bytes...)
	}
	e, err := FromMessage(attributes, data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvent_WireBytes(t *testing.T) {
	wire := wireBytes(mustEvent(t, sample()))
	const golden = "testdata/v2.golden"
	if *update {
		for name, text := range map[string]string{golden: wire, "testdata/v2-deflate.golden": wireBytes(compressed(t, sample()))} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), wire); diff != "" {
		t.Errorf("the wire format changed (-want +got):\n%s", diff)
	}
}

// The bytes of deflate may change with the library; those written once are
// read for ever.
func TestFromEvent_ReadsTheGoldenFiles(t *testing.T) {
	old := &Batch{ClusterID: "lkc-1a2b3", Topic: "incidents", TopicID: topicID, Lane: BothLanes, V1: true, Records: []Record{
		{Partition: 3, Offset: 41, Timestamp: 1764000000123, Key: []byte("7"), Value: []byte(`{"id":"7"}`)},
		{Partition: 3, Offset: 42, Timestamp: -1},
		{Partition: 3, Offset: 45, Timestamp: 0, Key: []byte{}, Value: []byte{}, Headers: []Header{
			{Key: "trace", Value: []byte{0, 0xff}}, {Key: "", Value: nil}, {Key: "e", Value: []byte{}},
		}},
		{Partition: 3, Offset: 1 << 60, Timestamp: 1 << 50, ValueURI: "gs://lake/quarantine/x.bin", ValueSize: 9 << 20},
	}}
	for golden, want := range map[string]*Batch{"v1": old, "v2": sample(), "v2-deflate": sample()} {
		got, err := FromEvent(readWire(t, "testdata/"+golden+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", golden, diff)
		}
	}
	if id := old.ID(); id != topicID+"-3-41-1152921504606846976" {
		t.Errorf("the batch of the earlier form has the id %s", id)
	}
}

func v1Golden(t testing.TB) cloudevents.Event { return readWire(t, "testdata/v1.golden") }

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
		for _, e := range []cloudevents.Event{mustEvent(t, b), compressed(t, b)} {
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
		}
		size, data := len(plainHeader)+maxBlockPrefix+len(syncMarker), mustEvent(t, b).Data()
		for i := range b.Records {
			size += EncodedSize(&b.Records[i])
		}
		if size < len(data) || size > len(data)+maxBlockPrefix {
			t.Fatalf("EncodedSize makes it %d bytes, the data has %d", size, len(data))
		}
	}
}

func randomBatch(random *rand.Rand) *Batch {
	b := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID, Lane: []Lane{RowsLane, LakeLane, BothLanes}[random.IntN(3)]}
	b.Retry = b.Lane == BothLanes && random.IntN(2) == 0
	next := map[int32]int64{}
	partitions := 1 + random.IntN(12)
	for range 1 + random.IntN(40) {
		partition := random.Int32() >> 3 % int32(partitions)
		if next[partition] == 0 {
			next[partition] = random.Int64N(1 << uint(1+random.IntN(61)))
		}
		r := Record{Partition: partition, Offset: next[partition], Timestamp: random.Int64N(1<<50) - 1, Key: randomBytes(random, 70), Value: randomBytes(random, 300)}
		for range max(0, random.IntN(8)-5) {
			r.Headers = append(r.Headers, Header{Key: fmt.Sprint("h", random.IntN(9)), Value: randomBytes(random, 20)})
		}
		if random.IntN(20) == 0 {
			r.Value, r.ValueURI, r.ValueSize = nil, "gs://b/o", random.Int64()
		}
		b.Records = append(b.Records, r)
		next[partition] += 1 + random.Int64N(3)
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

func TestEvent_RefusesWhatIsNotABatch(t *testing.T) {
	tests := map[string]func(b *Batch){
		"no records":        func(b *Batch) { b.Records = nil },
		"no lane":           func(b *Batch) { b.Lane = "" },
		"an earlier form":   func(b *Batch) { b.V1 = true },
		"a retry in a lane": func(b *Batch) { b.Retry, b.Lane = true, LakeLane },
		"equal offsets":     func(b *Batch) { b.Records[2].Offset = b.Records[0].Offset },
		"below partition 0": func(b *Batch) { b.Records[0].Partition = -1 },
		"below offset 0":    func(b *Batch) { b.Records[0].Offset = -1 },
		"too many ranges": func(b *Batch) {
			for i := range 200 {
				b.Records = append(b.Records, Record{Partition: int32(100 + i), Offset: 1_000_000})
			}
		},
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
	b := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID, Lane: BothLanes}
	for i := range MaxRecords {
		b.Records = append(b.Records, Record{Offset: 1<<62 + int64(i), Timestamp: -1})
	}
	big := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID, Lane: BothLanes,
		Records: []Record{{Offset: 0, Timestamp: -1, Value: make([]byte, MaxEncodedBytes-overhead-13)}}}
	for _, b := range []*Batch{b, big} {
		got, err := FromEvent(mustEvent(t, b))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) != len(b.Records) {
			t.Errorf("%d records became %d", len(b.Records), len(got.Records))
		}
	}
	if size := len(mustEvent(t, big).Data()); size > MaxEncodedBytes || size < MaxEncodedBytes-2048 {
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
		{"a partition too large", "source", func(e *cloudevents.Event) { e.SetSource("//kafka/c/incidents/4294967296"); e.SetType(EventTypeV1) }},
		{"a source of the earlier form", "source", func(e *cloudevents.Event) { e.SetSource("//kafka/c/incidents/4") }},
		{"the earlier type", "source", func(e *cloudevents.Event) { e.SetType(EventTypeV1) }},
		{"no lane", "lane", extension("lane", nil)},
		{"another lane", "id", extension("lane", "rows")},
		{"an unknown lane", "lane", extension("lane", "fast")},
		{"a retry that has a batch's id", "id", extension("retry", "true")},
		{"half a retry", "retry", extension("retry", "yes")},
		{"a retry of one lane", "retry", func(e *cloudevents.Event) { e.SetExtension("retry", "true"); e.SetExtension("lane", "rows") }},
		{"another subject", "subject", func(e *cloudevents.Event) { e.SetSubject("passenger_flow") }},
		{"another id", "id", func(e *cloudevents.Event) { e.SetID("1") }},
		{"no topic id", "topicid", extension("topicid", nil)},
		{"an upper-case topic id", "topicid", extension("topicid", strings.ToUpper(topicID))},
		{"another topic id", "id", extension("topicid", strings.Replace(topicID, "0", "1", 1))},
		{"no count", "recordcount", extension("recordcount", nil)},
		{"a count of 0", "recordcount", extension("recordcount", 0)},
		{"a count too small", "data", extension("recordcount", "5")},
		{"a count too large", "recordcount", extension("recordcount", "7")},
		{"a count beyond the limit", "recordcount", extension("recordcount", "20001")},
		{"other ranges", "ranges", extension("ranges", "3:41-42")},
		{"no ranges", "ranges", extension("ranges", nil)},
		{"no data", "data", data(func([]byte) []byte { return nil })},
		{"cut data", "data", data(func(b []byte) []byte { return b[:len(b)-20] })},
		{"cut sync marker", "data", data(func(b []byte) []byte { return b[:len(b)-1] })},
		{"no block", "recordcount", data(func(b []byte) []byte { return b[:len(plainHeader)] })},
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
		e.Compress = count == 1
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

// A small batch leaves the memory of a large one for those that follow.
func TestFromEventIn_KeepsItsMemory(t *testing.T) {
	var m Memory
	for _, count := range []int{500, 10, 500} {
		b := ordinary(6)
		b.Records = b.Records[:count]
		got, err := FromEventIn(&m, compressed(t, b))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if cap(m.records) != 500 || cap(m.blocks) < 50_000 {
			t.Errorf("after a batch of %d there is memory for %d records and %d bytes", count, cap(m.records), cap(m.blocks))
		}
	}
}
