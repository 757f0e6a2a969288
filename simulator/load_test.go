package simulator_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// load runs a network at a rate, from a day before the bubble's clock, and
// returns when how many events were written.
func load(t *testing.T, config simulator.RunConfig, slow time.Duration) (simulator.Progress, []written) {
	t.Helper()
	network := simulator.Config{Seed: 1, Start: bubble.AddDate(0, 0, 60)}
	time.Sleep(61 * 24 * time.Hour) // a bubble begins in 2000, before which all is absurd
	j := &journal{slow: slow}
	config.Speed = 1
	config.Network = simulator.New(network.ForRate(config.Rate))
	done, log, err := j.play(t.Context(), config)
	if err != nil || log != "" {
		t.Fatalf("ended with %v, having said %q", err, log)
	}
	return done, j.steps
}

func TestRun_KeepsTheRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.5, 3, 10, 1000, 20_000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				done, writes := load(t, simulator.RunConfig{Rate: rate, For: 10 * time.Second}, 0)
				over := done.Total() - int(10*rate) // part of the last slice
				if over < 0 || over > int(rate/50) || done.Elapsed != 10*time.Second {
					t.Errorf("%d events in %v, want %v in 10 s", done.Total(), done.Elapsed, 10*rate)
				}
				// Smoothly: what was written at any moment is what was due, to
				// within a slice of 20 ms.
				sent := 0
				for _, w := range writes {
					if due := rate * w.at.Seconds(); math.Abs(float64(sent)-due) > 1+rate/1000 {
						t.Fatalf("%d events were written before %v, want %.1f", sent, w.at, due)
					}
					if most := max(1, int(rate/50)); len(w.events) > most {
						t.Fatalf("%d events were written at once, want %d at most", len(w.events), most)
					}
					sent += len(w.events)
				}
			})
		})
	}
}

// A sink that stops for half a second is made up for, one that stops for long
// is not.
func TestRun_RateAfterAPause(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		pause time.Duration
		want  int
	}{{500 * time.Millisecond, 10_000}, {4 * time.Second, 7_000}} {
		t.Run(row.pause.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(61 * 24 * time.Hour)
				network := simulator.Config{Seed: 1, Start: bubble.AddDate(0, 0, 60)}
				j := &journal{}
				j.check = func([]simulator.Event) {
					if len(j.steps) == 100 {
						time.Sleep(row.pause)
					}
				}
				done, _, err := j.play(t.Context(), simulator.RunConfig{Rate: 1000, Speed: 1, For: 10 * time.Second, Network: simulator.New(network.ForRate(1000))})
				if err != nil || math.Abs(float64(done.Total()-row.want)) > 40 {
					t.Errorf("%d events (%v), want %d", done.Total(), err, row.want)
				}
			})
		})
	}
}

// A sink that is slower than the rate gets whole steps, as fast as it takes
// them.
func TestRun_RateBeyondTheSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done, writes := load(t, simulator.RunConfig{Rate: 1e6, For: 2 * time.Second}, 100*time.Millisecond)
		if len(writes) != 20 || done.Total() < 20*largestStep/2 || done.Elapsed != 2*time.Second {
			t.Errorf("%d events in %d writes in %v", done.Total(), len(writes), done.Elapsed)
		}
	})
}

// largestStep is about how many events a step of the largest load has.
const largestStep = 20_000

func TestRun_RateEndsWithinAStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1010*time.Millisecond)
		defer cancel()
		j := &journal{}
		done, _, err := j.play(ctx, simulator.RunConfig{Rate: 10, Speed: 1})
		if err != nil || done.Total() != 11 || done.Steps != 0 || done.Elapsed != 1010*time.Millisecond {
			t.Errorf("ended with %v after %v and %v", done, done.Elapsed, err)
		}
	})
}

func TestRun_RefusesRates(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{-1, 1e-9, math.NaN()} {
		if _, _, err := new(journal).play(t.Context(), simulator.RunConfig{Speed: 1, Rate: rate, Steps: 1}); err == nil {
			t.Errorf("a rate of %v is taken", rate)
		}
	}
}

// A load plays the day from its start over and over: in time order within the
// day, with the mix of a plain network, and no id or train twice.
func TestForRate_RepeatsTheDay(t *testing.T) {
	t.Parallel()
	for _, start := range []time.Time{sunday(time.UTC), sunday(time.UTC).Add(8*time.Hour + 32*time.Minute), sunday(time.UTC).Add(-3 * time.Hour)} {
		t.Run(start.Format(time.TimeOnly), func(t *testing.T) {
			t.Parallel()
			const lines, laps = 3, 4
			n := simulator.New(simulator.Config{Seed: 2, Start: start, Lines: lines, Repeat: true})
			first, end := n.Now(), n.Now().AddDate(0, 0, 1)
			type train struct {
				lap             int
				station, number string
				due             int64
			}
			ids, trains, counts, decode := map[string]bool{}, map[train]string{}, map[string]int{}, newDecoders()
			begun, steps := 0, 0
			for last := (time.Time{}); begun <= laps; steps++ {
				if n.Now().Equal(first) {
					begun, last = begun+1, first
				}
				if begun > laps {
					break
				}
				for _, e := range n.Step() {
					if e.Time.Before(last) || !e.Time.Before(end) {
						t.Fatalf("%s comes after %s, in the day from %s", e.Value, last, first)
					}
					last = e.Time
					if ids[e.Key] {
						t.Fatalf("id %s occurs twice", e.Key)
					}
					ids[e.Key] = true
					counts[e.Topic]++
					if e.Topic == "train_arrivals" {
						row := decode.row(t, e)
						name := train{begun, string(row[1].Text()), string(row[7].Text()), row[8].Int()}
						if trains[name] != "" {
							t.Fatalf("%s is the train of %s", e.Value, trains[name])
						}
						trains[name] = string(e.Value)
					}
				}
			}
			if steps < laps*203 || steps > laps*204 {
				t.Errorf("%d steps in %d days", steps, laps)
			}
			if counts["train_arrivals"] != counts["train_departures"] || counts["train_arrivals"] != counts["passenger_flow"] {
				t.Errorf("not every arrival brings a departure and a flow: %v", counts)
			}
			checkMix(t, counts)
		})
	}
}

