// Package simulatortest tests the simulator against a Kafka broker in process.
package simulatortest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/internal/waterfall"
	"github.com/stationflow/stationflow/local/freeport"
	"github.com/stationflow/stationflow/local/tracestest"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// patience is how long a test waits for what should take moments.
const patience = 30 * time.Second

func newCluster(t *testing.T, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func openKafka(t *testing.T, cluster *kfake.Cluster) *sink.Kafka {
	t.Helper()
	k, err := sink.OpenKafka(t.Context(), kafka.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// network returns one that always emits the same.
func network() *simulator.Network {
	return simulator.New(simulator.Config{Seed: 5, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)})
}

// run plays steps into the sink without pause.
func run(n *simulator.Network, steps int, to simulator.Sink) (simulator.Progress, error) {
	return simulator.Run(context.Background(), simulator.RunConfig{
		Network: n,
		Speed:   1,
		CatchUp: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
		Steps:   steps,
		Clock:   simulator.WallClock{},
		Log:     slog.New(slog.DiscardHandler),
	}, to)
}

// emitted returns the values of so many steps, by topic and key.
func emitted(steps int) map[string]string {
	values := map[string]string{}
	n := network()
	for range steps {
		for _, e := range n.Step() {
			values[e.Topic+" "+e.Key] = string(e.Value)
		}
	}
	return values
}

// consume reads count records from Kafka and then what else there is.
func consume(t *testing.T, cluster *kfake.Cluster, count int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(event.Topics()...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var records []*kgo.Record
	for len(records) < count && ctx.Err() == nil {
		records = append(records, client.PollFetches(ctx).Records()...)
	}
	if stored := stored(cluster); stored != count || len(records) != count {
		t.Fatalf("Kafka stores %d records and gave %d, want %d", stored, len(records), count)
	}
	return records
}

// stored returns the number of records in all topics, by the partitions' ends.
func stored(cluster *kfake.Cluster) int {
	total := int64(0)
	for _, topic := range event.Topics() {
		for _, p := range cluster.PartitionInfos(topic) {
			total += p.HighWatermark
		}
	}
	return int(total)
}

func TestKafka_MissingTopicsAreCreated(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.SeedTopics(2, "incidents"))
	openKafka(t, cluster)
	for _, topic := range event.Topics() {
		want := 6
		if topic == "incidents" {
			want = 2 // it was there, and stays as it is
		}
		if got := len(cluster.PartitionInfos(topic)); got != want {
			t.Errorf("topic %s has %d partitions, want %d", topic, got, want)
		}
	}
}

// A restart with the same seed repeats ids and bytes; in Kafka the records are
// new ones, and each key is in the partition that it had.
func TestKafka_RestartRepeatsTheEvents(t *testing.T) {
	t.Parallel()
	const steps = 20
	cluster := newCluster(t)
	want := emitted(steps)
	for range 2 {
		done, err := run(network(), steps, openKafka(t, cluster))
		if err != nil || done.Total() != len(want) || done.Steps != steps {
			t.Fatalf("run ended with %v and %v, want %d events in %d steps", done, err, len(want), steps)
		}
	}
	records := consume(t, cluster, 2*len(want))
	partitions := map[string]int32{}
	times := map[string]int{}
	for _, r := range records {
		name := r.Topic + " " + string(r.Key)
		if string(r.Value) != want[name] {
			t.Fatalf("Kafka has %s for %s, want %s", r.Value, name, want[name])
		}
		if partition, known := partitions[name]; known && partition != r.Partition {
			t.Fatalf("%s is in partitions %d and %d", name, partition, r.Partition)
		}
		partitions[name] = r.Partition
		times[name]++
	}
	for name := range want {
		if times[name] != 2 {
			t.Errorf("%s was written %d times, want 2", name, times[name])
		}
	}
	checkSpread(t, cluster, "train_arrivals")
	checkPartitioner(t, records)
}

// checkSpread checks that no partition of a topic is empty.
func checkSpread(t *testing.T, cluster *kfake.Cluster, topic string) {
	t.Helper()
	for _, p := range cluster.PartitionInfos(topic) {
		if p.HighWatermark == 0 {
			t.Errorf("nothing is in partition %d of %s", p.Partition, topic)
		}
	}
}

// checkPartitioner compares with another client's version of the partitioner
// that Kafka's own clients use.
func checkPartitioner(t *testing.T, records []*kgo.Record) {
	t.Helper()
	partitioner := kgo.StickyKeyPartitioner(nil)
	for _, r := range records {
		if want := partitioner.ForTopic(r.Topic).Partition(r, kafka.Partitions); r.Partition != int32(want) {
			t.Fatalf("key %s is in partition %d, other clients put it into %d", r.Key, r.Partition, want)
		}
	}
}

// Brokers that answer late or with a passing error get the records once.
func TestKafka_RetriesWithoutDuplicates(t *testing.T) {
	t.Parallel()
	for _, passing := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition} {
		t.Run(passing.Message, func(t *testing.T) {
			t.Parallel()
			const steps = 3
			cluster := newCluster(t)
			k := openKafka(t, cluster)
			fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "train_arrivals", Partitions: []int32{3}, Err: passing, Count: 3})
			want := emitted(steps)
			if _, err := run(network(), steps, k); err != nil {
				t.Fatal(err)
			}
			if fault.Hits() != 3 {
				t.Fatalf("%d requests failed, want 3", fault.Hits())
			}
			consume(t, cluster, len(want))
		})
	}
}

