package bridgetest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/bridge"
)

// transactions is a producer of transactions to partition 0.
type transactions struct {
	t      *testing.T
	client *kgo.Client
}

func newTransactions(t *testing.T, cluster *kfake.Cluster) transactions {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.TransactionalID(t.Name()),
		kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return transactions{t, client}
}

// begin leaves a transaction open.
func (x transactions) begin(records int) {
	x.t.Helper()
	if err := x.client.BeginTransaction(); err != nil {
		x.t.Fatal(err)
	}
	for i := range records {
		r := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "of the transaction %d", i)}
		if err := x.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x transactions) end(how kgo.TransactionEndTry) {
	x.t.Helper()
	if err := x.client.EndTransaction(context.Background(), how); err != nil {
		x.t.Fatal(err)
	}
}

// A transaction is open for longer than anything may be stuck: what is behind
// its first record cannot be read by anyone, so that no restart helps. The
// bridge says where it is, and goes on when it ends.
func TestBridge_OpenTransaction(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	produce(t, cluster, topic, 0, 3)
	x := newTransactions(t, cluster)
	x.begin(2)
	produce(t, cluster, topic, 0, 4) // behind it
	transport := newRecorder(nil)
	c := config(cluster)
	m := start(t, c, transport)
	transport.wait(t, 3)

	first := func() bridge.PartitionStatus { return m.Snapshot().Partitions[0] }
	eventually(t, "the transaction has been open for longer than anything may be stuck", func() bool {
		open := first().Open
		return open != nil && open.For > 2*c.StuckAfter
	})
	get(t, m.Bridge, "/livez", http.StatusOK)
	get(t, m.Bridge, "/healthz", http.StatusOK)
	p := first()
	if p.Stable != 3 || p.End != 9 || p.LagRecords != 0 || p.Open.Offset != 3 || p.Open.Offsets != 6 || p.Problem != "" {
		t.Errorf("the partition is %+v with the transaction %+v", p, p.Open)
	}
	const want = "a transaction is open in incidents/0 since offset 3: what follows, 6 offsets so far, can be read once its producer ends it"
	if got := p.Open.In(p.Topic, p.Partition); !strings.HasPrefix(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}

	x.end(kgo.TryCommit)
	transport.wait(t, 9)
	eventually(t, "nothing is open and nothing waits", func() bool { p := first(); return p.Open == nil && p.LagRecords == 0 && p.Stable == p.End })
}

// The latest is where a reader of committed records stands: the records of a
// transaction that is open then are still to come.
func TestBridge_StartsAtTheLatestBeforeAnOpenTransaction(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]bridge.Start{"latest": {Latest: true}, "a time to come": {At: time.Now().Add(time.Hour)}} {
		cluster := newCluster(t)
		produce(t, cluster, topic, 0, 3)
		x := newTransactions(t, cluster)
		x.begin(2)
		c := config(cluster)
		c.Start = from
		transport := newRecorder(nil)
		start(t, c, transport)
		eventually(t, name+": the start is committed", func() bool { return committed(cluster, topic, 0) == 3 })
		x.end(kgo.TryCommit)
		transport.wait(t, 2)
		transport.check(t, cluster, topic, 0, 3, 5)
	}
}

// Whatever the number of partitions, one request asks a broker for their ends,
// and one for what of them can be read.
func TestBridge_AsksEachBrokerOnceForAllPartitions(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.SeedTopics(30, "passenger_flow"))
	var all, one atomic.Int64 // requests
	cluster.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		partitions := 0
		for _, topic := range request.(*kmsg.ListOffsetsRequest).Topics {
			partitions += len(topic.Partitions)
		}
		switch partitions {
		case 36:
			all.Add(1)
		case 1:
			one.Add(1)
		default:
			t.Errorf("a request asks for %d partitions", partitions)
		}
		return nil, nil, false
	})
	c := config(cluster)
	c.Topics = []string{topic, "passenger_flow"}
	start(t, c, newRecorder(nil))
	eventually(t, "it has looked three times", func() bool { return all.Load() >= 6 })
	if one.Load() > 0 {
		t.Errorf("%d requests asked for one partition each", one.Load())
	}
}
