package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// A record is what a reader of Kafka sees of all topics.
type record struct {
	topic string
	step  time.Time // the beginning of the step

	ID                string
	TrainID           string `json:"train_id"`
	Station, Location string
	Type, Severity    string
	Equipment         string
	Timestamp         time.Time
	Duration          float64
	Passengers        int64
	DockNumber        int64 `json:"dock_number"`
	WagonCount        int64 `json:"wagon_count"`
	Direction         string
	TrainNumber       string    `json:"train_number"`
	Scheduled         time.Time `json:"scheduled_timestamp"`
	Validations       int64
	Rejected          int64
	WaitingTime       float64 `json:"waiting_time"`
	TicketCheckTime   float64 `json:"ticket_check_time"`
	Factor            float64 `json:"reduced_flow_factor"`
	Entered, Exited   int64
	Zone              string
}

// A history is what happened in some simulated days.
type history struct {
	steps   int
	all     []*record
	byTopic map[string][]*record
	byID    map[string]*record
}

const historyDays = 14

// play returns a history in the middle of which summer time ends in Paris.
func play(t *testing.T, seed uint64, location *time.Location) history {
	t.Helper()
	start := time.Date(2026, 10, 18, 6, 0, 0, 0, location)
	n := simulator.New(simulator.Config{Seed: seed, Start: start, Location: location})
	h := history{byTopic: map[string][]*record{}, byID: map[string]*record{}}
	for end := n.Now().AddDate(0, 0, historyDays); n.Now().Before(end); h.steps++ {
		step := n.Now()
		for _, e := range n.Step() {
			r := &record{topic: e.Topic, step: step}
			if err := json.Unmarshal(e.Value, r); err != nil {
				t.Fatalf("%s %s: %v", e.Topic, e.Value, err)
			}
			if r.ID != e.Key || !r.Timestamp.Equal(e.Time) {
				t.Fatalf("key %s and time %s do not belong to %s", e.Key, e.Time, e.Value)
			}
			if _, double := h.byID[r.ID]; double {
				t.Fatalf("id %s occurs twice", r.ID)
			}
			h.all = append(h.all, r)
			h.byTopic[r.topic] = append(h.byTopic[r.topic], r)
			h.byID[r.ID] = r
		}
	}
	return h
}

// What holds for every history.
func TestNetwork(t *testing.T) {
	t.Parallel()
	checks := []struct {
		name  string
		check func(t *testing.T, h history, location *time.Location)
	}{
		{"opening hours", checkOpeningHours},
		{"trains skip stations with incidents", checkSkipping},
		{"what an arrival brings", checkReferences},
		{"trains keep their numbers", checkTrains},
		{"rates", checkRates},
		{"punctuality", checkPunctuality},
		{"values", checkValues},
	}
	for seed, location := range []*time.Location{time.UTC, paris(t), time.FixedZone("+0545", 345*60)} {
		t.Run(fmt.Sprintf("seed %d in %s", seed, location), func(t *testing.T) {
			t.Parallel()
			h := play(t, uint64(seed), location)
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) { c.check(t, h, location) })
			}
		})
	}
}

// A day has 203 steps, and nothing happens outside of them.
func checkOpeningHours(t *testing.T, h history, location *time.Location) {
	if want := historyDays * 203; h.steps != want {
		t.Errorf("%d steps, want %d", h.steps, want)
	}
	last := time.Time{}
	for _, r := range h.all {
		local := r.Timestamp.In(location)
		minute := local.Hour()*60 + local.Minute()
		if minute < 6*60 || minute >= 22*60+55 {
			t.Fatalf("%s at %s, when the stations are closed", r.ID, local)
		}
		if r.Timestamp.Before(r.step) || !r.Timestamp.Before(r.step.Add(simulator.StepLength)) {
			t.Fatalf("%s at %s lies outside its step of %s", r.ID, r.Timestamp, r.step)
		}
		if r.Timestamp.Before(last) {
			t.Fatalf("%s at %s comes after an event of %s", r.ID, r.Timestamp, last)
		}
		last = r.Timestamp
	}
}

