package compacttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/functions/compact"
)

// minutes writes a file for each of so many minutes, of several partitions, and
// redeliveries of some of their records in files that are cut otherwise.
func (l *lab) minutes(random *rand.Rand, files, each int) {
	next := [3]int64{100, 0, 7_000_000}
	var all []record
	for minute := range files {
		var some []record
		arrived := noon.Add(time.Duration(minute) * time.Minute)
		for range each {
			p := random.IntN(3)
			some = append(some, made(random, coordinate{topicID, int64(p), next[p]}, arrived, fmt.Sprintf("batch-%02d", minute)))
			next[p] += 1 + random.Int64N(2)
		}
		l.put(some...)
		all = append(all, some...)
	}
	for again := range files / 3 {
		from := random.IntN(len(all) - each/2)
		var some []record
		arrived := noon.Add(time.Duration(random.IntN(2*files)) * time.Minute) // also before the first delivery
		for _, r := range all[from : from+each/2] {
			some = append(some, made(random, r.coordinate, arrived, fmt.Sprintf("again-%02d", again)))
		}
		l.put(some...)
	}
}

// small has files and windows so small that a few records fill several.
func small(c *compact.Config) { c.ObjectBytes, c.WindowRows, c.HeldBytes = 6000, 40, 8000 }

// later moves the clock of the function.
func (l *lab) later(by time.Duration) { l.ahead += by }

// settled checks the end: only merged objects are left, with each record once, in
// the order of the offsets.
func (l *lab) settled() {
	l.t.Helper()
	rows := 0
	generations := map[string]bool{}
	objects := l.objects()
	slices.SortFunc(objects, func(a, b objectAttrs) int { return order(a.Name) - order(b.Name) })
	for _, o := range objects {
		found := regexp.MustCompile(`/incidents-0f9b3c52-compact-([0-9a-f]{16})(-\d{5})?\.parquet$`).FindStringSubmatch(o.Name)
		if found == nil {
			l.t.Errorf("object %s is left", o.Name)
			continue
		}
		generations[found[1]] = true
		perPartition := map[int64]int64{}
		for _, row := range l.rows(o) {
			rows++
			partition, offset := row[columnOf("kafka_partition")].Int64(), row[columnOf("kafka_offset")].Int64()
			if before, seen := perPartition[partition]; seen && before >= offset {
				l.t.Errorf("in %s offset %d of partition %d is behind %d", o.Name, offset, partition, before)
			}
			perPartition[partition] = offset
		}
		l.checkBounds(o)
	}
	if rows != len(l.want) || len(generations) != 1 {
		l.t.Errorf("%d rows of %d records are left, of %d merges: %q", rows, len(l.want), len(generations), l.names())
	}
	l.look()
}

// checkBounds holds what the footer says of each row group's stations against its
// rows: readers leave out row groups by that.
func (l *lab) checkBounds(o objectAttrs) {
	l.t.Helper()
	content, err := l.server.GetObject(bucket, o.Name)
	if err != nil {
		l.t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(content.Content), int64(len(content.Content)))
	if err != nil {
		l.t.Fatal(err)
	}
	rows, at := l.rows(o), columnOf("station")
	for g, group := range file.Metadata().RowGroups {
		bounds := group.Columns[at].MetaData.Statistics
		for _, row := range rows[:group.NumRows] {
			if station := row[at].ByteArray(); bytes.Compare(station, bounds.MinValue) < 0 || bytes.Compare(station, bounds.MaxValue) > 0 {
				l.t.Errorf("row group %d of %s says its stations are from %q to %q, and has %q", g, o.Name, bounds.MinValue, bounds.MaxValue, station)
				return
			}
		}
		rows = rows[group.NumRows:]
	}
}

func order(name string) int {
	found := regexp.MustCompile(`-(\d{5})\.parquet$`).FindStringSubmatch(name)
	if found == nil {
		return 1 << 20
	}
	n := 0
	fmt.Sscan(strings.TrimLeft(found[1], "0"), &n)
	return n
}

// A closed hour becomes one object with each record once, in order, and what it
// replaces goes after the grace time.
func TestCompact_ClosedHour(t *testing.T) {
	l := newLab(t)
	random := rand.New(rand.NewPCG(1, 1))
	l.minutes(random, 9, 30)
	files := len(l.objects())

	if r := l.mustRun(); len(r.Hours) != 0 || r.Waiting != 1 {
		t.Fatalf("files are young: %+v", r)
	}
	l.later(2 * time.Hour)
	r := l.mustRun()
	if len(r.Hours) != 1 || r.Hours[0].Objects != files || r.Hours[0].Into != 1 || r.Hours[0].Records != int64(len(l.want)) || r.Hours[0].Duplicates == 0 {
		t.Fatalf("%+v", r)
	}
	if n := len(l.objects()); n != files+1 {
		t.Errorf("%d objects, want %d and what they were merged into", n, files)
	}
	if r := l.mustRun(); len(r.Hours) != 0 || r.Replaced != files || r.Deleted != 0 {
		t.Errorf("again: %+v", r)
	}
	l.later(7 * time.Hour)
	if r := l.mustRun(); r.Deleted != files || len(r.Hours) != 0 {
		t.Errorf("after the grace time: %+v", r)
	}
	l.settled()
	if r := l.mustRun(); len(r.Hours)+r.Deleted+r.Waiting+r.Replaced != 0 {
		t.Errorf("at the end: %+v", r)
	}
}

