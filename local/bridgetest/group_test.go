package bridgetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/batch"
)

// Two members come and go under load. Nothing is lost, and nothing was ever
// committed that was not published by then.
func TestBridge_RebalanceUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	transport := newRecorder(nil)
	watch := watchCommits(cluster, transport)

	first := start(t, config(cluster), transport)
	var load sync.WaitGroup
	load.Go(func() {
		for range 20 {
			for p := range int32(6) {
				produce(t, cluster, topic, p, 100)
			}
		}
	})
	transport.wait(t, 600)
	second := start(t, config(cluster), transport)
	waitStable(t, cluster, 2)
	first.stop(t)
	waitStable(t, cluster, 1)
	third := start(t, config(cluster), transport)
	load.Wait()
	transport.wait(t, 12_000)
	for p := range int32(6) {
		transport.check(t, cluster, topic, p, 0, 2000)
		eventually(t, "the end is committed", func() bool { return committed(cluster, topic, p) == 2000 })
	}
	second.stop(t)
	third.stop(t)
	watch.check(t)
}

// commits watches every OffsetCommit on its way to the broker.
type commits struct {
	mu     sync.Mutex
	count  int
	faults []string
}

func watchCommits(cluster *kfake.Cluster, transport *recorder) *commits {
	w := &commits{}
	id := topicID(cluster, topic)
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		w.mu.Lock()
		defer w.mu.Unlock()
		transport.mu.Lock()
		defer transport.mu.Unlock()
		for _, t := range request.(*kmsg.OffsetCommitRequest).Topics {
			for _, p := range t.Partitions {
				w.count++
				for offset := range p.Offset {
					if at := (coordinate{id, p.Partition, offset}); transport.seen[at] == 0 || transport.lake[at] == 0 {
						w.faults = append(w.faults, "an offset was committed before it was published in both lanes")
						break
					}
				}
			}
		}
		return nil, nil, false
	})
	return w
}

func (w *commits) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		t.Error("no commit was seen")
	}
	for _, fault := range w.faults {
		t.Error(fault)
	}
}

func waitStable(t *testing.T, cluster *kfake.Cluster, members int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := cluster.WaitGroupStable(ctx, group, members); err != nil {
		t.Fatalf("waiting for %d members: %v", members, err)
	}
}

// A batch is in flight when the group goes on without the member. The session
// commits nothing more, even though the batch arrives in the end; the next
// session publishes it again.
func TestBridge_CommitsNothingAfterRevocation(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	produce(t, cluster, topic, 0, 10)
	inFlight, arrived := make(chan struct{}), make(chan struct{})
	var attempts atomic.Int64
	transport := newRecorder(func(ctx context.Context, b *batch.Batch) error {
		if attempts.Add(1) > 1 {
			<-arrived
			return nil
		}
		close(inFlight)
		<-ctx.Done() // the bridge gives it up,
		close(arrived)
		return nil // yet it arrives
	})
	start(t, config(cluster), transport)
	<-inFlight

	var revoked, broken atomic.Int64 // the revoked generation, and its commits since
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		commit := request.(*kmsg.OffsetCommitRequest)
		if g := revoked.Load(); g > 0 && int64(commit.Generation) <= g {
			broken.Add(1)
		}
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.Heartbeat), func(request kmsg.Request) (kmsg.Response, error, bool) {
		revoked.Store(int64(request.(*kmsg.HeartbeatRequest).Generation))
		response := request.ResponseKind().(*kmsg.HeartbeatResponse)
		response.ErrorCode = kerr.IllegalGeneration.Code
		return response, nil, true
	})
	<-arrived
	eventually(t, "the successor commits", func() bool { return committed(cluster, topic, 0) == 10 })
	if broken.Load() != 0 {
		t.Error("the revoked session committed")
	}
	if n := transport.times(coordinate{topicID(cluster, topic), 0, 0}); n != 2 {
		t.Errorf("the record was published %d times, want 2", n)
	}
}
