package ledger

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

type stored struct {
	Topic     string `parquet:"kafka_topic,dict"`
	TopicID   string `parquet:"kafka_topic_id,dict"`
	Partition int64  `parquet:"kafka_partition"`
	Offset    int64  `parquet:"kafka_offset"`
	Other     string `parquet:"other,optional"`
}

func file(t testing.TB, rows ...stored) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[stored](&out, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(40))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func coordinates(content []byte) (map[Place]Spans, error) {
	return readCoordinates(bytes.NewReader(content), int64(len(content)), within{})
}

// What a file holds is read by place, however records of several alternate.
func TestReadCoordinates(t *testing.T) {
	var rows []stored
	for offset := range int64(100) {
		if offset != 50 {
			rows = append(rows, stored{"incidents", incidents, offset % 2, offset / 2, "x"})
		}
	}
	rows = append(rows, stored{"train_arrivals", arrivals, 0, 7, ""})
	got, err := coordinates(file(t, rows...))
	want := map[Place]Spans{zero: {{0, 25}, {26, 50}}, one: {{0, 50}}, train: {{7, 8}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := coordinates(file(t)); err != nil || len(got) != 0 {
		t.Errorf("a file without rows holds %v, %v", got, err)
	}
}

// A file that is cut anywhere, or has other bytes, is never a crash, takes no
// more memory than others, and one that is cut is always told.
func TestReadCoordinates_Damaged(t *testing.T) {
	var rows []stored
	for offset := range int64(60) {
		rows = append(rows, stored{"incidents", incidents, 0, offset, "some text"})
	}
	whole := file(t, rows...)
	for length := range whole {
		if got, err := coordinates(whole[:length]); err == nil {
			t.Fatalf("cut to %d of %d bytes it holds %v", length, len(whole), got)
		}
	}
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 3))
		damaged := bytes.Clone(whole)
		for range 1 + random.IntN(40) {
			damaged[random.IntN(len(damaged))] = byte(random.Uint32())
		}
		before := allocated()
		_, _ = coordinates(damaged) // whatever it says, it returns
		if took := allocated() - before; took > 32<<20 {
			t.Errorf("a file of %d bytes made it take %d MB", len(damaged), took>>20)
		}
	}
	for name, content := range map[string][]byte{"text": []byte("hello"), "nothing": nil, "magic": []byte("PAR1PAR1PAR1")} {
		if got, err := coordinates(content); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
