package simulator_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// A decoder learns from the records before how a producer writes. What it says
// of the next one is what a decoder says that has seen none.
func TestFaults_SequencesAreDecodedAsSingleRecords(t *testing.T) {
	t.Parallel()
	networks := []*simulator.Network{
		simulator.New(simulator.Config{Seed: 5, Start: sunday(paris(t)), Location: paris(t), Lines: 3}),
		simulator.New(simulator.Config{Seed: 6, Start: sunday(time.UTC), Lines: 3, Legacy: true}),
	}
	faults := simulator.NewFaults(5, 0.4, 0)
	lasting := newDecoders()
	good, bad := 0, 0
	for range 40 {
		for _, n := range networks {
			step := n.Now()
			for _, e := range faults.Spoil(n.Step()) {
				if len(e.Value) > 10_000 {
					continue // too_large, which no decoder sees
				}
				schema := lasting[e.Topic].schema
				row, want := make(event.Row, len(schema.Columns)+1), make(event.Row, len(schema.Columns)+1)
				got, alone := lasting[e.Topic].Decode(row, e.Value, step), event.NewDecoder(schema, time.UTC).Decode(want, e.Value, step)
				if (got == nil) != (alone == nil) || got != nil && *got != *alone {
					t.Fatalf("%s %q is %v, alone %v", e.Topic, e.Value, got, alone)
				}
				if got != nil {
					bad++
					continue
				}
				good++
				for i := range row {
					if row[i].Type != want[i].Type || row[i].Int() != want[i].Int() || !bytes.Equal(row[i].Text(), want[i].Text()) {
						t.Fatalf("%s %q: column %d is %v, alone %v", e.Topic, e.Value, i, row[i].JSON(), want[i].JSON())
					}
				}
			}
		}
	}
	if good < 1000 || bad < 500 {
		t.Errorf("only %d records were good and %d bad", good, bad)
	}
}