// An event that Kafka refuses ends the run, which says which and how many.
func TestKafka_RefusalEndsTheRun(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	k := openKafka(t, cluster)
	if _, err := run(network(), 2, k); err != nil {
		t.Fatal(err)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "train_arrivals", Err: kerr.TopicAuthorizationFailed, Count: -1})
	done, err := run(network(), 2, k)
	if !errors.Is(err, sarama.ErrTopicAuthorizationFailed) || !strings.Contains(err.Error(), "train_arrivals") {
		t.Errorf("the run ended with %v", err)
	}
	if done.Steps != 0 || done.Total() != 0 {
		t.Errorf("%v is counted as written", done)
	}
}

func TestKafka_BrokerThatGoesAwayEndsTheRun(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	settings := kafka.Config{Brokers: cluster.ListenAddrs()}.Sarama("test")
	sink.ConfigureProducer(settings)
	settings.Producer.Retry.BackoffFunc = nil
	settings.Producer.Retry.Backoff = time.Millisecond
	settings.Metadata.Retry.Backoff = time.Millisecond
	if err := kafka.CreateTopics(t.Context(), kafka.Config{Brokers: cluster.ListenAddrs()}, event.Topics(), kafka.Partitions); err != nil {
		t.Fatal(err)
	}
	client, err := sarama.NewClient(cluster.ListenAddrs(), settings)
	if err != nil {
		t.Fatal(err)
	}
	k, err := sink.NewKafka(client)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	n := network()
	if _, err := run(n, 1, k); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	done, err := run(n, 1, k)
	if err == nil || done.Total() != 0 {
		t.Errorf("the run ended with %v after %v, without a broker", err, done)
	}
}

func TestOpenKafka_WithoutBroker(t *testing.T) {
	t.Parallel()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	_, err = sink.OpenKafka(t.Context(), kafka.Config{Brokers: []string{address}})
	if fault := new(kafka.Fault); !errors.As(err, &fault) || !strings.Contains(err.Error(), address) {
		t.Errorf("opening Kafka where none is: %v", err)
	}
}

// With a tracer each record names its producer's span, which is sent once Kafka
// has the record; without one records have no header.
func TestKafka_Traced(t *testing.T) {
	for _, traced := range []bool{true, false} {
		cluster, collector := newCluster(t), tracestest.Start(t)
		k := openKafka(t, cluster)
		if traced {
			k.Tracer = tracestest.Tracer(t, collector.URL, "stationflow-simulator")
		}
		events := network().Step()[:5]
		if err := k.Write(events); err != nil {
			t.Fatal(err)
		}
		records := consume(t, cluster, len(events))
		if !traced {
			for _, r := range records {
				if len(r.Headers) != 0 {
					t.Errorf("%s/%d/%d has headers: %v", r.Topic, r.Partition, r.Offset, r.Headers)
				}
			}
			continue
		}
		collector.Await(t, len(events), func(waterfall.Span) bool { return true })
		for _, r := range records {
			if len(r.Headers) != 1 || r.Headers[0].Key != "traceparent" {
				t.Fatalf("the headers are %v", r.Headers)
			}
			of := tracing.Parse(r.Headers[0].Value)
			span := collector.Await(t, 1, func(s waterfall.Span) bool { return s.ID == of.SpanID().String() })[0]
			if span.TraceID != of.TraceID().String() || !of.IsSampled() || span.Name != "send "+r.Topic || span.Attributes["messaging.kafka.offset"] != fmt.Sprint(r.Offset) {
				t.Errorf("record %s/%d/%d names %v, the span is %+v", r.Topic, r.Partition, r.Offset, of, span)
			}
		}
	}
}
