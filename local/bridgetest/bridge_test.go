package bridgetest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
)

func TestBridge_PublishesEveryRecordAndCommits(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 500+int(p))
	}
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	transport.wait(t, 3015)
	for p := range int32(6) {
		transport.check(t, cluster, topic, p, 0, 500+int64(p))
		eventually(t, "the end is committed", func() bool { return committed(cluster, topic, p) == 500+int64(p) })
	}
	if now := m.Snapshot(); now.Records != 3015 || len(now.Partitions) != 6 || now.LagRecords() != 0 {
		t.Errorf("the snapshot is %+v", now)
	}
	m.stop(t)
	if members := cluster.GroupInfo(group).Members; len(members) != 0 {
		t.Errorf("the group still has %v", members)
	}
}

// The log says at which size batches are cut, which the memory decides where
// there are many partitions.
func TestBridge_SaysTheBatchSizeInForce(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.SeedTopics(36, "many"))
	c := config(cluster)
	c.Topics = []string{"many"}
	log := new(logged)
	startWith(t, c, bridge.Dependencies{Transport: newRecorder(nil), Logger: slog.New(slog.NewTextHandler(log, nil))})
	eventually(t, "it begins to read", func() bool { return strings.Contains(log.String(), "msg=reading") })
	if !strings.Contains(log.String(), "partitions=36") || !strings.Contains(log.String(), "partition_bytes=815559") {
		t.Errorf("the log says %s", log)
	}
}

// One partition's transport fails; the others go on as if nothing were.
func TestBridge_FailingPartitionPausesAlone(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var healed atomic.Bool
	transport := newRecorder(func(_ context.Context, b *batch.Batch) error {
		if holds(b, 3) && !healed.Load() {
			return errors.New("503 from afar")
		}
		return nil
	})
	m := start(t, config(cluster), transport)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 3000)
	}
	transport.wait(t, 15_000)
	for p := range int32(6) {
		if p != 3 {
			eventually(t, "the others commit", func() bool { return committed(cluster, topic, p) == 3000 })
		}
	}
	if got := committed(cluster, topic, 3); got > 0 {
		t.Errorf("offset %d of the failing partition is committed", got)
	}
	eventually(t, "health fails and says why", func() bool {
		reasons := m.Unhealthy()
		return len(reasons) == 1 && strings.Contains(reasons[0], "incidents/3: 503 from afar")
	})
	if now := m.Snapshot(); now.Retries == 0 || now.Partitions[3].InFlight == 0 || now.Partitions[3].LagRecords != 3000 || now.Partitions[3].Lag <= 0 {
		t.Errorf("the snapshot is %+v", now.Partitions[3])
	}
	healed.Store(true)
	transport.wait(t, 18_000)
	transport.check(t, cluster, topic, 3, 0, 3000)
	eventually(t, "it commits", func() bool { return committed(cluster, topic, 3) == 3000 })
	eventually(t, "health recovers", func() bool { return len(m.Unhealthy()) == 0 })
}

// With nothing arriving, the bridge holds no more than it may.
func TestBridge_MemoryStaysBelowTheCeiling(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.MemoryBytes, c.BatchBytes, c.BatchRecords = 2*batch.MaxEncodedBytes, 1<<20, 20_000
	c.Transport = "" // does not compress
	c.BatchAge, c.LakeAge = 5*time.Second, 6*time.Second
	var healed atomic.Bool
	transport := newRecorder(func(ctx context.Context, b *batch.Batch) error {
		if healed.Load() {
			return nil
		}
		return errors.New("no")
	})
	for p := range int32(6) {
		produce(t, cluster, topic, p, 20_000) // 4 MB each
	}
	m := start(t, c, transport)
	held := func() (bytes int64) {
		for _, p := range m.Snapshot().Partitions {
			bytes += p.MemoryBytes
		}
		return bytes
	}
	var most int64
	eventually(t, "it is full", func() bool {
		most = max(most, held())
		waiting := 0
		for _, p := range m.Snapshot().Partitions {
			if p.Problem != "" && p.InFlight > 0 {
				waiting++
			}
		}
		return waiting == 6
	})
	if most > c.MemoryBytes-batch.MaxEncodedBytes {
		t.Errorf("it held %d bytes", most)
	}
	healed.Store(true)
	transport.wait(t, 120_000)
	if most = max(most, held()); most > c.MemoryBytes-batch.MaxEncodedBytes {
		t.Errorf("it held %d bytes", most)
	}
}

// At the end of its context the bridge publishes what it has read, commits
// and leaves.
func TestBridge_DrainsWhenToldToStop(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.BatchAge, c.LakeAge = time.Hour, time.Hour // only the drain can cut
	produce(t, cluster, topic, 0, 30)
	transport := newRecorder(nil)
	m := start(t, c, transport)
	eventually(t, "the records are read", func() bool {
		for _, p := range m.Snapshot().Partitions {
			if p.MemoryBytes > 0 {
				return true
			}
		}
		return false
	})
	// What waits in the library's channel by then may be read by the next.
	m.stop(t)
	published := int64(len(transport.seen))
	if published == 0 || committed(cluster, topic, 0) != published {
		t.Errorf("%d records are published, %d committed", published, committed(cluster, topic, 0))
	}
	if n := len(cluster.GroupInfo(group).Members); n != 0 {
		t.Errorf("%d members did not leave", n)
	}
}

