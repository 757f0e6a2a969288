// Package bridgetest tests the bridge against a Kafka broker in process.
package bridgetest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
)

const (
	topic = "incidents"
	group = "stationflow"

	// patience is how long a test waits for what should take moments.
	patience = 30 * time.Second
)

func newCluster(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	options = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(6, topic),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}, options...)
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// config is one of fast reactions.
func config(cluster *kfake.Cluster) bridge.Config {
	c, err := bridge.FromEnv(func(name string) string {
		return map[string]string{
			"KAFKA_BOOTSTRAP_SERVERS": cluster.ListenAddrs()[0],
			"GOOGLE_CLOUD_PROJECT":    "test",
			"KAFKA_TOPICS":            topic,
			"BRIDGE_BATCH_RECORDS":    "50",
			"BRIDGE_BATCH_AGE":        "10ms",
			"BRIDGE_LAKE_AGE":         "50ms",
			"BRIDGE_COMMIT_INTERVAL":  "20ms",
			"BRIDGE_RETRY_MAX":        "100ms",
			"BRIDGE_STUCK_AFTER":      "1s",
			"BRIDGE_DRAIN_TIMEOUT":    "4s",
		}[name]
	})
	if err != nil {
		panic(err)
	}
	c.Addr = ""
	return c
}

// A member is one running bridge.
type member struct {
	*bridge.Bridge
	cancel context.CancelFunc
	done   chan error
}

func start(t testing.TB, c bridge.Config, transport bridge.Transport) *member {
	t.Helper()
	return startWith(t, c, bridge.Dependencies{Transport: transport})
}

func startWith(t testing.TB, c bridge.Config, with bridge.Dependencies) *member {
	t.Helper()
	if with.Logger == nil {
		with.Logger = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	}
	b, err := bridge.New(c, with)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{Bridge: b, cancel: cancel, done: make(chan error, 1)}
	go func() { m.done <- b.Run(ctx) }()
	t.Cleanup(func() { m.stop(t) })
	return m
}

// stop ends the member as SIGTERM does, and waits for it.
func (m *member) stop(t testing.TB) {
	t.Helper()
	m.cancel()
	select {
	case err := <-m.done:
		m.done <- nil // for the next call of stop
		if err != nil {
			t.Errorf("Run returned %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run did not return")
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Logf("%s", line)
	return len(line), nil
}

// A recorder is a Transport that keeps which offsets it was given.
type recorder struct {
	// before, when set, decides over each attempt. It may block until ctx is
	// done.
	before func(ctx context.Context, b *batch.Batch) error

	mu      sync.Mutex
	changed chan struct{}
	seen    map[coordinate]int // how often in the rows lane
	lake    map[coordinate]int // likewise in the lake lane
	batches []*batch.Batch
	faults  []error
}

type coordinate struct {
	topicID   string
	partition int32
	offset    int64
}

func newRecorder(before func(context.Context, *batch.Batch) error) *recorder {
	return &recorder{before: before, changed: make(chan struct{}), seen: map[coordinate]int{}, lake: map[coordinate]int{}}
}

func (r *recorder) Publish(ctx context.Context, e cloudevents.Event) error {
	e = e.Clone() // copies the data, which is the bridge's
	b, err := batch.FromEvent(e)
	if err == nil && r.before != nil {
		if err := r.before(ctx, b); err != nil {
			return err
		}
	}
	r.take(b, err)
	return nil
}

// take notes a batch, or why one could not be read.
func (r *recorder) take(b *batch.Batch, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.faults = append(r.faults, err)
	} else {
		r.batches = append(r.batches, b)
		for i := range b.Records {
			at := coordinate{b.TopicID, b.Records[i].Partition, b.Records[i].Offset}
			if b.Lane.Serves(batch.RowsLane) {
				r.seen[at]++
			}
			if b.Lane.Serves(batch.LakeLane) {
				r.lake[at]++
			}
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// holds reports whether the batch has a record of the partition.
func holds(b *batch.Batch, partition int32) bool {
	return slices.ContainsFunc(b.Ranges(), func(r batch.Range) bool { return r.Partition == partition })
}

// wait returns once so many different records were published in both lanes.
func (r *recorder) wait(t testing.TB, records int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		have, changed := min(len(r.seen), len(r.lake)), r.changed
		r.mu.Unlock()
		if have >= records {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%d of %d records were published", have, records)
		}
	}
}

// times tells how often the record was published.
func (r *recorder) times(at coordinate) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[at]
}

// check fails when an event was no batch or an offset before next is missing.
func (r *recorder) check(t testing.TB, cluster *kfake.Cluster, topic string, partition int32, from, next int64) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fault := range r.faults {
		t.Error(fault)
	}
	id := topicID(cluster, topic)
	for offset := from; offset < next; offset++ {
		if at := (coordinate{id, partition, offset}); r.seen[at] == 0 || r.lake[at] == 0 {
			t.Errorf("offset %d of partition %d was published %d times in the rows lane, %d in the lake lane", offset, partition, r.seen[at], r.lake[at])
			return
		}
	}
}

func topicID(cluster *kfake.Cluster, topic string) string {
	id := cluster.TopicInfo(topic).TopicID
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// eventually waits for a condition that nothing tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
	}
}

// committed is the group's offset, or -1.
func committed(cluster *kfake.Cluster, topic string, partition int32) int64 {
	info := cluster.GroupInfo(group)
	if info == nil {
		return -1
	}
	commit, ok := info.Commits[topic][partition]
	if !ok {
		return -1
	}
	return commit.Offset
}

// produce writes records of about 200 bytes to one partition.
func produce(t testing.TB, cluster *kfake.Cluster, topic string, partition int32, count int) {
	t.Helper()
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Key: fmt.Appendf(nil, "%d", i), Value: fmt.Appendf(nil, `{"id":"%0180d"}`, i)}
	}
	produceRecords(t, cluster, records...)
}

func produceRecords(t testing.TB, cluster *kfake.Cluster, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(40<<20), kgo.MaxBufferedRecords(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