// A day that is begun again knows nothing of the incidents of the one before.
func TestForRate_DaysHaveTheirOwnTrouble(t *testing.T) {
	t.Parallel()
	n := simulator.New(simulator.Config{Seed: 2, Start: sunday(time.UTC), Repeat: true})
	reduced, decode := 0, newDecoders()
	for range 40 {
		type incident struct {
			station    string
			begin, end time.Time
		}
		var incidents []incident
		var flows []simulator.Event
		for range 203 {
			for _, e := range n.Step() {
				switch e.Topic {
				case "incidents":
					row := decode.row(t, e)
					lasts := time.Duration(math.Round(row[6].Float()*60)) * time.Second
					incidents = append(incidents, incident{string(row[2].Text()), e.Time, e.Time.Add(lasts)})
				case "passenger_flow":
					flows = append(flows, e)
				}
			}
		}
		for _, e := range flows {
			row := decode.row(t, e)
			if row[6].Float() == 1 {
				continue
			}
			reduced++
			if !slices.ContainsFunc(incidents, func(i incident) bool {
				return i.station == string(row[2].Text()) && !e.Time.Before(i.begin) && e.Time.Before(i.end)
			}) {
				t.Fatalf("%s has reduced flow without an incident", e.Value)
			}
		}
	}
	if reduced == 0 {
		t.Error("the flow is never reduced")
	}
}

// plainMix is how many events of each topic a plain network has in 40 days.
var plainMix = sync.OnceValue(func() map[string]int {
	return countDays(simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)}), 40)
})

// checkMix compares the topics' shares with those of a plain network.
func checkMix(t *testing.T, got map[string]int) {
	t.Helper()
	plain, total, sum := plainMix(), 0, 0
	for _, count := range plain {
		total += count
	}
	for _, count := range got {
		sum += count
	}
	for _, topic := range event.Topics() {
		want, have := float64(plain[topic])/float64(total), float64(got[topic])/float64(sum)
		if math.Abs(have-want) > 0.02*want+0.0005 {
			t.Errorf("%s is %.4f of the events, want %.4f", topic, have, want)
		}
	}
}

func TestForRate_StepsAreOfUsefulSize(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]int{0.1: 1, 10: 1, 100: 7, 1000: 79, 1e6: 531} {
		if got := (simulator.Config{}).ForRate(rate).Lines; got != want {
			t.Errorf("%v events a second take %d lines, want %d", rate, got, want)
		}
	}
	big := simulator.Config{Plan: simulator.Plan{Stations: make([]simulator.Station, 1000)}}
	if got := big.ForRate(1e6).Lines; got != 2 {
		t.Errorf("a thousand stations get %d lines", got)
	}
}

// The bytes of a load are the same each time, and those of the first line are
// no other than without the others.
func TestForRate_IsGolden(t *testing.T) {
	n := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC), Legacy: true}.ForRate(500))
	h := sha256.New()
	for range 210 {
		h.Write(lines(n.Step()))
	}
	checkGolden(t, "load.sha256", fmt.Appendf(nil, "%x\n", h.Sum(nil)))
}

// A legacy event is the event without the fields that later producers add.
func TestLegacy_LeavesOutLaterFields(t *testing.T) {
	t.Parallel()
	config := simulator.Config{Seed: 6, Start: sunday(time.UTC)}
	plain := simulator.New(config)
	config.Legacy = true
	legacy := simulator.New(config)
	topics, decode := map[string]bool{}, newDecoders()
	for range 300 {
		was, is := plain.Step(), legacy.Step()
		if len(was) != len(is) {
			t.Fatalf("%d events, %d legacy ones", len(was), len(is))
		}
		for i := range is {
			before, after := decode.row(t, was[i]), decode.row(t, is[i])
			for c, column := range decode[is[i].Topic].schema.Columns {
				if column.Nullable {
					if !after[c].Null() {
						t.Fatalf("%s has %s", is[i].Value, column.Name)
					}
				} else if before[c].Int() != after[c].Int() || string(before[c].Text()) != string(after[c].Text()) {
					t.Fatalf("%s is not %s", is[i].Value, was[i].Value)
				}
			}
			topics[is[i].Topic] = true
		}
	}
	if len(topics) != len(event.Topics()) {
		t.Errorf("only %v occurred", topics)
	}
}

// Events made and encoded, at one line and at the most.
func BenchmarkStep(b *testing.B) {
	for _, rate := range []float64{1, 1e6} {
		b.Run(fmt.Sprintf("rate %.0f", rate), func(b *testing.B) {
			b.ReportAllocs()
			n := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)}.ForRate(rate))
			events := 0
			for b.Loop() {
				events += len(n.Step())
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkSpoil(b *testing.B) {
	n := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)}.ForRate(1e6))
	events := n.Step()
	for _, share := range []float64{0.01, 0.1, 1} {
		b.Run(fmt.Sprint("share ", share), func(b *testing.B) {
			b.ReportAllocs()
			faults := simulator.NewFaults(1, share, 0)
			spoiled := 0
			for b.Loop() {
				spoiled += len(faults.Spoil(events))
			}
			b.ReportMetric(float64(spoiled)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