func checkSkipping(t *testing.T, h history, _ *time.Location) {
	incidents := map[string][]*record{}
	for _, i := range h.byTopic["incidents"] {
		incidents[i.Station] = append(incidents[i.Station], i)
	}
	reduced := 0
	for _, r := range h.all {
		troubled := slices.ContainsFunc(incidents[r.Station], func(i *record) bool {
			end := i.Timestamp.Add(time.Duration(math.Round(i.Duration*60)) * time.Second)
			return !r.Timestamp.Before(i.Timestamp) && r.Timestamp.Before(end)
		})
		if troubled && r.topic == "train_arrivals" {
			t.Fatalf("%s arrived at %s in spite of an incident", r.ID, r.Timestamp)
		}
		if r.topic != "passenger_flow" {
			continue
		}
		want := 1.0
		if troubled {
			want = 0.5
			reduced++
		}
		if r.Factor != want {
			t.Fatalf("%s has factor %v, want %v", r.ID, r.Factor, want)
		}
	}
	if reduced < historyDays {
		t.Errorf("only %d records of reduced flow in %d days", reduced, historyDays)
	}
}

func checkReferences(t *testing.T, h history, _ *time.Location) {
	brought := map[string]int{}
	departed := map[string]*record{}
	for _, r := range h.byTopic["train_departures"] {
		departed[r.Station+r.TrainNumber+r.Scheduled.Format(time.DateOnly)] = r
	}
	for _, r := range append(h.byTopic["ticket_validations"], h.byTopic["passenger_flow"]...) {
		a, ok := h.byID[r.TrainID]
		if !ok || a.topic != "train_arrivals" || a.Station != r.Station || !r.Timestamp.After(a.Timestamp) {
			t.Fatalf("%s refers to %q, no earlier arrival at its station", r.ID, r.TrainID)
		}
		if r.Validations+r.Rejected > a.Passengers || r.Exited > a.Passengers {
			t.Fatalf("%+v counts more than the train's %d passengers", *r, a.Passengers)
		}
		brought[r.TrainID]++
	}
	for _, a := range h.byTopic["train_arrivals"] {
		if brought[a.ID] != 2 {
			t.Fatalf("%s brought %d records, want validations and flow", a.ID, brought[a.ID])
		}
		d, ok := departed[a.Station+a.TrainNumber+a.Scheduled.Format(time.DateOnly)]
		if !ok || !d.Timestamp.After(a.Timestamp) || d.WagonCount != a.WagonCount || d.DockNumber != a.DockNumber || d.Direction != a.Direction {
			t.Fatalf("%+v departs as %+v", *a, d)
		}
	}
	if a, d := len(h.byTopic["train_arrivals"]), len(h.byTopic["train_departures"]); a != d {
		t.Errorf("%d arrivals, %d departures", a, d)
	}
}

// The same train is as long at every station, and about as late.
func checkTrains(t *testing.T, h history, _ *time.Location) {
	trains := map[string][]*record{}
	for _, a := range h.byTopic["train_arrivals"] {
		run := a.TrainNumber + a.Scheduled.Format(time.DateOnly)
		trains[run] = append(trains[run], a)
	}
	whole := 0
	for run, calls := range trains {
		if len(calls) == 4 {
			whole++
		}
		for _, a := range calls {
			difference := a.Timestamp.Sub(a.Scheduled) - calls[0].Timestamp.Sub(calls[0].Scheduled)
			if a.WagonCount != calls[0].WagonCount || difference.Abs() > 100*time.Second {
				t.Fatalf("train %s is not the same at its stations: %+v and %+v", run, *calls[0], *a)
			}
		}
	}
	if share := float64(whole) / float64(len(trains)); share < 0.5 {
		t.Errorf("only %.2f of the trains call at all four stations", share)
	}
}