// A transport that hangs does not keep the bridge from ending in time, and
// what did not arrive is not committed.
func TestBridge_GivesUpDrainingInTime(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.DrainTimeout = time.Second
	produce(t, cluster, topic, 0, 10)
	inFlight := make(chan struct{}, 100)
	m := start(t, c, newRecorder(func(ctx context.Context, b *batch.Batch) error {
		inFlight <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}))
	<-inFlight
	m.stop(t)
	if got := committed(cluster, topic, 0); got > 0 {
		t.Errorf("offset %d is committed", got)
	}
}

// The process is killed: its commits fail from some moment on, as if it were
// gone. The next one begins at the last commit.
func TestBridge_SuccessorBeginsAtTheCommit(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	transport := newRecorder(nil)
	produce(t, cluster, topic, 0, 100)
	m := start(t, config(cluster), transport)
	eventually(t, "the first are committed", func() bool { return committed(cluster, topic, 0) == 100 })
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	produce(t, cluster, topic, 0, 70)
	transport.wait(t, 170)
	m.stop(t)
	fault.Remove()
	if got := committed(cluster, topic, 0); got != 100 {
		t.Fatalf("%d are committed", got)
	}

	again := newRecorder(nil)
	start(t, config(cluster), again)
	again.wait(t, 70)
	again.check(t, cluster, topic, 0, 100, 170)
	if len(again.seen) != 70 {
		t.Errorf("%d records were read again, want the 70 not committed", len(again.seen))
	}
}

// A commit that gets no answer is made up for on a new connection.
func TestBridge_CommitsAgainAfterALostAnswer(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	produce(t, cluster, topic, 0, 10)
	start(t, config(cluster), newRecorder(nil))
	eventually(t, "it commits", func() bool { return committed(cluster, topic, 0) == 10 })
	lost := make(chan struct{})
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(lost)
		return nil, errors.New("the connection breaks"), true
	})
	produce(t, cluster, topic, 0, 10)
	<-lost
	eventually(t, "it commits again", func() bool { return committed(cluster, topic, 0) == 20 })
}

// A commit that the broker refuses is seen, counted and made up for.
func TestBridge_CommitsAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	for _, fault := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.UnknownServerError} {
		cluster := newCluster(t)
		produce(t, cluster, topic, 0, 10)
		transport := newRecorder(nil)
		m := start(t, config(cluster), transport)
		eventually(t, "it commits", func() bool { return committed(cluster, topic, 0) == 10 })
		failing := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: fault, Count: 3})
		produce(t, cluster, topic, 0, 10)
		eventually(t, "it commits after "+fault.Message, func() bool { return committed(cluster, topic, 0) == 20 })
		if failing.Hits() != 3 {
			t.Errorf("%s: %d commits failed, want 3", fault.Message, failing.Hits())
		}
		body := get(t, m.Bridge, "/metrics", http.StatusOK)
		if !strings.Contains(body, "bridge_commit_failures_total 3") {
			t.Errorf("%s: the metrics do not count 3 failures", fault.Message)
		}
		m.stop(t)
	}
}

func get(t *testing.T, b *bridge.Bridge, path string, code int) string {
	t.Helper()
	server := httptest.NewServer(b.Handler())
	defer server.Close()
	response, err := server.Client().Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != code {
		t.Errorf("%s answers %d, want %d: %s", path, response.StatusCode, code, body)
	}
	return string(body)
}

func TestBridge_HealthAndMetrics(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	produce(t, cluster, topic, 2, 10)
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	transport.wait(t, 10)
	eventually(t, "it commits", func() bool { return m.Snapshot().Partitions[2].Committed == 10 })
	get(t, m.Bridge, "/healthz", http.StatusOK)
	get(t, m.Bridge, "/readyz", http.StatusOK)
	metrics := get(t, m.Bridge, "/metrics", http.StatusOK)
	for _, line := range []string{
		`bridge_published_records_total{topic="incidents"} 10`,
		`bridge_committed_offset{partition="2",topic="incidents"} 10`,
		`bridge_lag_records{partition="2",topic="incidents"} 0`,
		`bridge_joined 1`,
		`bridge_publish_seconds_count`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	var now bridge.Snapshot
	if err := json.Unmarshal([]byte(get(t, m.Bridge, "/status", http.StatusOK)), &now); err != nil || now.Records != 10 {
		t.Errorf("the status is %+v, %v", now, err)
	}
	m.stop(t)
	get(t, m.Bridge, "/readyz", http.StatusServiceUnavailable)
}

// A topic that does not exist is named; nothing creates it; once a person
// has, the bridge goes on by itself.
func TestBridge_MissingTopic(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.AllowAutoTopicCreation())
	c := config(cluster)
	c.Topics = []string{topic, "passenger_flow"}
	transport := newRecorder(nil)
	m := start(t, c, transport)
	eventually(t, "it names the topic", func() bool { return saysUnread(m, "passenger_flow") })
	get(t, m.Bridge, "/readyz", http.StatusOK) // for it reads the other one
	if cluster.TopicInfo("passenger_flow") != nil {
		t.Fatal("it created the topic")
	}
	if err := cluster.CreateTopic("passenger_flow", 1, nil); err != nil {
		t.Fatal(err)
	}
	produce(t, cluster, "passenger_flow", 0, 5)
	transport.wait(t, 5)
	transport.check(t, cluster, "passenger_flow", 0, 0, 5)
}
