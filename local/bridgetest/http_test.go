package bridgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
)

// As it is deployed: the transport and the dead letters come from the
// configuration.
func TestHTTP_PublishesEveryRecordAndCommits(t *testing.T) {
	cluster, f := newCluster(t), newFunction(t)
	d := newDeadTopic(t, nil)
	t.Setenv("PUBSUB_EMULATOR_HOST", d.address)
	f.before = func(w http.ResponseWriter, _ *http.Request, b *batch.Batch) bool {
		if holds(b, 2) {
			http.Error(w, "no", http.StatusUnprocessableEntity)
		}
		return !holds(b, 2)
	}
	for p := range int32(6) {
		produce(t, cluster, topic, p, 500+int(p))
	}
	c := httpConfig(config(cluster), f.url)
	c.DeadLetterTopic = "the-dead"
	m := startWith(t, c, bridge.Dependencies{})
	f.wait(t, 3015-502)
	for p := range int32(6) {
		eventually(t, "the end is committed", func() bool { return committed(cluster, topic, p) == 500+int64(p) })
		if p != 2 {
			f.check(t, cluster, topic, p, 0, 500+int64(p))
		}
	}
	m.stop(t)
	for _, r := range d.requests {
		if r.Topic != "projects/test/topics/the-dead" {
			t.Errorf("buried in %s", r.Topic)
		}
	}
	if len(d.requests) == 0 {
		t.Error("nothing was buried")
	}
}

// Every batch fails at first, in every way that passes: none is lost, none is
// buried.
func TestHTTP_PassingFaults(t *testing.T) {
	t.Parallel()
	cluster, f := newCluster(t), newFunction(t)
	d := newDeadTopic(t, nil)
	var mu sync.Mutex
	tries := map[string]int{}
	f.before = func(w http.ResponseWriter, _ *http.Request, b *batch.Batch) bool {
		mu.Lock()
		defer mu.Unlock()
		tries[b.ID()]++
		switch tries[b.ID()] {
		case 1:
			http.Error(w, "crashed", http.StatusInternalServerError)
		case 2:
			panic(http.ErrAbortHandler) // no answer
		case 3:
			http.Error(w, "busy", http.StatusTooManyRequests)
		case 4:
			http.Error(w, "away", http.StatusServiceUnavailable)
		case 5:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		case 6:
			http.Error(w, "not you", http.StatusForbidden)
		default:
			return true
		}
		return false
	}
	watch := watchCommits(cluster, f.recorder)
	produce(t, cluster, topic, 0, 200)
	produce(t, cluster, topic, 1, 200)
	m := startHTTP(t, httpConfig(config(cluster), f.url), d)
	f.wait(t, 400)
	for p := range int32(2) {
		f.check(t, cluster, topic, p, 0, 200)
		eventually(t, "it commits", func() bool { return committed(cluster, topic, p) == 200 })
	}
	m.stop(t)
	watch.check(t)
	if n := len(d.messages()); n != 0 {
		t.Errorf("%d batches were buried", n)
	}
}

// holdsPoison reports whether the batch has offset 70 of partition 3.
func holdsPoison(b *batch.Batch) bool {
	return slices.ContainsFunc(b.Records, func(r batch.Record) bool { return r.Partition == 3 && r.Offset == 70 })
}

