package simulatortest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// spoiledLoad runs a load with faults, the same each time, for so many steps.
func spoiledLoad(t *testing.T, steps, tooLarge int, to simulator.Sink) simulator.Progress {
	t.Helper()
	done, err := simulator.Run(context.Background(), simulator.RunConfig{
		Network: simulator.New(simulator.Config{Seed: 8, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}.ForRate(1000)),
		Speed:   1,
		Rate:    1e6,
		Faults:  simulator.NewFaults(8, 0.4, tooLarge),
		Steps:   steps,
		Clock:   simulator.WallClock{},
		Log:     slog.New(slog.DiscardHandler),
	}, to)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// What the run reports is what a consumer finds in Kafka: as many records of
// each topic, as many refused for each reason, as many values twice. A restart
// sends all of them again.
func TestKafka_HoldsWhatTheReportSays(t *testing.T) {
	t.Parallel()
	const tooLarge = 2
	limit := fmt.Sprint(16 << 20)
	cluster := newCluster(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": limit}))
	k, err := sink.OpenKafka(t.Context(), kafka.Config{Brokers: cluster.ListenAddrs()}, sink.SendTooLarge)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()

	done := spoiledLoad(t, 4, tooLarge, k)
	if done.Tally().Bad[event.TooLarge] != tooLarge || done.Total() < 4000 {
		t.Fatalf("sent %v", done)
	}
	checkHeld(t, cluster, done, 1)

	again := spoiledLoad(t, 4, tooLarge, k)
	if !maps.Equal(again.Faults, done.Faults) || !maps.Equal(again.Events, done.Events) {
		t.Errorf("a restart sent %v, before it was %v", again, done)
	}
	checkHeld(t, cluster, done, 2)
}

// checkHeld compares what Kafka holds, by the decoder of ingest, with what each
// of so many equal runs reports. What is late or out of order cannot be told,
// since Kafka keeps an order only within partitions.
func checkHeld(t *testing.T, cluster *kfake.Cluster, done simulator.Progress, runs int) {
	t.Helper()
	got := simulator.Progress{}.Tallies()
	values := map[string]int{}
	for _, r := range consume(t, cluster, runs*done.Total()) {
		schema, _ := event.SchemaOf(r.Topic)
		tally := got[r.Topic]
		tally.Sent++
		rejection := event.NewDecoder(schema, time.UTC).Decode(make(event.Row, len(schema.Columns)+1), r.Value, r.Timestamp)
		switch {
		case len(r.Value) > batch.MaxEncodedBytes:
			tally.Bad[event.TooLarge]++
		case rejection != nil:
			tally.Bad[rejection.Reason]++
		default:
			tally.Valid++
			if values[string(r.Value)]++; values[string(r.Value)] > runs {
				tally.Duplicates++
			}
		}
		got[r.Topic] = tally
	}
	for topic, want := range done.Tallies() {
		want.Sent, want.Valid, want.Duplicates = runs*want.Sent, runs*want.Valid, runs*want.Duplicates
		want.Late, want.OutOfOrder = 0, 0
		for reason := range want.Bad {
			want.Bad[reason] *= runs
		}
		if diff := cmp.Diff(want, got[topic]); diff != "" {
			t.Errorf("%s, of %d runs: %s", topic, runs, diff)
		}
	}
}

// A broker that takes no records of that size is told with the remedy.
func TestKafka_TooLargeForTheBroker(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	k, err := sink.OpenKafka(t.Context(), kafka.Config{Brokers: cluster.ListenAddrs()}, sink.SendTooLarge)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	n := network()
	err = k.Write(simulator.NewFaults(1, 0, 1).Spoil(n.Step()))
	if err == nil || !strings.Contains(err.Error(), "max.message.bytes") || !strings.Contains(err.Error(), sarama.ErrMessageSizeTooLarge.Error()) {
		t.Errorf("sending a record that is too large: %v", err)
	}
}

// Events made, encoded and acknowledged. The broker in process is slow and
// shares the machine, so that this is a lower bound.
func BenchmarkKafka(b *testing.B) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	k, err := sink.OpenKafka(context.Background(), kafka.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	n := simulator.New(simulator.Config{Seed: 1, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}.ForRate(1e6))
	events := 0
	for b.Loop() {
		step := n.Step()
		if err := k.Write(step); err != nil {
			b.Fatal(err)
		}
		events += len(step)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
