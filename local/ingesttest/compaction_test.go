package ingesttest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/ingest/lake"
)

// compacted returns the batch as Kafka has it once it has compacted the
// partition: only the records at these offsets are left.
func compacted(b *batch.Batch, left ...int64) *batch.Batch {
	less := *b
	less.Records = slices.DeleteFunc(slices.Clone(b.Records), func(r batch.Record) bool { return !slices.Contains(left, r.Offset) })
	return &less
}

// mixed returns a batch of ten records at offsets from 100, of which 101, 104
// and 107 are bad.
func mixed() *batch.Batch {
	b := batchOf(incidents(10)...)
	for _, i := range []int{1, 4, 7} {
		b.Records[i].Value = fmt.Appendf(nil, `{"id":%d`, i)
	}
	return b
}

// holdsAllOfMixed checks that each record is in its place, once or more.
func (l *lab) holdsAllOfMixed(t *testing.T) {
	t.Helper()
	for prefix, want := range map[string][]int64{
		"raw/":        {100, 102, 103, 105, 106, 108, 109},
		"quarantine/": {101, 104, 107},
	} {
		if got := slices.Sorted(maps.Keys(l.archived(t, prefix))); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", prefix, got, want)
		}
	}
}

// Kafka compacts a partition between two deliveries: the batch has the same
// first and last offset, and fewer records. What the lake holds stays.
func TestIngest_CompactionBetweenDeliveries(t *testing.T) {
	t.Parallel()
	for name, left := range map[string][]int64{
		"some are left":          {100, 103, 104, 107, 109},
		"good ones are left":     {100, 103, 109},
		"the ends are left":      {100, 109},
		"all but one":            {100, 101, 102, 103, 105, 106, 107, 108, 109},
		"bad ones between":       {100, 101, 104, 107, 109},
		"nothing was compacted":  {100, 101, 102, 103, 104, 105, 106, 107, 108, 109},
		"from another beginning": {103, 104, 107, 109},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, withoutWarehouse)
			b := mixed()
			l.mustDeliver(t, b)
			before := l.lake.objects(t, "")
			less := compacted(b, left...)
			for range 2 {
				l.mustDeliver(t, less)
			}
			l.holdsAllOfMixed(t)
			if after := l.lake.objects(t, ""); left[0] == 100 && !slices.Equal(after, before) { // else the name is another
				t.Errorf("objects %q, want %q", after, before)
			}
			if c := l.function.Counts(); c.Failed != 0 || c.Conflicts != 0 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// A delivery of what was left arrives before one of all, which was on its way
// for longer: what the first object lacks goes into others.
func TestIngest_CompactedDeliveryComesFirst(t *testing.T) {
	t.Parallel()
	l := newLab(t, withoutWarehouse)
	b := mixed()
	l.mustDeliver(t, compacted(b, 100, 104, 109))
	for range 2 {
		l.mustDeliver(t, b)
	}
	l.mustDeliver(t, compacted(b, 100, 106, 107, 109))
	l.holdsAllOfMixed(t)
}

// What is decided about records changes as well, and none of those that the
// object holds is left.
func TestIngest_CompactionAndAnotherDecision(t *testing.T) {
	t.Parallel()
	now := noon
	l := newLab(t, withoutWarehouse, func(c *ingest.Config) { c.Now = func() time.Time { return now } })
	day := 24 * time.Hour
	b := undated(day+time.Minute, day+2*time.Minute, day, day+3*time.Minute, day+4*time.Minute)
	l.mustDeliver(t, b)
	if got := l.archived(t, "raw/"); !maps.Equal(got, map[int64]int{102: 1}) {
		t.Fatalf("at first raw/ holds %v", got)
	}
	now = noon.Add(10 * time.Minute)
	for range 2 {
		l.mustDeliver(t, compacted(b, 100, 103, 104))
	}
	if got, want := l.archived(t, "raw/"), map[int64]int{100: 1, 102: 1, 103: 1, 104: 1}; !maps.Equal(got, want) {
		t.Errorf("raw/ holds %v, want %v", got, want)
	}
	// And back: what the object holds is absurd to this delivery.
	now = noon
	l.mustDeliver(t, compacted(b, 100, 104))
	if got := l.archived(t, "quarantine/"); got[100] == 0 || got[104] == 0 {
		t.Errorf("quarantine/ holds %v", got)
	}
}

// Compaction leaves records as they are: another one under the same offset is
// a conflict, however few are left.
func TestIngest_OtherContentsAfterCompaction(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*batch.Record){
		"other event":           func(r *batch.Record) { r.Value = []byte(incident("another", noon.Add(-time.Minute))) },
		"one field":             func(r *batch.Record) { r.Value = []byte(incident("inc-3", noon.Add(-time.Second))) },
		"in another hour":       func(r *batch.Record) { r.Value = []byte(incident("inc-3", noon.Add(-9*time.Hour))) },
		"a bad event":           func(r *batch.Record) { r.Value = []byte("{}") },
		"nothing":               func(r *batch.Record) { r.Value = nil },
		"other timestamp":       func(r *batch.Record) { r.Timestamp++ },
		"no timestamp any more": func(r *batch.Record) { r.Timestamp = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, withoutWarehouse)
			b := mixed()
			l.mustDeliver(t, b)
			less := compacted(b, 100, 103, 109)
			change(&less.Records[1])
			if got := l.answer(t, eventOf(t, less)); got != http.StatusInternalServerError {
				t.Errorf("answer %d, want 500", got)
			}
			if c := l.function.Counts(); c.Conflicts != 1 || c.Failed != 1 {
				t.Errorf("counts %+v, want a conflict", c)
			}
		})
	}
	for name, change := range map[string]func(*batch.Record){
		"other bytes": func(r *batch.Record) { r.Value = []byte("x") },
		"other key":   func(r *batch.Record) { r.Key = []byte("x") },
		"null key":    func(r *batch.Record) { r.Key = nil },
		"good now":    func(r *batch.Record) { r.Value = []byte(incident("inc-4", noon)) },
	} {
		t.Run("quarantined: "+name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, withoutWarehouse)
			b := mixed()
			l.mustDeliver(t, b)
			less := compacted(b, 100, 104, 107, 109)
			change(&less.Records[1])
			if got := l.answer(t, eventOf(t, less)); got != http.StatusInternalServerError {
				t.Errorf("answer %d, want 500", got)
			}
		})
	}
}

