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
	k, err := sink.OpenKafka(kafka.Config{Brokers: cluster.ListenAddrs()}, sink.SendTooLarge)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()

	done := spoiledLoad(t, 4, tooLarge, k)
	if done.Tally().Bad[event.TooLarge] != tooLarge || done.Total() < 4000 {
		t.Fatalf("sent %v", done)
	}
	if got := count(t, cluster, done.Total(), 1); !maps.EqualFunc(got, done.Tallies(), sameCounts) {
		t.Errorf("Kafka holds %v, the run reports %v", got, done.Tallies())
	}

	again := spoiledLoad(t, 4, tooLarge, k)
	if !maps.Equal(again.Faults, done.Faults) || !maps.Equal(again.Events, done.Events) {
		t.Errorf("a restart sent %v, before it was %v", again, done)
	}
	if got := count(t, cluster, 2*done.Total(), 2); !maps.EqualFunc(got, done.Tallies(), sameCounts) {
		t.Errorf("after a restart Kafka holds twice %v, the runs report %v each", got, done.Tallies())
	}
}

// sameCounts compares what can be told of records in any order.
func sameCounts(a, b simulator.Tally) bool {
	return a.Sent == b.Sent && a.Valid == b.Valid && a.Duplicates == b.Duplicates && maps.Equal(a.Bad, b.Bad)
}

// count tallies what Kafka holds, by the decoder of ingest, as it is of each of
// so many runs.
func count(t *testing.T, cluster *kfake.Cluster, records, runs int) map[string]simulator.Tally {
	t.Helper()
	tallies := simulator.Progress{}.Tallies()
	values := map[string]int{}
	for _, r := range consume(t, cluster, records) {
		schema, _ := event.SchemaOf(r.Topic)
		tally := tallies[r.Topic]
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
		tallies[r.Topic] = tally
	}
	for topic, tally := range tallies {
		tally.Sent, tally.Valid = tally.Sent/runs, tally.Valid/runs
		tally.Duplicates /= runs
		for reason := range tally.Bad {
			tally.Bad[reason] /= runs
		}
		tallies[topic] = tally
	}
	return tallies
}

// A broker that takes no records of that size is told with the remedy.
func TestKafka_TooLargeForTheBroker(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	k, err := sink.OpenKafka(kafka.Config{Brokers: cluster.ListenAddrs()}, sink.SendTooLarge)
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
	k, err := sink.OpenKafka(kafka.Config{Brokers: cluster.ListenAddrs()})
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