// What the function refuses for good is in the dead letter topic before its
// offset is committed; other batches and partitions go on.
func TestHTTP_PoisonIsBuriedBeforeTheCommit(t *testing.T) {
	t.Parallel()
	cluster, f := newCluster(t), newFunction(t)
	d := newDeadTopic(t, f.recorder)
	var refused atomic.Int64
	f.before = func(w http.ResponseWriter, _ *http.Request, b *batch.Batch) bool {
		if holdsPoison(b) {
			if len(b.Ranges()) == 1 {
				refused.Add(1)
			}
			http.Error(w, "the batch\nis poison\x00", http.StatusUnprocessableEntity)
			return false
		}
		return true
	}
	watch := watchCommits(cluster, f.recorder)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 300)
	}
	m := startHTTP(t, httpConfig(config(cluster), f.url), d)
	f.wait(t, 1800)
	for p := range int32(6) {
		eventually(t, "every partition commits", func() bool { return committed(cluster, topic, p) == 300 })
	}
	m.stop(t)
	watch.check(t)

	messages := d.messages() // one for both lanes, or one for each
	if lanes := len(messages); lanes < 1 || lanes > 2 || refused.Load() != int64(3*lanes) {
		t.Fatalf("%d batches are buried after %d refusals, want 3 for each", len(messages), refused.Load())
	}
	var buried int64
	for _, message := range messages {
		a := message.Attributes
		e, err := batch.FromMessage(a, message.Data)
		if err != nil {
			t.Fatal(err)
		}
		b, err := batch.FromEvent(e)
		if err != nil || !holdsPoison(b) || len(b.Ranges()) != 1 || len(messages) == 1 && b.Lane != batch.BothLanes {
			t.Fatalf("buried %s, %v", e.ID(), err)
		}
		if b.Lane.Serves(batch.RowsLane) {
			buried += int64(len(b.Records))
		}
		if a["CloudPubSubDeadLetterSourceDeliveryCount"] != "3" || a["stationflow-dead-letter-source"] != "bridge stationflow" ||
			!strings.HasSuffix(a["stationflow-dead-letter-reason"], "422 Unprocessable Entity: the batch is poison\x00") || a["CloudPubSubDeadLetterSourceTopicPublishTime"] == "" {
			t.Errorf("the attributes are %q", a)
		}
	}
	var now bridge.Snapshot
	if err := json.Unmarshal([]byte(get(t, m.Bridge, "/status", http.StatusOK)), &now); err != nil {
		t.Fatal(err)
	}
	if now.DeadLetteredBatches != int64(len(messages)) || now.DeadLetteredRecords != buried || now.Records != 1800-buried {
		t.Errorf("the status is %+v", now)
	}
	if metrics := get(t, m.Bridge, "/metrics", http.StatusOK); !strings.Contains(metrics, fmt.Sprintf(`bridge_dead_lettered_batches_total{topic="incidents"} %d`, len(messages))) {
		t.Error("the metrics do not count the dead letter")
	}
}

// While the dead letter topic takes nothing, nothing is committed in its
// place, and health says why.
func TestHTTP_DeadLetterTopicIsDown(t *testing.T) {
	t.Parallel()
	cluster, f := newCluster(t), newFunction(t)
	d := newDeadTopic(t, f.recorder)
	var healed atomic.Bool
	var tries atomic.Int64
	d.before = func() error {
		if tries.Add(1); healed.Load() {
			return nil
		}
		return status.Error(codes.NotFound, "no such topic")
	}
	f.before = func(w http.ResponseWriter, _ *http.Request, b *batch.Batch) bool {
		http.Error(w, "poison", http.StatusInternalServerError)
		return false
	}
	watch := watchCommits(cluster, f.recorder)
	produce(t, cluster, topic, 4, 10)
	m := startHTTP(t, httpConfig(config(cluster), f.url), d)
	eventually(t, "health says why", func() bool {
		reasons := m.Unhealthy()
		return len(reasons) == 1 && strings.Contains(reasons[0], "no such topic") && strings.Contains(reasons[0], "poison")
	})
	if got := committed(cluster, topic, 4); got > 0 || tries.Load() < 2 {
		t.Errorf("offset %d is committed after %d attempts to bury", got, tries.Load())
	}
	healed.Store(true)
	eventually(t, "it commits", func() bool { return committed(cluster, topic, 4) == 10 })
	m.stop(t)
	watch.check(t)
	f.check(t, cluster, topic, 4, 0, 10)
}

