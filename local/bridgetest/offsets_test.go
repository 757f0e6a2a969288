package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
)

// The records at the group's offset have expired: that partition stops and
// says what to do, the others go on, and nothing is committed in its place.
func TestBridge_OffsetOutOfRangeStopsThePartition(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 20)
	}
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	transport.wait(t, 120)
	m.stop(t)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 20)
	}
	if err := cluster.DeleteRecords(topic, 4, 30); err != nil {
		t.Fatal(err)
	}

	m = start(t, config(cluster), transport)
	transport.wait(t, 220)
	for p := range int32(6) {
		if p != 4 {
			eventually(t, "the others commit", func() bool { return committed(cluster, topic, p) == 40 })
		}
	}
	body := get(t, m.Bridge, "/healthz", http.StatusServiceUnavailable)
	for _, part := range []string{"offset 20 of incidents/4 is out of range: Kafka holds 30 to 40", "kafka-consumer-groups --group stationflow --topic incidents:4 --reset-offsets"} {
		if !strings.Contains(body, part) {
			t.Errorf("health does not say %q: %s", part, body)
		}
	}
	get(t, m.Bridge, "/livez", http.StatusOK) // a restart would not help
	if generation := cluster.GroupInfo(group).Epoch; generation > 4 {
		t.Errorf("the group is in generation %d: the stopped partition ends the session of the others", generation)
	}
	m.stop(t)
	if got := committed(cluster, topic, 4); got != 20 {
		t.Errorf("offset %d is committed", got)
	}
}

// The records are deleted while the bridge cannot publish: what it has not
// fetched by then is lost, and it says so.
func TestBridge_OffsetOutOfRangeWhileRunning(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var healed atomic.Bool
	transport := newRecorder(func(context.Context, *batch.Batch) error {
		if healed.Load() {
			return nil
		}
		return errors.New("no")
	})
	c := config(cluster)
	c.FetchBytes = 64 << 10
	m := start(t, c, transport)
	const records = 20_000 // 4 MB, more than is fetched ahead
	for range records / 1000 {
		produce(t, cluster, topic, 4, 1000) // one fetch takes at least what was produced at once
	}
	eventually(t, "it tries to publish", func() bool { return m.Snapshot().Retries > 0 })
	if err := cluster.DeleteRecords(topic, 4, records); err != nil {
		t.Fatal(err)
	}
	healed.Store(true)
	eventually(t, "health fails", func() bool {
		reasons := m.Unhealthy()
		return len(reasons) == 1 && strings.Contains(reasons[0], "incidents/4: offset ") &&
			strings.Contains(reasons[0], fmt.Sprintf("of incidents/4 is out of range: Kafka holds %d to %d", records, records))
	})
	if got := committed(cluster, topic, 4); got >= records {
		t.Errorf("it jumped to %d", got)
	}
}

func TestBridge_Start(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		start bridge.Start
		first int64
	}{
		{"earliest", bridge.Start{}, 0},
		{"latest", bridge.Start{Latest: true}, 10},
		{"a time", bridge.Start{At: noon.Add(3 * time.Minute)}, 3},
		{"a time between records", bridge.Start{At: noon.Add(3*time.Minute + time.Second)}, 4},
		{"a time to come", bridge.Start{At: noon.Add(time.Hour)}, 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t)
			for i := range 10 {
				produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: []byte("{}"), Timestamp: noon.Add(time.Duration(i) * time.Minute)})
			}
			c := config(cluster)
			c.Start = test.start
			transport := newRecorder(nil)
			m := start(t, c, transport)
			// The start is the group's before anything is read, so that a
			// crash right now loses nothing.
			eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 5) == 0 })
			m.stop(t)
			produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: []byte("{}"), Timestamp: noon.Add(2 * time.Hour)})
			start(t, c, transport)
			transport.wait(t, 11-int(test.first))
			transport.check(t, cluster, topic, 0, test.first, 11)
			if len(transport.seen) != 11-int(test.first) {
				t.Errorf("%d records were published, want those from %d", len(transport.seen), test.first)
			}
		})
	}
}

