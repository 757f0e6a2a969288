package compacttest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

const folder = "raw/incidents/dt=2026-11-22/hour=11/"

// What cannot be merged stays as it is and is named; all else of the hour is
// merged.
func TestCompact_LeavesWhatItCannotMerge(t *testing.T) {
	schema, _ := event.SchemaOf(topic)
	own := schema.StagingColumns()
	random := rand.New(rand.NewPCG(7, 1))
	some := func(id string, offset int64) []record {
		return []record{made(random, coordinate{id, 1, offset}, noon, "x")}
	}
	elsewhere := some(topicID, 900)
	elsewhere[0].values[columnOf("kafka_topic")] = event.StringValue([]byte("passenger_flow"))
	numbers := slices.Clone(own)
	numbers[columnOf("station")].Type = event.Int64
	for name, c := range map[string]struct {
		content func(t *testing.T) []byte
		why     string
	}{
		"cut": {func(t *testing.T) []byte {
			whole := encoded(t, format, some(topicID, 1))
			return whole[:len(whole)-30]
		}, "no Parquet file"},
		"empty":             {func(*testing.T) []byte { return nil }, "no Parquet file"},
		"not Parquet":       {func(*testing.T) []byte { return []byte("hello") }, "no Parquet file"},
		"of another topic":  {func(t *testing.T) []byte { return encoded(t, format, elsewhere) }, `records of topic "passenger_flow"`},
		"of another id":     {func(t *testing.T) []byte { return encoded(t, format, some("1"+topicID[1:], 1)) }, "records of topic id"},
		"of a newer column": {func(t *testing.T) []byte { return encoded(t, with(own, "reporter"), some(topicID, 1)) }, "a column reporter, which this program does not know"},
		"without a column":  {func(t *testing.T) []byte { return encoded(t, without(own, "station"), some(topicID, 1)) }, "no column station"},
		"of another type":   {func(t *testing.T) []byte { return encoded(t, pages.NewFormat(topic, numbers), some(topicID, 1)) }, "its column station is"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.minutes(rand.New(rand.NewPCG(8, 1)), 4, 20)
			content := c.content(t)
			l.write(folder+"incidents-0f9b3c52-aaaaaaaaaaaaaaaa.parquet", content, "1:1-1")
			l.write(folder+"notes.txt", []byte("hello"), "")
			l.quiet = true // what a reader makes of such a file is its own affair
			l.later(2 * time.Hour)
			r := l.mustRun()
			if len(r.Hours) != 1 || r.Hours[0].Records != int64(len(l.want)) || len(r.Left) != 1 || !strings.Contains(r.Left[0], c.why) {
				t.Fatalf("%+v, want that %s", r, c.why)
			}
			l.later(7 * time.Hour)
			r = l.mustRun()
			if len(r.Hours) != 0 || r.Deleted == 0 || len(r.Left) != 1 {
				t.Errorf("later: %+v", r)
			}
			if names := l.names(); len(names) != 3 || names[0] != "incidents-0f9b3c52-aaaaaaaaaaaaaaaa.parquet" || names[2] != "notes.txt" {
				t.Errorf("objects %q", names)
			}
		})
	}
}

func with(columns []event.Column, name string) *pages.Format {
	return pages.NewFormat(topic, append(slices.Clone(columns), event.Column{Name: name, Type: event.String, Nullable: true}))
}

func without(columns []event.Column, name string) *pages.Format {
	return pages.NewFormat(topic, slices.DeleteFunc(slices.Clone(columns), func(c event.Column) bool { return c.Name == name }))
}

// Files of a program that knew fewer columns are merged; their rows have NULL.
// Those of a topic that was made again are another's.
func TestCompact_OldColumnsAndOtherTopicIDs(t *testing.T) {
	l := newLab(t)
	random := rand.New(rand.NewPCG(9, 1))
	schema, _ := event.SchemaOf(topic)
	l.minutes(random, 3, 20)
	old := made(random, coordinate{topicID, 5, 77}, noon, "old")
	old.values[columnOf("kafka_key")], old.values[columnOf("schema_id")] = event.Value{}, event.Value{}
	older := slices.DeleteFunc(schema.StagingColumns(), func(c event.Column) bool { return c.Name == "kafka_key" || c.Name == "schema_id" })
	l.want[old.coordinate] = old
	l.write(folder+"incidents-0f9b3c52-00005-00000000000000000077-00000000000000000077.parquet", encoded(t, pages.NewFormat(topic, older), []record{old}), "")
	other := "1" + topicID[1:]
	for i := range 3 {
		l.put(made(random, coordinate{other, 1, int64(100 + i)}, noon, fmt.Sprint("other-", i))) // the same offsets
	}
	l.later(2 * time.Hour)
	if r := l.mustRun(); len(r.Hours) != 2 || len(r.Left) != 0 {
		t.Fatalf("%+v", r)
	}
	l.later(7 * time.Hour)
	l.mustRun()
	l.look()
	if n := len(l.names()); n != 2 {
		t.Errorf("objects %q", l.names())
	}
}