// The function takes a batch, and its answer comes too late: the batch is
// delivered again, and committed only then.
func TestHTTP_TimeoutAfterSuccess(t *testing.T) {
	t.Parallel()
	cluster, f := newCluster(t), newFunction(t)
	var mu sync.Mutex
	seen := map[string]bool{}
	f.after = func(r *http.Request, b *batch.Batch) {
		mu.Lock()
		late := !seen[b.ID()]
		seen[b.ID()] = true
		mu.Unlock()
		if late {
			<-r.Context().Done()
		}
	}
	produce(t, cluster, topic, 0, 20)
	c := httpConfig(config(cluster), f.url)
	c.PublishTimeout = 500 * time.Millisecond
	d := newDeadTopic(t, nil)
	m := startHTTP(t, c, d)
	f.wait(t, 20)
	if got := committed(cluster, topic, 0); got > 0 {
		t.Errorf("offset %d was committed before any answer", got)
	}
	eventually(t, "it commits", func() bool { return committed(cluster, topic, 0) == 20 })
	m.stop(t)
	f.check(t, cluster, topic, 0, 0, 20)
	if n := f.times(coordinate{topicID(cluster, topic), 0, 0}); n != 2 {
		t.Errorf("the record was delivered %d times, want 2", n)
	}
	if n := len(d.messages()); n != 0 {
		t.Errorf("%d batches were buried", n)
	}
}

// The function asks one partition to wait: that partition does, the others do
// not, and nobody waits for it at the end.
func TestHTTP_RetryAfterPausesThePartition(t *testing.T) {
	t.Parallel()
	cluster, f := newCluster(t), newFunction(t)
	var asked atomic.Int64
	f.before = func(w http.ResponseWriter, _ *http.Request, b *batch.Batch) bool {
		if !holds(b, 3) {
			return true
		}
		asked.Add(1)
		w.Header().Set("Retry-After", "60")
		http.Error(w, "busy", http.StatusTooManyRequests)
		return false
	}
	produce(t, cluster, topic, 3, 1)
	m := startHTTP(t, httpConfig(config(cluster), f.url), newDeadTopic(t, nil))
	eventually(t, "it is asked", func() bool { return asked.Load() == 1 })
	for round := range int64(20) { // each lasts a commit's interval: longer together than any pause of the bridge's own
		produce(t, cluster, topic, 5, 10)
		eventually(t, "the others commit", func() bool { return committed(cluster, topic, 5) == 10*(round+1) })
	}
	m.stop(t)
	if n := asked.Load(); n != 1 {
		t.Errorf("the function was asked %d times", n)
	}
	if got := committed(cluster, topic, 3); got > 0 {
		t.Errorf("offset %d of the waiting partition is committed", got)
	}
}

// Bridges are killed under load, in the middle of requests. Nothing is
// missing, and nothing was committed that was not taken.
func TestHTTP_KilledUnderLoad(t *testing.T) {
	t.Parallel()
	cluster, f := newCluster(t), newFunction(t)
	d := newDeadTopic(t, f.recorder)
	watch := watchCommits(cluster, f.recorder)
	var requests atomic.Int64
	f.before = func(w http.ResponseWriter, _ *http.Request, b *batch.Batch) bool {
		if requests.Add(1)%7 == 0 {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	var load sync.WaitGroup
	load.Go(func() {
		for range 20 {
			for p := range int32(6) {
				produce(t, cluster, topic, p, 50)
			}
		}
	})
	c := httpConfig(config(cluster), f.url)
	for kill := range 2 {
		killed := c
		killed.DrainTimeout = time.Millisecond // what is in flight is given up, what was taken is not committed
		m := startHTTP(t, killed, d)
		f.wait(t, 1000*(kill+1))
		m.stop(t)
	}
	start := startHTTP(t, c, d)
	load.Wait()
	f.wait(t, 6000)
	for p := range int32(6) {
		f.check(t, cluster, topic, p, 0, 1000)
		eventually(t, "the end is committed", func() bool { return committed(cluster, topic, p) == 1000 })
	}
	start.stop(t)
	watch.check(t)
}
