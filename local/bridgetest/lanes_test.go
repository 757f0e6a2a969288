package bridgetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/stationflow/stationflow/batch"
)

// A batch holds what all partitions have. Of a hundred each is in some batch,
// and the ranges of none pass what a message's attribute may have.
func TestBridge_HundredPartitions(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.SeedTopics(100, "many"))
	c := config(cluster)
	c.Topics, c.BatchRecords = []string{"many"}, 5000
	c.BatchAge, c.LakeAge = 300*time.Millisecond, time.Second
	for p := range int32(100) {
		produce(t, cluster, "many", p, 10)
	}
	transport := newRecorder(nil)
	m := start(t, c, transport)
	transport.wait(t, 1000)
	for p := range int32(100) {
		transport.check(t, cluster, "many", p, 0, 10)
		eventually(t, "it is committed", func() bool { return committed(cluster, "many", p) == 10 })
	}
	m.stop(t)
	most := 0
	for _, b := range transport.batches {
		most = max(most, len(b.Ranges()))
		if size := len(b.Ranges().String()); size > batch.MaxRangesBytes {
			t.Errorf("ranges of %d bytes", size)
		}
	}
	if most < 10 {
		t.Errorf("no batch holds more than %d partitions", most)
	}
}

// Sent rows whose records the lake does not have yet are no lag, and are not
// committed: after a crash they come again.
func TestBridge_CommitsBehindBothLanes(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.LakeAge = time.Hour
	transport := newRecorder(nil)
	m := start(t, c, transport)
	produce(t, cluster, topic, 2, 10)
	eventually(t, "the rows are sent, and that is all", func() bool {
		now := m.Snapshot().Partitions
		return len(now) == 6 && now[2].Published == 10 && now[2].LagRecords == 0 && now[2].Lag == 0
	})
	if got := committed(cluster, topic, 2); got > 0 {
		t.Errorf("%d is committed before the lake has it", got)
	}
	if now := m.Snapshot(); now.Records != 10 || now.Partitions[2].MemoryBytes == 0 {
		t.Errorf("the snapshot is %+v", now)
	}
	began := time.Now()
	m.stop(t)
	if got := committed(cluster, topic, 2); got != 10 {
		t.Errorf("%d is committed after the drain, which took %v", got, time.Since(began))
	}
	transport.check(t, cluster, topic, 2, 0, 10)
}

// Where nothing takes one of the lanes, only the other is sent.
func TestBridge_OneLane(t *testing.T) {
	t.Parallel()
	for _, lane := range []batch.Lane{batch.RowsLane, batch.LakeLane} {
		cluster := newCluster(t)
		c := config(cluster)
		c.Lanes = []batch.Lane{lane}
		transport := newRecorder(nil)
		m := start(t, c, transport)
		for p := range int32(6) {
			produce(t, cluster, topic, p, 100)
			eventually(t, "it commits", func() bool { return committed(cluster, topic, p) == 100 })
		}
		m.stop(t)
		for _, b := range transport.batches {
			if b.Lane != lane {
				t.Errorf("a batch of lane %s was sent", b.Lane)
			}
		}
		if n := m.Snapshot().Records; n != 600 {
			t.Errorf("lane %s: %d records count as published", lane, n)
		}
	}
}

// Bridges are killed under load, while attempts fail in either lane. Nothing
// is missing in either, and nothing was committed that both do not have.
func TestBridge_KilledUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var attempts atomic.Int64
	transport := newRecorder(func(context.Context, *batch.Batch) error {
		if attempts.Add(1)%5 == 0 {
			return errors.New("no answer")
		}
		return nil
	})
	watch := watchCommits(cluster, transport)
	var load sync.WaitGroup
	load.Go(func() {
		for range 20 {
			for p := range int32(6) {
				produce(t, cluster, topic, p, 50)
			}
		}
	})
	c := config(cluster)
	for kill := range 3 {
		killed := c
		killed.DrainTimeout = time.Millisecond // what is open or in flight is given up
		m := start(t, killed, transport)
		transport.wait(t, 1000*(kill+1))
		m.stop(t)
	}
	last := start(t, c, transport)
	load.Wait()
	transport.wait(t, 6000)
	for p := range int32(6) {
		transport.check(t, cluster, topic, p, 0, 1000)
		eventually(t, "the end is committed", func() bool { return committed(cluster, topic, p) == 1000 })
	}
	last.stop(t)
	watch.check(t)
}