// Large hours become several objects, with a window of the records in memory at
// a time.
func TestCompact_SeveralObjects(t *testing.T) {
	l := newLab(t)
	l.minutes(rand.New(rand.NewPCG(2, 1)), 12, 40)
	l.later(2 * time.Hour)
	r := l.mustRun(small)
	if r.Hours[0].Into < 3 || r.Hours[0].Records != int64(len(l.want)) {
		t.Fatalf("%+v", r)
	}
	l.later(7 * time.Hour)
	l.mustRun(small)
	l.settled()
	for _, o := range l.objects() {
		if o.Size > 6000+4000 { // and its footer
			t.Errorf("%s has %d bytes", o.Name, o.Size)
		}
	}
	if r := l.mustRun(small); len(r.Hours)+r.Deleted+r.Waiting+r.Replaced != 0 {
		t.Errorf("at the end: %+v", r)
	}
}

// Files that come late are merged later, once no more come, or after a day of
// them; so is a file that is delivered again after it was deleted.
func TestCompact_LateFiles(t *testing.T) {
	l := newLab(t)
	random := rand.New(rand.NewPCG(3, 1))
	l.minutes(random, 6, 30)
	l.later(2 * time.Hour)
	l.mustRun()
	first := make([]record, 0, 40)
	for i := range 10 {
		first = append(first, made(random, coordinate{topicID, 1, int64(2000 + i)}, noon.Add(3*time.Hour), "late"))
	}
	l.put(first...)
	if r := l.mustRun(); len(r.Hours) != 0 || r.Waiting != 1 {
		t.Fatalf("a file has just come: %+v", r)
	}
	l.later(2 * time.Hour)
	if r := l.mustRun(); len(r.Hours) != 1 || r.Hours[0].Objects != 2 {
		t.Fatalf("a late file is merged with what was merged: %+v", r)
	}
	l.later(7 * time.Hour)
	l.mustRun()
	l.settled()

	l.put(first...) // again, after it is gone
	l.later(2 * time.Hour)
	if r := l.mustRun(); len(r.Hours) != 1 || r.Hours[0].Duplicates != 10 {
		t.Fatalf("%+v", r)
	}
	l.later(7 * time.Hour)
	l.mustRun()
	l.settled()

	merged := 0
	for hour := range 60 { // one each hour, which keeps it open
		l.put(made(random, coordinate{topicID, 2, int64(90_000_000 + hour)}, noon.Add(time.Duration(hour)*time.Hour), "trickle"))
		merged += len(l.mustRun(func(c *compact.Config) { c.After = 90 * time.Minute }).Hours)
		l.later(time.Hour)
	}
	if merged < 1 || merged > 3 {
		t.Errorf("late files of 60 hours were merged %d times, want about once a day", merged)
	}
	l.later(10 * time.Hour)
	l.mustRun()
	l.later(10 * time.Hour)
	l.mustRun()
	l.settled()
}

// errCrash is what a call ends with when the process is gone.
var errCrash = errors.New("the process was killed")

// crashing ends the process at the call: before the server hears of it, or
// before its answer arrives.
func crashing(at int, served bool, kill context.CancelFunc) func(int, *http.Request) outcome {
	return func(call int, _ *http.Request) outcome {
		if call < at {
			return outcome{}
		}
		if served && call == at {
			return outcome{err: errCrash, served: true, then: kill}
		}
		kill()
		return outcome{err: errCrash}
	}
}

// Wherever a call is killed, readers find every record, and the next calls
// end what it has begun: at merging, and at deleting.
func TestCompact_KilledAtEveryCall(t *testing.T) {
	for _, phase := range []string{"merging", "deleting"} {
		for _, served := range []bool{false, true} {
			for at, done := 1, false; !done && at < 200; at++ {
				t.Run(fmt.Sprintf("%s, call %d, served %v", phase, at, served), func(t *testing.T) {
					l := newLab(t)
					l.minutes(rand.New(rand.NewPCG(4, 1)), 5, 20)
					l.later(2 * time.Hour)
					if phase == "deleting" {
						l.mustRun(small)
						l.later(7 * time.Hour)
					}
					ctx, kill := context.WithCancel(t.Context())
					defer kill()
					l.decide(crashing(at, served, kill))
					_, err := l.run(ctx, small)
					done = err == nil // there was no such call
					l.decide(nil)
					l.look()
					before := len(l.names())
					l.mustRun(small)
					if phase == "merging" && !done && len(l.names()) < before {
						t.Error("objects went before their time")
					}
					l.later(7 * time.Hour)
					l.mustRun(small)
					l.later(7 * time.Hour)
					l.mustRun(small)
					l.settled()
				})
			}
		}
	}
}

