package batch

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/flate"
)

// stockRecord is a record as a subscriber without this package declares it.
type stockRecord struct {
	Partition int32         `avro:"partition"`
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
	s := stockRecord{Partition: r.Partition, Offset: r.Offset, Headers: []stockHeader{}}
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
	var want []stockRecord
	for _, r := range b.Records {
		want = append(want, stock(r))
	}
	for name, e := range map[string]cloudevents.Event{"plain": mustEvent(t, b), "compressed": compressed(t, b)} {
		if diff := cmp.Diff(want, readByStock(t, e.Data())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func readByStock(t *testing.T, data []byte) (records []stockRecord) {
	file, err := ocf.NewDecoder(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for file.HasNext() {
		var r stockRecord
		if err := file.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Timestamp != nil {
			*r.Timestamp = r.Timestamp.UTC()
		}
		records = append(records, r)
	}
	if err := file.Error(); err != nil {
		t.Fatal(err)
	}
	return records
}

// A file that another library wrote, in several blocks, with metadata of its
// own and the schema in other words, is read all the same.
func TestFromEvent_ReadsAStockLibrarysFile(t *testing.T) {
	for _, codec := range []ocf.CodecName{ocf.Null, ocf.Deflate} {
		b := sample()
		words := strings.Replace(schemaJSON, `"type":"record","name":"Record"`, ` "name" : "Record", "type" : "record"`, 1)
		words = strings.Replace(words, `"doc":"Kafka offset within the partition.",`, "", 1)
		file := writeByStock(t, b, words, codec)
		if strings.Contains(string(file), schemaJSON) {
			t.Fatal("the file has the schema in the same words: this tests nothing")
		}
		e := mustEvent(t, b)
		e.DataEncoded = file
		got, err := FromEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", codec, diff)
		}
	}
}

func writeByStock(t testing.TB, b *Batch, schema string, codec ocf.CodecName) []byte {
	var file bytes.Buffer
	encoder, err := ocf.NewEncoder(schema, &file, ocf.WithBlockLength(2), ocf.WithCodec(codec),
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
	return file.Bytes()
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

// A small file that counts much, or decompresses to much, must not make the
// reader allocate much.
func TestFromEvent_AllocatesNoMoreThanABatchMayHave(t *testing.T) {
	huge := func(to []byte) []byte { return avroLong(to, 1<<40) }
	blocks := func(header []byte, bodies ...[]byte) []byte {
		file := append([]byte(nil), header...)
		for _, body := range bodies {
			file = avroLong(avroLong(file, 1), int64(len(body)))
			file = append(append(file, body...), syncMarker...)
		}
		return file
	}
	block := func(record []byte) []byte { return blocks(plainHeader, record) }
	headers := func(n int) []byte {
		record := avroLong([]byte{0, 2, 0, 0, 0}, int64(n))
		for range n {
			record = append(record, 0, 0)
		}
		return block(append(record, 0, 0, 0))
	}
	zeros := func(n int) []byte {
		var c compressor
		c.writer, _ = flate.NewWriter(nil, flate.BestCompression)
		return bytes.Clone(c.compress(make([]byte, n)))
	}
	many := make([][]byte, 20)
	for i := range many {
		many[i] = zeros(1 << 20)
	}
	tests := map[string][]byte{
		"records":      append(huge(huge(append([]byte(nil), plainHeader...))), syncMarker...),
		"metadata":     huge([]byte(magic)),
		"a value":      block(huge([]byte{0, 2, 0, 0, 2})),
		"headers":      block(huge([]byte{0, 2, 0, 0, 0})),
		"real headers": headers(3 << 20),
		"one bomb":     blocks(compressedHeader, zeros(64<<20)),
		"many bombs":   blocks(compressedHeader, many...),
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

// Whatever bytes and attributes come, in either form: a batch that encodes
// again to the same, or a *Malformed.
func FuzzFromEvent(f *testing.F) {
	seed := mustEvent(f, sample())
	ranges := sample().Ranges().String()
	f.Add(seed.Data(), seed.Source(), seed.ID(), ranges, "both", "6", false)
	f.Add(compressed(f, sample()).Data(), seed.Source(), seed.ID(), ranges, "both", "6", false)
	f.Add(seed.Data()[:200], seed.Source(), seed.ID(), "3:41-45", "rows", "3", false)
	f.Add([]byte(magic), "//kafka/c/t", "", "", "", "1", false)
	old := v1Golden(f)
	f.Add(old.Data(), old.Source(), old.ID(), "41-1152921504606846976", "", "4", true)
	f.Add([]byte(magic), "//kafka/c/t/0", "", "", "", "1", true)
	f.Fuzz(func(t *testing.T, data []byte, source, id, ranges, lane, count string, v1 bool) {
		e := cloudevents.NewEvent()
		e.SetType(EventType)
		if v1 {
			e.SetType(EventTypeV1)
			first, last, _ := strings.Cut(ranges, "-")
			e.SetExtension(extensionFirstOffset, first)
			e.SetExtension(extensionLastOffset, last)
		}
		e.SetSource(source)
		e.SetSubject("incidents")
		e.SetID(id)
		e.SetExtension(extensionTopicID, topicID)
		e.SetExtension(extensionRanges, ranges)
		e.SetExtension(extensionLane, lane)
		e.SetExtension(extensionRecordCount, count)
		_ = e.SetData(ContentType, data)
		b, err := FromEvent(e)
		if err != nil {
			var fault *Malformed
			if !errors.As(err, &fault) {
				t.Fatalf("%v is not a *Malformed", err)
			}
			return
		}
		b.V1 = false
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

// ordinary is a batch as the simulator's events make them: 5,000 records of
// some 220 bytes, from so many partitions.
func ordinary(partitions int) *Batch {
	b := &Batch{ClusterID: "lkc-1a2b3", Topic: "passenger_flow", TopicID: topicID, Lane: BothLanes}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		b.Records = append(b.Records, Record{
			Partition: int32(i / 10 % partitions), Offset: 1_000_000 + int64(i), Timestamp: 1764000000000 + int64(i), Key: fmt.Append(nil, 5_000_000+i),
			Value: fmt.Appendf(nil, `{"id":"%d","train_id":"%d","station":"Station %c","timestamp":"2026-11-22T07:%02d:%02d+01:00","waiting_time":%.1f,`+
				`"ticket_check_time":%.1f,"reduced_flow_factor":0.%d,"entered":%d,"exited":%d,"zone":"Hall %c"}`, 5_000_000+i, random.IntN(1e6), 'A'+i%4,
				i/60%60, i%60, random.Float64()*20, random.Float64()*5, 1+random.IntN(9), random.IntN(500), random.IntN(500), 'A'+i%7)})
	}
	return b
}

func perRecord(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/record")
}

func BenchmarkEncoder(b *testing.B) {
	for _, compress := range []bool{false, true} {
		for _, partitions := range []int{1, 36} {
			b.Run(fmt.Sprintf("compress=%t/partitions=%d", compress, partitions), func(b *testing.B) {
				of, e := ordinary(partitions), Encoder{Compress: compress}
				var event cloudevents.Event
				b.ReportAllocs()
				for b.Loop() {
					e.Reset()
					for i := range of.Records {
						if size := EncodedSize(&of.Records[i]); e.FitsSize(&of.Records[i], size) {
							e.Add(&of.Records[i])
						}
					}
					event = e.Event(of, stamp, "")
				}
				perRecord(b)
				b.ReportMetric(float64(len(event.Data()))/5000, "bytes/record")
			})
		}
	}
}

func BenchmarkFromEvent(b *testing.B) {
	for name, e := range map[string]cloudevents.Event{"plain": mustEvent(b, ordinary(36)), "compressed": compressed(b, ordinary(36))} {
		b.Run(name, func(b *testing.B) {
			var memory Memory
			b.ReportAllocs()
			for b.Loop() {
				if _, err := FromEventIn(&memory, e); err != nil {
					b.Fatal(err)
				}
			}
			perRecord(b)
		})
	}
}

// What the encoder of the stock library would cost instead.
func BenchmarkStockEncoder(b *testing.B) {
	of := ordinary(1)
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