// Where the group begins is committed before anything is read: otherwise a
// crash would have it begin elsewhere, behind records that nobody has seen.
func TestBridge_ReadsNothingBeforeItsStartIsCommitted(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.Start = bridge.Start{Latest: true}
	refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	transport := newRecorder(nil)
	m := start(t, c, transport)
	eventually(t, "commits are refused", func() bool { return refused.Hits() >= 3 })
	if m.Snapshot().Joined {
		t.Error("it reads although its start is not committed")
	}
	refused.Remove()
	eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 0) == 0 })
	produce(t, cluster, topic, 0, 3)
	transport.wait(t, 3)
}

// A partition is added to a topic that the group reads. Its first records may
// be older than the moment the group hears of it: they are read all the same,
// though the group once began at the latest.
func TestBridge_NewPartitionBeginsAtItsFirstRecord(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.Start = bridge.Start{Latest: true}
	m := start(t, c, newRecorder(nil))
	eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 0) == 0 })
	m.stop(t)
	settings := c.Kafka.Sarama("test")
	settings.Metadata.Full = true // the admin client asks for all topics
	admin, err := sarama.NewClusterAdmin(c.Kafka.Brokers, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CreatePartitions(topic, 7, nil, false); err != nil {
		t.Fatal(err)
	}
	produce(t, cluster, topic, 6, 10)
	transport := newRecorder(nil)
	start(t, c, transport)
	transport.wait(t, 10)
	transport.check(t, cluster, topic, 6, 0, 10)
}

// The last offsets of a partition hold the markers of transactions and a
// transaction that was aborted: none of it is published, and the partition
// does not look stuck.
func TestBridge_TransactionsLeaveGaps(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "transaction %d", i)}
			if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.EndTransaction(context.Background(), end); err != nil {
			t.Fatal(err)
		}
	}
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	transport.wait(t, 6)
	eventually(t, "the last record is committed", func() bool { return committed(cluster, topic, 0) == 11 })
	eventually(t, "the gap is known", func() bool { return m.Snapshot().Partitions[0].LagRecords == 0 })
	if reasons := m.Unhealthy(); len(reasons) != 0 {
		t.Errorf("it says %v", reasons)
	}
	for _, b := range transport.batches {
		for _, r := range b.Records {
			if v := string(r.Value); v != "transaction 0" && v != "transaction 2" {
				t.Errorf("published %q of an aborted transaction", v)
			}
		}
	}
	produce(t, cluster, topic, 0, 1)
	transport.wait(t, 7)
}

// Every shape of a record reaches the other side as it was written.
func TestBridge_RecordsUnchanged(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	at := time.UnixMilli(1_795_000_000_123)
	produceRecords(t, cluster,
		&kgo.Record{Topic: topic, Partition: 1, Key: []byte("k"), Value: []byte("v"), Timestamp: at,
			Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "", Value: nil}}},
		&kgo.Record{Topic: topic, Partition: 1, Timestamp: at},
		&kgo.Record{Topic: topic, Partition: 1, Key: []byte{}, Value: []byte{}, Timestamp: at})
	transport := newRecorder(nil)
	start(t, config(cluster), transport)
	transport.wait(t, 3)
	var records []batch.Record
	for _, b := range transport.batches {
		if !b.Lane.Serves(batch.RowsLane) {
			continue
		}
		if b.Topic != topic || !holds(b, 1) || b.TopicID != topicID(cluster, topic) || b.ClusterID == "" {
			t.Errorf("the batch comes from %+v", b)
		}
		records = append(records, b.Records...)
	}
	want := `[{0 1795000000123 k v [{a 1} {a } { <nil>}]} {1 1795000000123 <nil> <nil> []} {2 1795000000123   []}]`
	if got := describe(records); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func describe(records []batch.Record) string {
	text := func(b []byte) any {
		if b == nil {
			return nil
		}
		return string(b)
	}
	var all []string
	for _, r := range records {
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, fmt.Sprintf("{%s %v}", h.Key, text(h.Value)))
		}
		all = append(all, fmt.Sprintf("{%d %d %v %v %v}", r.Offset, r.Timestamp, text(r.Key), text(r.Value), headers))
	}
	return fmt.Sprint(all)
}