// mean of f over records, which must be within five standard errors of want.
func checkMean(t *testing.T, what string, want float64, records []*record, f func(*record) float64) {
	t.Helper()
	sum, squares := 0.0, 0.0
	for _, r := range records {
		sum += f(r)
		squares += f(r) * f(r)
	}
	count := float64(len(records))
	mean := sum / count
	bound := 5 * math.Sqrt((squares/count-mean*mean)/count)
	if !(math.Abs(mean-want) <= bound) {
		t.Errorf("%s: mean %.4f of %.0f, want %.4f within %.4f", what, mean, count, want, bound)
	}
}

// share of the trials, which must be within five standard errors of want.
func checkShare(t *testing.T, what string, want float64, successes, trials int) {
	t.Helper()
	got := float64(successes) / float64(trials)
	if bound := 5 * math.Sqrt(want*(1-want)/float64(trials)); math.Abs(got-want) > bound {
		t.Errorf("%s: %.5f of %d, want %.5f within %.5f", what, got, trials, want, bound)
	}
}

// What is rare needs more days to be counted.
func TestNetwork_TroublesInAHundredDays(t *testing.T) {
	t.Parallel()
	const count = 100
	events := countDays(simulator.New(simulator.Config{Seed: 4, Start: sunday(time.UTC)}), count)
	const chances = count * 203 * 4
	checkShare(t, "incidents in a step", 0.005, events["incidents"], chances)
	checkShare(t, "equipment failures in a step", 0.01, events["equipment_failures"], chances)
}

func checkRates(t *testing.T, h history, location *time.Location) {
	duration := func(r *record) float64 { return r.Duration }
	checkMean(t, "duration of incidents", 60, h.byTopic["incidents"], duration)
	checkMean(t, "duration of failures", 30, h.byTopic["equipment_failures"], duration)

	quiet, rush := split(h.byTopic["train_arrivals"], location)
	passengers := func(r *record) float64 { return float64(r.Passengers) }
	checkMean(t, "passengers", 20, quiet, passengers)
	checkMean(t, "passengers in peak hours", 50, rush, passengers)
	checkMean(t, "variance of passengers", 20, quiet, func(r *record) float64 { return (passengers(r) - 20) * (passengers(r) - 20) })
	checkMean(t, "accepted tickets", 0, h.byTopic["ticket_validations"], func(r *record) float64 {
		return float64(r.Validations) - 0.9*float64(h.byID[r.TrainID].Passengers)
	})
	checkMean(t, "rejected tickets", 0, h.byTopic["ticket_validations"], func(r *record) float64 {
		return float64(r.Rejected) - 0.03*float64(h.byID[r.TrainID].Passengers)
	})
	checkMean(t, "waiting time", 5, h.byTopic["passenger_flow"], func(r *record) float64 { return r.WaitingTime })
	checkMean(t, "ticket check", 2, h.byTopic["passenger_flow"], func(r *record) float64 { return r.TicketCheckTime })

	perHour := float64(len(rush)) / 4 / (float64(len(quiet)) / (16 + 55.0/60 - 4))
	if perHour < 1.9 || perHour > 2.1 {
		t.Errorf("%.2f times as many trains in peak hours, want 2", perHour)
	}
}

func split(records []*record, location *time.Location) (quiet, rush []*record) {
	for _, r := range records {
		if slices.Contains([]int{7, 8, 17, 18}, r.Timestamp.In(location).Hour()) {
			rush = append(rush, r)
		} else {
			quiet = append(quiet, r)
		}
	}
	return quiet, rush
}

func checkPunctuality(t *testing.T, h history, _ *time.Location) {
	early, late, quarter := 0, 0, 0
	arrivals := h.byTopic["train_arrivals"]
	for _, a := range arrivals {
		switch delay := a.Timestamp.Sub(a.Scheduled); {
		case delay < 0:
			early++
		case delay > 15*time.Minute:
			quarter++
			fallthrough
		case delay > 5*time.Minute:
			late++
		}
	}
	share := func(count int) float64 { return float64(count) / float64(len(arrivals)) }
	if share(late) < 0.05 || share(late) > 0.15 || share(early) < 0.1 || share(early) > 0.4 || quarter == 0 {
		t.Errorf("early %.3f, late %.3f, over a quarter of an hour %.4f", share(early), share(late), share(quarter))
	}
}