// An answer that is lost, at any call, is made up for within the call.
func TestCompact_LostAnswers(t *testing.T) {
	const calls = 60 // there are fewer
	for at := range calls {
		t.Run(fmt.Sprint("call ", at+1), func(t *testing.T) {
			t.Parallel() // the client pauses before it tries again
			l := newLab(t)
			l.minutes(rand.New(rand.NewPCG(5, 1)), 4, 20)
			l.later(2 * time.Hour)
			l.decide(func(call int, _ *http.Request) outcome {
				if call != at+1 {
					return outcome{}
				}
				return outcome{err: errReset, served: true}
			})
			l.mustRun(small)
			l.later(7 * time.Hour)
			l.mustRun(small)
			l.settled()
			if l.calls > calls {
				t.Errorf("there are %d calls", l.calls)
			}
		})
	}
}

// A second call that runs as a whole within the first one, before any of its
// steps, does no harm: nothing is missing, and nothing doubled in the end.
func TestCompact_TwoAtOnce(t *testing.T) {
	for _, phase := range []string{"merging", "deleting", "without grace"} {
		for at, done := 1, false; !done && at < 200; at++ {
			l := newLab(t)
			random := rand.New(rand.NewPCG(6, 1))
			l.minutes(random, 4, 20)
			l.later(2 * time.Hour)
			adjust := small
			if phase == "without grace" {
				adjust = func(c *compact.Config) { small(c); c.Grace = 0 }
			}
			if phase != "merging" {
				l.mustRun(adjust)
				l.later(7 * time.Hour)
			}
			if phase == "without grace" {
				l.put(made(random, coordinate{topicID, 1, 5000}, noon, "late"))
				l.later(2 * time.Hour)
			}
			var once sync.Once
			hit := false
			l.decide(func(call int, _ *http.Request) outcome {
				if call == at {
					once.Do(func() {
						hit = true
						if _, err := l.run(t.Context(), adjust); err != nil {
							t.Errorf("%s: the second, at call %d of the first: %v", phase, at, err)
						}
					})
				}
				return outcome{}
			})
			l.mustRun(adjust)
			done = !hit
			for range 4 {
				l.later(7 * time.Hour)
				l.mustRun(adjust)
			}
			l.settled()
			if t.Failed() {
				t.Fatalf("%s, call %d", phase, at)
			}
		}
	}
}

// Whatever happens in whatever order, readers find every record after each step,
// and once in the end: files come, late, again and twice; calls are killed, and
// two run at once; time passes.
func TestCompact_AnythingInAnyOrder(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 77))
			l := newLab(t)
			l.minutes(random, 2+random.IntN(5), 10+random.IntN(30))
			var given [][]record
			next := int64(500_000)
			for range 14 {
				switch random.IntN(7) {
				case 0: // a late file
					var some []record
					for range 1 + random.IntN(30) {
						next += 1 + random.Int64N(3)
						some = append(some, made(random, coordinate{topicID, random.Int64N(3), next}, noon.Add(time.Duration(random.IntN(400))*time.Minute), fmt.Sprint("late-", next)))
					}
					l.put(some...)
					given = append(given, some)
				case 1: // one that was deleted perhaps comes again, or in another cut
					if len(given) > 0 {
						some := given[random.IntN(len(given))]
						l.put(some[random.IntN(len(some)):]...)
					}
				case 2:
					l.later(time.Duration(random.IntN(12)) * time.Hour)
				case 3: // killed
					ctx, kill := context.WithCancel(t.Context())
					l.decide(crashing(1+random.IntN(25), random.IntN(2) == 0, kill))
					_, _ = l.run(ctx, small)
					kill()
					l.decide(nil)
				case 4: // two at once
					var both sync.WaitGroup
					for range 2 {
						both.Go(func() {
							if _, err := l.run(t.Context(), small); err != nil {
								t.Errorf("one of two: %v", err)
							}
						})
					}
					both.Wait()
				default:
					l.mustRun(small)
				}
				l.look()
				if t.Failed() {
					return
				}
			}
			for range 5 {
				l.later(8 * time.Hour)
				l.mustRun(small)
			}
			l.settled()
		})
	}
}
