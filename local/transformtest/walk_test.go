package transformtest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/expect"
	"github.com/stationflow/stationflow/local/staged"
)

// Whatever comes in whatever order, the figures are those of the records: news
// of some topics, late events of any age, repeated records, rows that become
// visible late, rows that expire, instances that start and work by turns, and
// a full refresh.
func TestWalk_GivesTheFiguresOfAnOracle(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"UTC", "Europe/Paris", "America/St_Johns", "Pacific/Apia"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, zone(t, name), uint64(70+i))
			for step := range 24 {
				if step == 12 {
					w.refresh()
				}
				w.step(step > 12)
			}
		})
	}
}

// A walk is a system with a history.
type walk struct {
	*system
	random    *rand.Rand
	generator *staged.Generator
	at        time.Time        // of the newest arrival
	first     map[string]int64 // when the first record of a topic's hour arrived, in microseconds
	forgotten int64            // up to when staging has forgotten what arrived
	all       []expect.Record  // all that arrived, counted or not
	others    *transform.Transformer
}

func newWalk(t *testing.T, location *time.Location, seed uint64) *walk {
	at := time.Date(2026, 3, 28, 20, 17, 0, 0, location) // the night of a clock change in Paris
	w := &walk{system: start(t, location, at), random: rand.New(rand.NewPCG(seed, 2)), at: at, first: map[string]int64{}}
	w.config.Exclude = []string{"tag:deep"} // as in production
	w.restart()
	w.generator = staged.NewGenerator(seed, nil)
	w.arrive(at, w.events(200, staged.Within(at.Add(-50*time.Hour), at)))
	return w
}

// events are new records whose events happened then.
func (w *walk) events(n int, moments func(*rand.Rand) time.Time) []expect.Record {
	w.generator.Moments = moments
	return w.generator.Records(n)
}

// arrive appends records, and notes which of them the marts can still take: of
// an hour of which staging has forgotten rows they keep what they have.
func (w *walk) arrive(at time.Time, records []expect.Record) {
	w.t.Helper()
	counted := w.Records
	w.Append(at, records...)
	w.all = append(w.all, records...)
	for _, record := range records {
		key := fmt.Sprint(record.Topic, momentOf(record).In(w.config.Location).Format("2006-01-02T15"))
		first, known := w.first[key]
		if !known {
			w.first[key] = at.UnixMicro()
		}
		if !known || first >= w.forgotten {
			counted = append(counted, record)
			w.first[key] = min(w.first[key], at.UnixMicro())
		}
	}
	w.Records = counted
}

func momentOf(record expect.Record) time.Time {
	return reflect.ValueOf(record.Event).FieldByName("Timestamp").Interface().(time.Time)
}

func (w *walk) step(expires bool) {
	w.t.Helper()
	w.at = w.at.Add(time.Duration(1+w.random.IntN(90)) * time.Minute)
	w.now = w.at
	recent := staged.Within(w.at.Add(-2*time.Hour), w.at)
	var done string
	switch w.random.IntN(7) {
	case 0:
		done = "news of one topic"
		topic := event.Topics()[w.random.IntN(len(event.Topics()))]
		w.arrive(w.at, slices.DeleteFunc(w.events(60, recent), func(r expect.Record) bool { return r.Topic != topic }))
	case 1:
		done = "late events"
		w.arrive(w.at, w.events(20, staged.Within(w.at.Add(-20*24*time.Hour), w.at)))
	case 2:
		done = "events of any age"
		w.arrive(w.at, w.events(5, staged.Within(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), w.at)))
	case 3:
		done = "repeated records"
		var again []expect.Record
		for range 20 {
			again = append(again, w.all[w.random.IntN(len(w.all))])
		}
		w.arrive(w.at, append(again, w.events(5, recent)...))
	case 4:
		done = "rows that become visible late"
		w.arrive(w.at, w.events(20, recent))
		w.turn()
		w.run()
		w.arrive(w.at.Add(-9*time.Minute), w.events(20, recent))
	default:
		done = "news"
		w.arrive(w.at, w.events(60, recent))
	}
	if expires && w.random.IntN(2) == 0 {
		done += ", rows expired"
		w.forget(w.at.Add(-time.Duration(1+w.random.IntN(40)) * time.Hour).Truncate(time.Hour))
	}
	w.turn()
	w.run()
	w.verify(fmt.Sprintf("%s at %s", done, w.at.Format(time.DateTime)))
}

// forget removes the hours of arrival before that, as BigQuery does.
func (w *walk) forget(before time.Time) {
	w.forgotten = max(w.forgotten, before.UnixMicro())
	for _, topic := range event.Topics() {
		w.Query(fmt.Sprintf("delete from staging_data.%s where ingested_at < timestamp_micros(%d)", topic, before.UnixMicro()))
	}
}

// turn lets another instance work, or one that has just started.
func (w *walk) turn() {
	switch w.random.IntN(4) {
	case 0:
		w.restart()
	case 1:
		if w.others == nil {
			w.others = w.transform
			w.restart()
		}
		w.others, w.transform = w.transform, w.others
	}
}

// refresh makes everything from staging.
func (w *walk) refresh() {
	runner, err := run.New(w.t.Context(), w.config.Config)
	check(w.t, err)
	defer runner.Close()
	report, err := runner.Run(w.t.Context(), run.Options{FullRefresh: true, Exclude: []string{"tag:deep"}})
	check(w.t, err)
	if !report.OK() {
		w.t.Fatal(faults(report))
	}
	w.verify("a full refresh")
}