// values counts the distinct values of a field, "" left out.
func values(records []*record, field func(*record) string) map[string]int {
	counts := map[string]int{}
	for _, r := range records {
		if v := field(r); v != "" {
			counts[v]++
		}
	}
	return counts
}

func checkValues(t *testing.T, h history, _ *time.Location) {
	places := []string{}
	for dock := 1; dock <= 5; dock++ {
		places = append(places, fmt.Sprintf("Dock %d, Corridor", dock), fmt.Sprintf("Dock %d, Platform", dock))
	}
	number := func(from, to int64) (all []string) {
		for n := from; n <= to; n++ {
			all = append(all, fmt.Sprint(n))
		}
		return all
	}
	table := []struct {
		topic string
		field func(*record) string
		want  []string
	}{
		{"incidents", func(r *record) string { return r.Type }, []string{"suspect package", "Technique"}},
		{"incidents", func(r *record) string { return r.Severity }, []string{"Minor", "Major"}},
		{"incidents", func(r *record) string { return r.Location }, places},
		{"equipment_failures", func(r *record) string { return r.Equipment }, []string{"validator", "escalator", "notice board"}},
		{"equipment_failures", func(r *record) string { return r.Location }, places},
		{"train_arrivals", func(r *record) string { return r.Station }, []string{"Station A", "Station B", "Station C", "Station D"}},
		{"train_arrivals", func(r *record) string { return r.Direction }, []string{"North", "South", "East", "West"}},
		{"train_arrivals", func(r *record) string { return fmt.Sprint(r.DockNumber) }, number(1, 5)},
		{"train_arrivals", func(r *record) string { return fmt.Sprint(r.WagonCount) }, number(4, 10)},
		{"passenger_flow", func(r *record) string { return r.Zone }, places},
	}
	for _, row := range table {
		got := values(h.byTopic[row.topic], row.field)
		for _, want := range row.want {
			if got[want] == 0 {
				t.Errorf("%s: %q never occurs", row.topic, want)
			}
			delete(got, want)
		}
		if len(got) > 0 {
			t.Errorf("%s: %v should not occur", row.topic, got)
		}
	}
}

// Ingest must accept every event. Their fields are all filled, and in the
// schema's order.
func TestNetwork_EventsDecode(t *testing.T) {
	n := simulator.New(simulator.Config{Seed: 3, Start: sunday(paris(t)), Location: paris(t)})
	decoders := map[string]*event.Decoder{}
	schemas := map[string]*event.Schema{}
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		schemas[topic], decoders[topic] = schema, event.NewDecoder(schema, time.UTC)
	}
	seen := map[string]bool{}
	for _, e := range slices.Concat(days(n, 3)...) {
		row := make(event.Row, len(schemas[e.Topic].Columns)+1)
		if rejection := decoders[e.Topic].Decode(row, e.Value, e.Time); rejection != nil {
			t.Fatalf("%s: %s (%s)", e.Value, rejection.Reason, rejection.Detail)
		}
		rest := e.Value
		for i, column := range schemas[e.Topic].Columns {
			if row[i].Null() {
				t.Fatalf("%s: %s is NULL", e.Value, column.Name)
			}
			at := bytes.Index(rest, []byte(`"`+column.Name+`":`))
			if at < 0 {
				t.Fatalf("%s: %s is missing or out of order", e.Value, column.Name)
			}
			rest = rest[at:]
		}
		if extra := row[len(row)-1]; !extra.Null() {
			t.Fatalf("%s has unknown fields %s", e.Value, extra.Text())
		}
		seen[e.Topic] = true
	}
	if len(seen) != len(event.Topics()) {
		t.Errorf("only %v occurred", seen)
	}
}
