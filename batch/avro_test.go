package batch

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"
)

// stockRecord is a record as a subscriber without this package declares it.
type stockRecord struct {
	Offset    int64         `avro:"offset"`
	Timestamp *time.Time    `avro:"timestamp"`
	Key       *[]byte       `avro:"key"`
	Value     *[]byte       `avro:"value"`
	Headers   []stockHeader `avro:"headers"`
	ValueURI  *string       `avro:"value_uri"`
	ValueSize *int64        `avro:"value_size"`
}

type stockHeader struct {
	Key   string  `avro:"key"`
	Value *[]byte `avro:"value"`
}

func stock(r Record) stockRecord {
	s := stockRecord{Offset: r.Offset, Headers: []stockHeader{}}
	if r.Timestamp >= 0 {
		at := time.UnixMilli(r.Timestamp).UTC()
		s.Timestamp = &at
	}
	if r.Key != nil {
		s.Key = &r.Key
	}
	if r.Value != nil {
		s.Value = &r.Value
	}
	for i := range r.Headers {
		h := stockHeader{Key: r.Headers[i].Key}
		if r.Headers[i].Value != nil {
			h.Value = &r.Headers[i].Value
		}
		s.Headers = append(s.Headers, h)
	}
	if r.ValueURI != "" {
		s.ValueURI, s.ValueSize = &r.ValueURI, &r.ValueSize
	}
	return s
}

