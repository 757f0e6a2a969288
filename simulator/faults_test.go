package simulator_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// A reader finds out what is wrong with records as a consumer can: by decoding
// them, and by comparing them with those before.
type reader struct {
	decoders map[string]*event.Decoder
	rows     map[string]event.Row
	time     map[string]int // the index of the timestamp, by topic
	seen     map[string]bool
	newest   map[string]int64 // by topic, of the records in order
	found    map[simulator.TopicFault]int
	events   map[string]int
}

func newReader() *reader {
	r := &reader{decoders: map[string]*event.Decoder{}, rows: map[string]event.Row{}, time: map[string]int{}, seen: map[string]bool{},
		newest: map[string]int64{}, found: map[simulator.TopicFault]int{}, events: map[string]int{}}
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		r.decoders[topic] = event.NewDecoder(schema, time.UTC)
		r.rows[topic] = make(event.Row, len(schema.Columns)+1)
		for i, c := range schema.Columns {
			if c.Name == "timestamp" {
				r.time[topic] = i
			}
		}
	}
	return r
}

// faultOf says what is wrong with the next record, of the step that began then.
func (r *reader) faultOf(topic string, value []byte, step time.Time) simulator.Fault {
	if len(value) > batch.MaxEncodedBytes {
		return simulator.Fault(event.TooLarge)
	}
	defer r.decoders[topic].Reset()
	row := r.rows[topic]
	if rejection := r.decoders[topic].Decode(row, value, step); rejection != nil {
		return simulator.Fault(rejection.Reason)
	}
	if r.seen[string(value)] {
		return simulator.Duplicate
	}
	r.seen[string(value)] = true
	at := row[r.time[topic]].Int()
	switch {
	case at < step.Add(-30*time.Minute).UnixMicro():
		return simulator.Late
	case at < r.newest[topic]:
		return simulator.OutOfOrder
	}
	r.newest[topic] = at
	return ""
}

func (r *reader) read(t *testing.T, events []simulator.Event, step time.Time) {
	t.Helper()
	for _, e := range events {
		fault := r.faultOf(e.Topic, e.Value, step)
		if fault != e.Fault {
			t.Fatalf("%s %.300q is %q, and marked as %q", e.Topic, e.Value, fault, e.Fault)
		}
		r.events[e.Topic]++
		if fault != "" {
			r.found[simulator.TopicFault{Topic: e.Topic, Fault: fault}]++
		}
	}
}

