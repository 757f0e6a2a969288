package ingesttest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
)

// archived returns the offsets of all Parquet rows under the prefix.
func (l *lab) archived(t *testing.T, prefix string) map[int64]int {
	t.Helper()
	all := make(map[int64]int)
	for _, name := range l.lake.objects(t, prefix) {
		_, rows := readParquet(t, l.lake.read(t, name))
		for offset, n := range offsets(rows) {
			all[offset] += n
		}
	}
	return all
}

// undated returns a batch whose records have no Kafka timestamp, so that what
// is absurd about their events' times depends on when they are received: each
// is that long after noon.
func undated(ahead ...time.Duration) *batch.Batch {
	b := batchOf(make([]string, len(ahead))...)
	for i, d := range ahead {
		b.Records[i].Timestamp = -1
		b.Records[i].Value = []byte(incident(fmt.Sprintf("inc-%d", i), noon.Add(d)))
	}
	return b
}

// A record that one delivery takes for absurd and the next one does not is in
// the lake after it, though the object of its batch exists by then.
func TestIngest_RecordAcceptedByALaterDelivery(t *testing.T) {
	t.Parallel()
	for _, sinks := range []string{"lake", "lake,warehouse"} {
		t.Run(sinks, func(t *testing.T) {
			t.Parallel()
			now := noon
			l := newLab(t, func(c *ingest.Config) { c.Sinks = strings.Split(sinks, ","); c.Now = func() time.Time { return now } })
			b := undated(24*time.Hour, 24*time.Hour+time.Second, 24*time.Hour+2*time.Second, 24*time.Hour)
			l.lake.decide(func(r *http.Request) outcome { // all but what goes to quarantine
				if isUpload(r) && strings.HasPrefix(r.URL.Query().Get("name"), "quarantine/") {
					return outcome{status: http.StatusForbidden}
				}
				return outcome{}
			})
			err := l.deliver(t, b)
			if got := l.archived(t, "raw/"); len(got) != 2 || (err == nil) == (sinks == "lake") {
				t.Fatalf("the first delivery archived %v and returned %v", got, err)
			}
			var uploads atomic.Int64
			l.lake.decide(func(r *http.Request) outcome {
				if isUpload(r) {
					uploads.Add(1)
				}
				return outcome{}
			})
			now = noon.Add(time.Minute)
			for range 2 {
				l.mustDeliver(t, b)
			}
			if n := uploads.Load(); n != 4 { // each delivery: the batch's object, and the run that it lacks
				t.Errorf("%d uploads, want 4", n)
			}
			if got, want := l.archived(t, "raw/"), (map[int64]int{100: 1, 101: 1, 102: 1, 103: 1}); !maps.Equal(got, want) {
				t.Errorf("raw/ holds %v, want %v", got, want)
			}
			hour := "raw/incidents/dt=2026-11-23/hour=12/incidents-0f9b3c52-"
			if got, want := l.lake.objects(t, "raw/"), []string{
				hour + "4f45ea987516f54d.parquet", // 3:101-102
				hour + "bb6773f0b489b2ab.parquet", // 3:100-103
			}; !slices.Equal(got, want) {
				t.Errorf("objects %q, want %q", got, want)
			}
		})
	}
}

// Whatever the deliveries before have left behind, by whatever clock and cut
// into whatever batches, with Kafka compacting the partition meanwhile: once one
// succeeds, the lake holds each of its records where this delivery wants it,
// and no object was refused.
func TestIngest_LakeHoldsWhatTheLastDeliveryDecided(t *testing.T) {
	t.Parallel()
	const rounds, records, deliveries = 12, 12, 12
	for round := range rounds {
		random := rand.New(rand.NewPCG(uint64(round), 1))
		var now atomic.Pointer[time.Time]
		l := newLab(t, withoutWarehouse, func(c *ingest.Config) { c.Now = func() time.Time { return *now.Load() } })
		ahead := make([]time.Duration, records)
		for i := range ahead {
			ahead[i] = 24*time.Hour + time.Duration(random.IntN(150))*time.Minute // in three hours
		}
		whole := undated(ahead...)
		gone := make(map[int64]bool) // compacted away
		var failing atomic.Bool
		var uploads atomic.Uint64
		l.lake.decide(func(r *http.Request) outcome {
			if n := uploads.Add(1); isUpload(r) && failing.Load() && n%3 != 0 {
				return outcome{status: http.StatusForbidden, serve: n%3 == 1}
			}
			return outcome{}
		})
		for range deliveries {
			at := noon.Add(time.Duration(random.IntN(160)) * time.Minute)
			now.Store(&at)
			first := random.IntN(records)
			b := *whole
			b.Records = slices.DeleteFunc(slices.Clone(whole.Records[first:first+1+random.IntN(records-first)]),
				func(r batch.Record) bool { return gone[r.Offset] })
			if len(b.Records) == 0 {
				continue
			}
			gone[int64(100+random.IntN(2*records))] = true // from the next delivery on
			failing.Store(true)
			if l.deliver(t, &b) != nil {
				failing.Store(false)
				l.mustDeliver(t, &b)
			}
			raw, quarantine := l.archived(t, "raw/"), l.archived(t, "quarantine/")
			for _, r := range b.Records {
				place := raw
				if ahead[r.Offset-100]-24*time.Hour > at.Sub(noon) {
					place = quarantine
				}
				if place[r.Offset] == 0 {
					t.Fatalf("round %d: offset %d is %d times in raw/ and %d times in quarantine/", round, r.Offset, raw[r.Offset], quarantine[r.Offset])
				}
			}
		}
	}
}
