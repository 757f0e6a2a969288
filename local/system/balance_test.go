package system

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/ledger"
)

// balanced is a broker with one topic's partition 0 to compare.
type balanced struct {
	t       *testing.T
	cluster *kfake.Cluster
	*broker
}

const counted = "incidents"

func newBalanced(t *testing.T, environment ...string) balanced {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := balanced{t: t, cluster: cluster}
	b.watch(environment...)
	return b
}

func (b *balanced) watch(environment ...string) {
	b.t.Helper()
	var err error
	b.broker, err = watchBroker(b.t.Context(), overlay(func(string) string { return "" },
		append(environment, "KAFKA_BOOTSTRAP_SERVERS="+b.cluster.ListenAddrs()[0])))
	if err != nil {
		b.t.Fatal(err)
	}
	watched := b.broker
	b.t.Cleanup(func() { watched.Close() })
}

func (b *balanced) client(options ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	return client
}

func (b *balanced) produce(client *kgo.Client, records int) {
	b.t.Helper()
	for range records {
		if err := client.ProduceSync(context.Background(), &kgo.Record{Topic: counted, Value: []byte("{}")}).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// transaction leaves it open when how is nil.
func (b *balanced) transaction(client *kgo.Client, records int, how *kgo.TransactionEndTry) {
	b.t.Helper()
	if err := client.BeginTransaction(); err != nil {
		b.t.Fatal(err)
	}
	b.produce(client, records)
	if how != nil {
		if err := client.EndTransaction(context.Background(), *how); err != nil {
			b.t.Fatal(err)
		}
	}
}

// commit is what the bridge does once it is done with what is before.
func (b *balanced) commit(offset int64) {
	b.t.Helper()
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Offset = offset
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = counted, b.cluster.TopicInfo(counted).TopicID, []kmsg.OffsetCommitRequestTopicPartition{partition}
	request := kmsg.NewOffsetCommitRequest()
	request.Group, request.Topics = "stationflow", []kmsg.OffsetCommitRequestTopic{topic}
	answer, err := request.RequestWith(b.t.Context(), b.client())
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *balanced) id() string {
	id := b.cluster.TopicInfo(counted).TopicID
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

func (b *balanced) recreate() {
	b.t.Helper()
	if err := b.cluster.DeleteTopic(counted); err != nil {
		b.t.Fatal(err)
	}
	if err := b.cluster.CreateTopic(counted, 6, nil); err != nil {
		b.t.Fatal(err)
	}
}

// spans are those from one offset up to, not including, the next one.
func spans(edges ...int64) (all ledger.Spans) {
	for i := 0; i < len(edges); i += 2 {
		all = append(all, ledger.Span{First: edges[i], Next: edges[i+1]})
	}
	return all
}

func (b *balanced) want(foreign bool, held landed, want string) {
	b.t.Helper()
	sum, err := b.compare(b.t.Context(), foreign, held)
	if got := fmt.Sprintf("%d arrived, %d missing, %d open: %s", sum.arrived, sum.missing, sum.open, sum.where()); err != nil || strings.TrimSuffix(got, ": ") != want {
		b.t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// Markers of transactions and aborted records are no loss; a record among them
// that has not arrived is, and those of an open transaction are yet to come.
func TestCompare_Transactions(t *testing.T) {
	t.Parallel()
	b := newBalanced(t)
	x := b.client(kgo.TransactionalID("x"), kgo.TransactionTimeout(10*time.Minute))
	b.transaction(x, 3, new(kgo.TryCommit)) // 0 to 2, marker 3
	b.transaction(x, 3, new(kgo.TryAbort))  // 4 to 6, marker 7
	b.transaction(x, 3, new(kgo.TryCommit)) // 8 to 10, marker 11
	all := landed{place{b.id(), 0}: spans(8, 11, 0, 3)}
	b.want(false, all, "6 arrived, 0 missing, 0 open")
	b.want(false, landed{place{b.id(), 0}: spans(0, 2, 8, 10)}, "4 arrived, 2 missing, 0 open: 2 in incidents/0 from offset 2 on")
	b.want(false, landed{}, "0 arrived, 6 missing, 0 open: 6 in incidents/0 from offset 0 on")
	client, err := b.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for offset, there := range map[int64]bool{1: true, 3: false, 5: false, 9: true} { // 3 is a marker, 5 was aborted
		record, err := kafka.Read(client, kafka.Partition{Topic: counted, Number: 0}, offset)
		if err != nil || (record != nil) != there || there && (string(record.Value) != "{}" || time.Since(record.At) > time.Hour) {
			t.Errorf("offset %d holds %v, %v", offset, record, err)
		}
	}
	b.transaction(x, 2, nil)
	b.produce(b.client(), 1)
	b.want(false, all, "6 arrived, 0 missing, 3 open")
}

// A topic that was made again: what arrived of the old one makes up for
// nothing that is missing of the new one. Nor does one partition for another.
func TestCompare_SurplusHidesNoLoss(t *testing.T) {
	t.Parallel()
	b := newBalanced(t)
	plain := b.client()
	b.produce(plain, 30)
	held := landed{place{b.id(), 0}: spans(0, 30)}
	b.want(false, held, "30 arrived, 0 missing, 0 open")
	b.recreate()
	b.produce(b.client(), 5)
	held[place{b.id(), 0}] = spans(0, 3)
	held[place{b.id(), 1}] = spans(0, 9) // more than Kafka holds
	b.want(false, held, "3 arrived, 2 missing, 0 open: 2 in incidents/0 from offset 3 on")

	// What was deleted in Kafka is neither.
	if err := b.cluster.DeleteRecords(counted, 0, 4); err != nil {
		t.Fatal(err)
	}
	b.want(false, held, "0 arrived, 1 missing, 0 open: 1 in incidents/0 from offset 4 on")
}

// What Kafka deleted before it had arrived, by age or with its topic, is not
// passed over, however often the topic was made again.
func TestCompare_DeletedBeforeItArrived(t *testing.T) {
	t.Parallel()
	for name, foreign := range map[string]bool{"own": false, "foreign": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBalanced(t)
			held := landed{}
			want := func(deleted int64) {
				t.Helper()
				if sum, err := b.compare(t.Context(), foreign, held); err != nil || sum.deleted != deleted {
					t.Errorf("%d deleted, %v; want %d", sum.deleted, err, deleted)
				}
			}
			b.produce(b.client(), 10)
			held[place{b.id(), 0}] = spans(0, 4, 8, 9)
			want(0)
			if err := b.cluster.DeleteRecords(counted, 0, 7); err != nil {
				t.Fatal(err)
			}
			want(3)
			b.recreate()
			want(5) // 9 as well
			b.produce(b.client(), 6)
			held[place{b.id(), 0}] = spans(0, 2)
			want(5)
			b.recreate()
			want(9)

			b.produce(b.client(), 6) // which the bridge has handed on, or given up
			b.commit(5)
			want(9)
			b.recreate()
			want(10)
		})
	}
	b := newBalanced(t)
	b.produce(b.client(), 10)
	b.watch("KAFKA_START=latest") // what was there before does not count
	if err := b.cluster.DeleteRecords(counted, 0, 10); err != nil {
		t.Fatal(err)
	}
	if sum, err := b.compare(t.Context(), true, landed{}); err != nil || sum.deleted != 0 {
		t.Errorf("%d deleted, %v; want none", sum.deleted, err)
	}
}

// In somebody else's topics only what is there since the group begins counts,
// or what an earlier run has read.
func TestCompare_ForeignTopics(t *testing.T) {
	t.Parallel()
	b := newBalanced(t)
	b.produce(b.client(), 10)
	old := landed{place{b.id(), 0}: spans(4, 7)}
	for name, environment := range map[string]string{"latest": "latest", "a time": time.Now().Add(time.Hour).Format(time.RFC3339)} {
		b.watch("KAFKA_START="+environment, "KAFKA_GROUP_ID="+environment)
		b.want(true, landed{}, "0 arrived, 0 missing, 0 open")
		if t.Failed() {
			t.Fatal(name)
		}
		b.want(true, maps.Clone(old), "3 arrived, 3 missing, 0 open: 3 in incidents/0 from offset 7 on")
	}
	b.watch()
	b.want(true, landed{}, "0 arrived, 10 missing, 0 open: 10 in incidents/0 from offset 0 on")
}

// A topic that is gone is told apart from a broker that is; the others are
// still watched.
func TestBroker_DeletedTopic(t *testing.T) {
	t.Parallel()
	b := newBalanced(t)
	s := &System{broker: b.broker}
	if err := b.look(); err != nil || b.trouble.Load() != nil {
		t.Fatal(err, b.trouble.Load())
	}
	if err := b.cluster.DeleteTopic(counted); err != nil {
		t.Fatal(err)
	}
	if err := b.look(); err != nil {
		t.Fatal(err)
	}
	got := s.kafkaFlow(reading{})
	if got.Fault != "There is no topic incidents in Kafka." || !strings.HasPrefix(got.Remedy, "Create it again, with 6 partitions") || len(b.offsets()) != 30 {
		t.Errorf("%d partitions, %+v", len(b.offsets()), got)
	}
	if err := b.cluster.CreateTopic(counted, 6, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.look(); err != nil || s.kafkaFlow(reading{}).Fault != "" || len(b.offsets()) != 36 {
		t.Errorf("once it is there again: %v, %+v", err, s.kafkaFlow(reading{}))
	}
	b.cluster.Close()
	if err := b.look(); err == nil {
		t.Error("the broker is away, and nothing is said")
	} else if got := s.kafkaFlow(reading{}); got.Fault == "" || strings.Contains(got.Fault, "no topic") {
		t.Errorf("the broker is away: %+v", got)
	}
}
