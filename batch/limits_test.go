package batch

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The encoder's own bounds hold for what it makes, whatever comes: text that
// shrinks, bytes that cannot, small and large records, 100 partitions.
func TestEncoder_KeepsWithinTheLimits(t *testing.T) {
	noise := rand.NewChaCha8([32]byte{1})
	random := rand.New(rand.NewPCG(3, 4))
	value := func(kind string) []byte {
		switch kind {
		case "text":
			return []byte(strings.Repeat(`{"id":"7","station":"Nation"}`, 1+random.IntN(40)))
		case "noise":
			v := make([]byte, 1+random.IntN(2000))
			_, _ = noise.Read(v)
			return v
		case "large noise":
			v := make([]byte, 1+random.IntN(3<<20))
			_, _ = noise.Read(v)
			return v
		}
		return nil
	}
	for _, kind := range []string{"text", "noise", "large noise", "null"} {
		for _, compress := range []bool{false, true} {
			e := Encoder{Compress: compress}
			of := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID, Lane: LakeLane}
			for i := 0; ; i++ {
				r := Record{Partition: int32(i % 6), Offset: int64(i), Timestamp: -1, Value: value(kind)}
				if !e.Fits(&r) {
					break
				}
				need := e.Size() + EncodedSize(&r)
				if need > e.Room() {
					e.Grow(max(need, min(2*e.Room(), MaxEncodedBytes)))
				}
				room := e.Room()
				e.Add(&r)
				if e.Room() != room {
					t.Fatalf("%s, compressed %t: adding up to the room of %d made it %d", kind, compress, room, e.Room())
				}
			}
			bound := e.Size()
			event := e.Event(of, stamp, "")
			if size := len(event.Data()); size > bound || size > MaxEncodedBytes {
				t.Errorf("%s, compressed %t: %d bytes, its bound was %d", kind, compress, size, bound)
			}
			if kind == "noise" && len(event.Data()) < MaxEncodedBytes*9/10 {
				t.Errorf("%s, compressed %t: full with %d bytes", kind, compress, len(event.Data()))
			}
			if compress && kind == "text" && len(event.Data()) > MaxEncodedBytes/4 {
				t.Errorf("text takes %d bytes compressed", len(event.Data()))
			}
			if _, err := FromEvent(event); err != nil {
				t.Errorf("%s, compressed %t: %v", kind, compress, err)
			}
		}
	}
}

func TestEncoder_RangesStayWithinAnAttribute(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var e Encoder
		of := &Batch{ClusterID: "c", Topic: "t", TopicID: topicID, Lane: RowsLane}
		next := make([]int64, 100)
		for i := range next {
			next[i] = random.Int64N(1 << uint(1+random.IntN(60)))
		}
		full := false
		for range 400 {
			partition := random.IntN(len(next))
			r := Record{Partition: int32(partition), Offset: next[partition], Timestamp: -1}
			before := e.Ranges().String()
			fits := e.Fits(&r)
			trial := rangesBuilder{ranges: append(Ranges(nil), e.Ranges()...)}
			trial.add(r.Partition, r.Offset)
			if text := trial.ranges.String(); fits != (len(text) <= MaxRangesBytes) {
				t.Fatalf("%d bytes of ranges after %d: fits is %t", len(text), len(before), fits)
			}
			if !fits {
				full = true
				continue
			}
			e.Add(&r)
			next[partition] += 1 + random.Int64N(1000)
		}
		if !full {
			t.Fatal("the limit was never reached: this tests nothing")
		}
		event := e.Event(of, stamp, "")
		for name, value := range Attributes(event) {
			if len(value) > MaxRangesBytes {
				t.Errorf("attribute %s has %d bytes", name, len(value))
			}
		}
		b, err := FromEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseRanges(b.Ranges().String())
		if err != nil || parsed.String() != e.Ranges().String() {
			t.Errorf("%s was read as %s: %v", e.Ranges(), parsed, err)
		}
	}
}

func TestParseRanges_Refuses(t *testing.T) {
	for _, text := range []string{
		"", ",", "3", "3:", "3:1", "3:1-", "3:1-0", "3:-1-2", "-3:1-2", "03:1-2", "3:01-2", "3:1-2,", "3:1-2,3:4-5", "4:1-2,3:1-2",
		" 3:1-2", "3:1-2 ", "4294967296:1-2", "3:1-9223372036854775808", "3:+1-2", "3:1-2,4:1-2;", strings.Repeat("1", MaxRangesBytes+1),
	} {
		if r, err := ParseRanges(text); err == nil {
			t.Errorf("read %q as %v", text, r)
		}
	}
}

// The hash names objects and batches for ever.
func TestRanges_HashIsStable(t *testing.T) {
	ranges := Ranges{{Partition: 0, First: 5, Last: 5}, {Partition: 11, First: 100, Last: 2000}}
	const want = "3c25a0c852e6202c"
	if got := ranges.hash(topicID); got != want {
		t.Errorf("%s of %s became %s", ranges, topicID, got)
	}
}

// How many partitions a batch has at most, and how many batches 100 of them
// take: docs/architecture.md says so.
func TestRanges_HowManyPartitionsFit(t *testing.T) {
	for first, want := range map[int64][]int{1e7: {49, 48, 3}, 1e9: {41, 41, 18}} {
		var got []int
		var b rangesBuilder
		for partition := range int32(100) {
			if !b.fits(partition, first) {
				got, b = append(got, len(b.ranges)), rangesBuilder{}
			}
			b.add(partition, first)
			b.add(partition, first+5)
		}
		if got = append(got, len(b.ranges)); !slices.Equal(got, want) {
			t.Errorf("offsets from %d on: batches of %v partitions, want %v", first, got, want)
		}
	}
}