// Nothing is deleted while what replaces it is not what was written.
func TestCompact_DeletesNothingForADamagedMerge(t *testing.T) {
	for _, damage := range []string{"exchanged", "cut", "gone"} {
		l := newLab(t)
		random := rand.New(rand.NewPCG(10, 1))
		l.minutes(random, 4, 20)
		files := l.names()
		l.later(2 * time.Hour)
		l.mustRun(small)
		for _, o := range l.objects() {
			if !strings.Contains(o.Name, "-compact-") || !strings.HasSuffix(o.Name, "-00001.parquet") {
				continue
			}
			whole, err := l.server.GetObject(bucket, o.Name)
			if err != nil {
				t.Fatal(err)
			}
			switch damage {
			case "gone":
				deleted(t, l, o.Name)
				continue
			case "cut":
				whole.Content = whole.Content[:len(whole.Content)/2]
			case "exchanged":
				whole.Content = encoded(t, format, []record{made(random, coordinate{topicID, 2, 1}, noon, "y")})
			}
			l.server.CreateObject(whole)
		}
		l.quiet = true
		l.later(7 * time.Hour)
		r, err := l.run(t.Context(), small)
		if damage != "gone" && err == nil {
			t.Errorf("%s: %+v", damage, r)
		}
		for _, name := range files {
			if !slices.Contains(l.names(), name) {
				t.Errorf("%s: %s was deleted", damage, name)
			}
		}
	}
}

func deleted(t *testing.T, l *lab, name string) {
	t.Helper()
	c := l.client()
	defer func() { _ = c.Close() }()
	if err := c.Bucket(bucket).Object(name).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The memory that a merge takes does not grow with the hour.
func TestMemory_OfAMergeIsBounded(t *testing.T) {
	l := newLab(t)
	l.quiet = true
	random := rand.New(rand.NewPCG(11, 1))
	const files, each = 40, 10_000
	base := make([]record, each)
	for i := range base {
		base[i] = made(random, coordinate{topicID, int64(i % 6), int64(i)}, noon, "batch")
	}
	for f := range files {
		for i := range base {
			base[i].offset = int64(f*each + i)
			base[i].values[columnOf("kafka_offset")] = event.IntValue(base[i].offset)
		}
		b := batchOf(base)
		l.write(fmt.Sprintf("%sincidents-0f9b3c52-%016x.parquet", folder, f), encoded(t, format, base), b.Ranges().String())
	}
	l.later(2 * time.Hour)
	stop, peak := make(chan struct{}), uint64(0)
	var sampled sync.WaitGroup
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sampled.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
			}
		}
	})
	r := l.mustRun(func(c *compact.Config) {
		c.WindowRows, c.ObjectBytes, c.HeldBytes = 1<<13, 1<<20, 1<<20
	})
	close(stop)
	sampled.Wait()
	if len(r.Hours) != 1 || r.Hours[0].Records != files*each || r.Hours[0].Into < 4 {
		t.Fatalf("%+v", r)
	}
	// The rows alone would take some 300 MB in memory; the server keeps what it
	// is sent, compressed.
	if grown := (int64(peak) - int64(before.HeapAlloc)) >> 20; grown > 150 {
		t.Errorf("%d MiB more were in use, of %d records", grown, files*each)
	} else {
		t.Logf("%d MiB more were in use, of %d records in %d objects of %d bytes", grown, files*each, r.Hours[0].Into, r.Hours[0].BytesAfter)
	}
}

// processorTime is what the process has used, with the server that it talks to.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A closed hour of a topic at 20 records a second: 60 files of 336 records.
func BenchmarkMerge(b *testing.B) {
	t := &testing.T{}
	random := rand.New(rand.NewPCG(12, 1))
	const files, each = 60, 336 // of a topic at 20 records a second
	records, used := 0, time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		l := newLab(t)
		l.quiet = true
		for f := range files {
			some := make([]record, each)
			for i := range some {
				some[i] = made(random, coordinate{topicID, int64(i % 6), int64(f*each + i)}, noon, fmt.Sprint("batch-", f))
			}
			l.write(fmt.Sprintf("%sincidents-0f9b3c52-%016x.parquet", folder, f), encoded(t, format, some), "")
		}
		l.later(2 * time.Hour)
		b.StartTimer()
		before := processorTime()
		r, err := l.run(b.Context())
		used += processorTime() - before
		if err != nil || len(r.Hours) != 1 {
			b.Fatal(r, err)
		}
		records += int(r.Hours[0].Records)
		b.ReportMetric(float64(r.Hours[0].BytesAfter)/float64(r.Hours[0].Bytes), "size/before")
	}
	b.ReportMetric(float64(records)/used.Seconds(), "records/CPU-s")
}