// What the faults are said to be is what a consumer finds, record by record,
// and the numbers that a run reports are those that were written.
func TestFaults_AreWhatAConsumerFinds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		seed     uint64
		share    float64
		tooLarge int
		config   simulator.Config
	}{
		{seed: 1, share: 0.2},
		{seed: 2, share: 1},
		{seed: 3, share: 0.01, config: simulator.Config{Lines: 7}},
		{seed: 4, share: 0.5, config: simulator.Config{Legacy: true, Location: paris(t)}},
		{seed: 5, share: 0, tooLarge: 3},
		{seed: 6, share: 0.7, tooLarge: 1, config: simulator.Config{Plan: simulator.Plan{
			Stations: []simulator.Station{{Name: `Gare "d'Évry" \`, Docks: 2, Traffic: 2}, {Name: "駅", Docks: 1, Traffic: 0.1}}}}},
	} {
		t.Run(fmt.Sprintf("seed %d share %v", row.seed, row.share), func(t *testing.T) {
			t.Parallel()
			row.config.Seed, row.config.Start = row.seed, sunday(time.UTC)
			n := simulator.New(row.config)
			r := newReader()
			step := n.Now()
			done, err := simulator.Run(t.Context(), simulator.RunConfig{
				Network: n, Speed: 1, CatchUp: n.Now().AddDate(1, 0, 0), Steps: 150, Clock: future{}, Log: quiet(),
				Faults: simulator.NewFaults(row.seed, row.share, row.tooLarge),
			}, sinkFunc(func(events []simulator.Event) error {
				r.read(t, events, step)
				step = n.Now()
				return nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(done.Faults, r.found) || !maps.Equal(done.Events, r.events) {
				t.Errorf("the run reports %v of %v, a consumer finds %v of %v", done.Faults, done.Events, r.found, r.events)
			}
			checkTally(t, done, row.share, row.tooLarge)
		})
	}
}

// checkTally checks the numbers against each other and the share asked for.
func checkTally(t *testing.T, done simulator.Progress, share float64, tooLarge int) {
	t.Helper()
	all, bad := done.Tally(), 0
	for reason, count := range all.Bad {
		bad += count
		if share >= 0.2 && count == 0 && reason != event.TooLarge {
			t.Errorf("no record is %s", reason)
		}
	}
	if len(all.Bad) != len(simulator.Reasons()) || all.Bad[event.TooLarge] != tooLarge {
		t.Errorf("bad records by reason: %v", all.Bad)
	}
	if all.Sent != done.Total() || all.Valid+bad != all.Sent {
		t.Errorf("%d valid and %d bad make %d of %d", all.Valid, bad, all.Sent, done.Total())
	}
	if share == 0 {
		return
	}
	events := all.Sent - all.Duplicates
	checkShare(t, "bad", share/4, bad-tooLarge, events)
	checkShare(t, "duplicates", share/4, all.Duplicates, events)
	checkShare(t, "late", share/4, all.Late, events)
	// Some find no later event behind which they could come, and most of them
	// where every event has a fault.
	if share < 1 && (all.OutOfOrder < int(share/8*float64(events)) || all.OutOfOrder > int(share/2*float64(events))) {
		t.Errorf("%d of %d events are out of order", all.OutOfOrder, events)
	}
	sum := 0
	for _, tally := range done.Tallies() {
		sum += tally.Sent
	}
	if sum != all.Sent {
		t.Errorf("the topics' tallies have %d records, all together %d", sum, all.Sent)
	}
}

// Every topic gets every fault that it can have.
func TestFaults_OfEveryTopic(t *testing.T) {
	t.Parallel()
	n := simulator.New(simulator.Config{Seed: 9, Start: sunday(time.UTC), Lines: 10})
	one := map[string]simulator.Event{}
	for range 50 {
		for _, e := range n.Step() {
			one[e.Topic] = e
		}
	}
	faults := simulator.NewFaults(9, 0.9, 0)
	found := map[simulator.TopicFault]bool{}
	for topic, e := range one {
		later := e
		later.Time = e.Time.Add(time.Second)
		for range 1000 {
			for _, e := range faults.Spoil([]simulator.Event{e, e, later, later}) {
				found[simulator.TopicFault{Topic: topic, Fault: e.Fault}] = true
			}
		}
	}
	for _, topic := range event.Topics() {
		wanted := []simulator.Fault{simulator.Duplicate, simulator.Late, simulator.OutOfOrder}
		for _, reason := range simulator.Reasons() {
			choice := topic == "incidents" || topic == "train_arrivals" || topic == "train_departures"
			if reason != event.TooLarge && (reason != event.UnknownValue || choice) {
				wanted = append(wanted, simulator.Fault(reason))
			}
		}
		for _, fault := range wanted {
			if !found[simulator.TopicFault{Topic: topic, Fault: fault}] {
				t.Errorf("%s never has %s", topic, fault)
			}
		}
	}
}

// A late event keeps all but its times, which move together.
func TestFaults_LateMovesAllTimes(t *testing.T) {
	t.Parallel()
	plain := map[string]simulator.Event{}
	clean, spoiled := []simulator.Event{}, []simulator.Event{}
	n, faults := simulator.New(simulator.Config{Seed: 3, Start: sunday(paris(t)), Location: paris(t)}), simulator.NewFaults(3, 1, 0)
	for range 20 {
		step := n.Step()
		clean, spoiled = append(clean, step...), append(spoiled, faults.Spoil(step)...)
	}
	for _, e := range clean {
		plain[e.Topic+e.Key] = e
	}
	late, decode := 0, newDecoders()
	for _, e := range spoiled {
		if e.Fault != simulator.Late {
			continue
		}
		late++
		was := plain[e.Topic+e.Key]
		by := was.Time.Sub(e.Time)
		if by < time.Hour || by > 10*24*time.Hour {
			t.Fatalf("%s is %v late", e.Value, by)
		}
		before, after := decode.row(t, was), decode.row(t, e)
		for i := range before {
			want := before[i].Int()
			if before[i].Type == event.Timestamp {
				want -= by.Microseconds()
			}
			if after[i].Int() != want || !bytes.Equal(after[i].Text(), before[i].Text()) {
				t.Fatalf("%s was %s", e.Value, was.Value)
			}
		}
	}
	if late == 0 {
		t.Error("no event is late")
	}
}

func TestFaults_BeforeTheirTimeNothingIsLate(t *testing.T) {
	t.Parallel()
	n, faults := simulator.New(simulator.Config{Seed: 3, Start: bubble.AddDate(0, 0, 2)}), simulator.NewFaults(3, 1, 0)
	r := newReader()
	for range 50 {
		step := n.Now()
		for _, e := range faults.Spoil(n.Step()) {
			if got := r.faultOf(e.Topic, e.Value, step); e.Fault == simulator.Late && got != simulator.Late {
				t.Fatalf("%s is %s", e.Value, got)
			}
		}
	}
}

func TestFaults_SeedDecidesEveryByte(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) []byte {
		n, faults := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)}), simulator.NewFaults(seed, 0.5, 0)
		var b bytes.Buffer
		for range 50 {
			for _, e := range faults.Spoil(n.Step()) {
				fmt.Fprintf(&b, "%s %s %q %s\n", e.Topic, e.Key, e.Value, e.Fault)
			}
		}
		return b.Bytes()
	}
	if !bytes.Equal(play(7), play(7)) {
		t.Error("the same seed gave different bytes")
	}
	if bytes.Equal(play(7), play(8)) {
		t.Error("different seeds gave the same bytes")
	}
}

// A step with every kind of fault, for people to look at.
func TestFaults_StepIsGolden(t *testing.T) {
	n, faults := simulator.New(simulator.Config{Seed: 1, Start: sunday(time.UTC)}), simulator.NewFaults(1, 0.8, 0)
	var b bytes.Buffer
	for _, e := range faults.Spoil(n.Step()) {
		fmt.Fprintf(&b, "%-17s %s %s %q\n", e.Fault, e.Topic, e.Key, e.Value)
	}
	checkGolden(t, "first_step_faults.txt", b.Bytes())
}

// decoders read events of all topics, for one test.
type decoders map[string]decoder

type decoder struct {
	schema *event.Schema
	*event.Decoder
}

func newDecoders() decoders {
	all := decoders{}
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		all[topic] = decoder{schema, event.NewDecoder(schema, time.UTC)}
	}
	return all
}

func (d decoders) row(t *testing.T, e simulator.Event) event.Row {
	t.Helper()
	row := make(event.Row, len(d[e.Topic].schema.Columns)+1)
	if rejection := d[e.Topic].Decode(row, e.Value, e.Time); rejection != nil {
		t.Fatalf("%s: %v", e.Value, *rejection)
	}
	return row
}

// A clock of a year later, when every event may be written.
type future struct{}

func (future) Now() time.Time                      { return sunday(time.UTC).AddDate(1, 0, 0) }
func (future) Wait(context.Context, time.Duration) {}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