func TestEvent_IsReadByAStockLibrary(t *testing.T) {
	b := sample()
	file, err := ocf.NewDecoder(bytes.NewReader(mustEvent(t, b).Data()))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []stockRecord
	for file.HasNext() {
		var r stockRecord
		if err := file.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Timestamp != nil {
			*r.Timestamp = r.Timestamp.UTC()
		}
		got = append(got, r)
	}
	if err := file.Error(); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Records {
		want = append(want, stock(r))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A file that another library wrote, in several blocks, with metadata of its
// own and the schema in other words, is read all the same.
func TestFromEvent_ReadsAStockLibrarysFile(t *testing.T) {
	b := sample()
	words := strings.Replace(schemaJSON, `"type":"record","name":"Record"`, ` "name" : "Record", "type" : "record"`, 1)
	words = strings.Replace(words, `"doc":"Kafka offset within the partition.",`, "", 1)
	var file bytes.Buffer
	encoder, err := ocf.NewEncoder(words, &file, ocf.WithBlockLength(1),
		ocf.WithMetadata(map[string][]byte{"writer": []byte("another")}), ocf.WithSchemaMarshaler(ocf.FullSchemaMarshaler))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Records {
		if err := encoder.Encode(stock(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(file.String(), schemaJSON) {
		t.Fatal("the file has the schema in the same words: this tests nothing")
	}
	e := mustEvent(t, b)
	e.DataEncoded = file.Bytes()
	got, err := FromEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEvent_HeaderKeyThatIsNotUTF8(t *testing.T) {
	b := sample()
	b.Records[0].Headers = []Header{{Key: "a\xff", Value: []byte("v")}}
	got, err := FromEvent(mustEvent(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if key := got.Records[0].Headers[0].Key; key != "a\uFFFD" {
		t.Errorf("the key became %q", key)
	}
}

// A small file that counts much must not make the reader allocate much.
func TestFromEvent_AllocatesNoMoreThanTheDataHolds(t *testing.T) {
	huge := func(to []byte) []byte { return avroLong(to, 1<<40) }
	block := func(record []byte) []byte {
		file := append([]byte(nil), fileHeader...)
		file = avroLong(file, 1)
		file = avroLong(file, int64(len(record)))
		return append(append(file, record...), syncMarker...)
	}
	headers := func(n int) []byte {
		record := avroLong([]byte{2, 0, 0, 0}, int64(n))
		for range n {
			record = append(record, 0, 0)
		}
		return block(append(record, 0, 0, 0))
	}
	tests := map[string][]byte{
		"records":      append(huge(huge(append([]byte(nil), fileHeader...))), syncMarker...),
		"metadata":     huge([]byte(magic)),
		"a value":      block(huge([]byte{2, 0, 0, 2})),
		"headers":      block(huge([]byte{2, 0, 0, 0})),
		"real headers": headers(3 << 20),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			b := sample()
			b.Records = b.Records[:1]
			e := mustEvent(t, b)
			e.DataEncoded = file
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := FromEvent(e)
			runtime.ReadMemStats(&after)
			var fault *Malformed
			if !errors.As(err, &fault) {
				t.Errorf("got %v, want a *Malformed", err)
			}
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 32<<20 {
				t.Errorf("allocated %d bytes for a file of %d", spent, len(file))
			}
		})
	}
}

func avroLong(to []byte, n int64) []byte {
	w := avro.NewWriter(nil, 16)
	w.WriteLong(n)
	return append(to, w.Buffer()...)
}

func FuzzFromEvent(f *testing.F) {
	seed := mustEvent(f, sample())
	f.Add(seed.Data(), seed.Source(), seed.ID(), "41", "1152921504606846976", "4")
	f.Add(seed.Data()[:200], seed.Source(), seed.ID(), "41", "45", "3")
	f.Add([]byte(magic), "//kafka/c/t/0", "", "", "", "1")
	f.Fuzz(func(t *testing.T, data []byte, source, id, first, last, count string) {
		e := cloudevents.NewEvent()
		e.SetType(EventType)
		e.SetSource(source)
		e.SetSubject("incidents")
		e.SetID(id)
		e.SetExtension(extensionTopicID, topicID)
		e.SetExtension(extensionFirstOffset, first)
		e.SetExtension(extensionLastOffset, last)
		e.SetExtension(extensionRecordCount, count)
		_ = e.SetData(ContentType, data)
		b, err := FromEvent(e)
		if err != nil {
			var fault *Malformed
			if !errors.As(err, &fault) {
				t.Fatalf("%v is no *Malformed", err)
			}
			return
		}
		again, err := FromEvent(mustEvent(t, b))
		if err != nil {
			t.Fatalf("reading it a second time: %v", err)
		}
		for i := range b.Records { // encoding repairs these
			for j := range b.Records[i].Headers {
				h := &b.Records[i].Headers[j]
				h.Key = headerKey(h.Key)
			}
		}
		if diff := cmp.Diff(b, again); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

// ordinary is a batch as the simulator makes them: 5,000 records of 220 bytes.
func ordinary() *Batch {
	b := &Batch{ClusterID: "lkc-1a2b3", Topic: "passenger_flow", TopicID: topicID}
	for i := range 5000 {
		b.Records = append(b.Records, Record{Offset: 1_000_000 + int64(i), Timestamp: 1764000000000 + int64(i),
			Key: []byte("0123456789"), Value: bytes.Repeat([]byte("v"), 220)})
	}
	return b
}

func perRecord(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/record")
}

func BenchmarkEncoder(b *testing.B) {
	of := ordinary()
	var e Encoder
	b.ReportAllocs()
	for b.Loop() {
		e.Reset()
		for i := range of.Records {
			if e.Fits(&of.Records[i]) {
				e.Add(&of.Records[i])
			}
		}
		e.Event(of, stamp, "")
	}
	perRecord(b)
}

func BenchmarkFromEvent(b *testing.B) {
	e := mustEvent(b, ordinary())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromEvent(e); err != nil {
			b.Fatal(err)
		}
	}
	perRecord(b)
}

// What the encoder of the stock library would cost instead.
func BenchmarkStockEncoder(b *testing.B) {
	of := ordinary()
	records := make([]stockRecord, len(of.Records))
	for i, r := range of.Records {
		records[i] = stock(r)
	}
	var file bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		file.Reset()
		encoder, err := ocf.NewEncoder(schemaJSON, &file, ocf.WithBlockLength(len(records)))
		if err != nil {
			b.Fatal(err)
		}
		for i := range records {
			if err := encoder.Encode(&records[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := encoder.Close(); err != nil {
			b.Fatal(err)
		}
	}
	perRecord(b)
}