// An object that was put back by hand has the records and no digest; one that
// is something else is not taken for the batch's.
func TestIngest_ObjectsMadeByHand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		contents func(good []byte) []byte
		answer   int
	}{
		"put back":    {func(good []byte) []byte { return good }, http.StatusOK},
		"cut short":   {func(good []byte) []byte { return good[:len(good)/2] }, http.StatusInternalServerError},
		"empty":       {func([]byte) []byte { return nil }, http.StatusInternalServerError},
		"not Parquet": {func([]byte) []byte { return []byte("PAR1 and so on PAR1") }, http.StatusInternalServerError},
		"of a topic without rows": {func([]byte) []byte {
			file, err := lake.Reference("passenger_flow")
			if err != nil {
				t.Fatal(err)
			}
			return file
		}, http.StatusOK}, // the records go into an object of their own
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, withoutWarehouse)
			b := batchOf(incidents(5)...)
			l.mustDeliver(t, b)
			object := l.lake.objects(t, "raw/")[0]
			contents := test.contents(l.lake.read(t, object))
			l.lake.server.CreateObject(fakestorage.Object{
				ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: object}, Content: contents,
			})
			if got := l.answer(t, eventOf(t, b)); got != test.answer {
				t.Errorf("answer %d, want %d", got, test.answer)
			}
			if got := string(l.lake.read(t, object)); got != string(contents) {
				t.Error("the object was overwritten")
			}
			if test.answer == http.StatusOK {
				if got := l.archived(t, "raw/"); len(got) != 5 {
					t.Errorf("raw/ holds %v", got)
				}
			}
		})
	}
}
