package bridgetest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/serve"
)

// The first check starts the pool, which commits where each partition begins;
// only then it may stop. It wakes for a record, stays while they come, and
// stops 15 minutes after the last. What came while it slept is read, with
// KAFKA_START=latest too.
func TestSleep_WakesForARecordAndSleepsAfterTheLast(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]bridge.Start{"earliest": {}, "latest": {Latest: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t)
			c := config(cluster)
			c.Start = begin
			s := newSleeper(t, cluster, c, newRecorder(nil), nil)
			if r := s.check(t, 1); !strings.Contains(r.Reason, "nothing is committed yet for 6 partitions") {
				t.Errorf("it starts because %s", r.Reason)
			}
			s.settle(t)
			s.after(time.Minute)
			s.check(t, 0)
			s.settle(t)

			s.after(3 * time.Hour)
			s.produceAt(t, 4, s.clock())
			s.after(time.Minute)
			if r := s.check(t, 1); r.Waiting != 1 || r.Members != 0 {
				t.Errorf("%d records wait for %d members, want 1 for none", r.Waiting, r.Members)
			}
			s.transport.wait(t, 1)
			s.settle(t)
			s.after(13 * time.Minute)
			if r := s.check(t, 1); r.Members != 1 {
				t.Errorf("the group has %d members, want 1", r.Members)
			}
			s.produceAt(t, 2, s.clock())
			s.transport.wait(t, 2)
			s.settle(t)
			s.after(14 * time.Minute)
			s.check(t, 1)
			s.after(2 * time.Minute)
			s.check(t, 0)
			s.settle(t)
			if got := s.started.Load(); got != 2 {
				t.Errorf("%d instances were started, want 2", got)
			}
		})
	}
}

// A record that cannot be published keeps the pool awake, however old it is.
func TestSleep_NeverWhileRecordsWait(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var healed atomic.Bool
	s := newSleeper(t, cluster, config(cluster), newRecorder(func(context.Context, *batch.Batch) error {
		if healed.Load() {
			return nil
		}
		return errors.New("no")
	}), nil)
	s.check(t, 1)
	s.settle(t)
	s.produceAt(t, 0, s.clock())
	for range 3 {
		s.after(6 * time.Hour) // past the daily run as well
		s.check(t, 1)
	}
	healed.Store(true)
	s.settle(t)
	s.at(noon.Add(48 * time.Hour))
	s.check(t, 0)
}

// Kafka forgot what the group had committed, or a topic was created again: the
// check does not take that for nothing to do.
func TestSleep_WakesWithoutACommit(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testing.T, *sleeper, bridge.Config){
		"expired":   func(t *testing.T, _ *sleeper, c bridge.Config) { forget(t, c, topic) },
		"recreated": func(t *testing.T, s *sleeper, _ bridge.Config) { recreate(t, s.cluster, topic) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t)
			c := config(cluster)
			s := newSleeper(t, cluster, c, newRecorder(nil), nil)
			s.check(t, 1)
			s.settle(t)
			s.after(time.Minute)
			s.check(t, 0)
			s.settle(t)
			lose(t, s, c)
			s.after(time.Hour)
			if r := s.check(t, 1); !strings.Contains(r.Reason, "nothing is committed yet") {
				t.Errorf("it starts because %s", r.Reason)
			}
			s.settle(t)
			s.after(time.Minute)
			s.check(t, 0)
		})
	}
}

// It runs once a day though nothing comes, because Kafka forgets the commits
// of a group that is empty for 7 days.
func TestSleep_RunsOnceADay(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s := newSleeper(t, cluster, config(cluster), newRecorder(nil), nil)
	s.check(t, 1)
	s.settle(t)
	midnight := noon.Truncate(24 * time.Hour).Add(24 * time.Hour)
	for _, step := range []struct {
		at   time.Time
		want int64
	}{
		{noon, 0}, {midnight.Add(-time.Second), 0},
		{midnight, 1}, {midnight.Add(9 * time.Minute), 1}, {midnight.Add(10 * time.Minute), 0},
	} {
		s.at(step.at)
		s.check(t, step.want)
		s.settle(t)
	}
}

// A topic that the bridge cannot read is its to report, so it runs.
func TestSleep_NeverWhileATopicCannotBeRead(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s := newSleeper(t, cluster, config(cluster), newRecorder(nil),
		map[string]string{"KAFKA_TOPICS": topic + ",passenger_flow"})
	s.check(t, 1)
	s.settle(t)
	s.after(time.Hour)
	if r := s.check(t, 1); !strings.Contains(r.Reason, "topic passenger_flow does not exist") {
		t.Errorf("it runs because %s", r.Reason)
	}
}

// What Kafka does not tell is not guessed: the answer is an error, and the pool
// stays as it is, awake or asleep.
func TestSleep_LeavesThePoolAloneWhenKafkaDoesNotTell(t *testing.T) {
	t.Parallel()
	post := func(s *sleeper) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handle := serve.Function("scale", func(context.Context) (serve.Task, error) { return serve.Result(s.checker.Check), nil })
		handle(answer, httptest.NewRequest(http.MethodPost, "/scale", nil))
		return answer
	}
	for _, instances := range []int{0, 1} {
		cluster := newCluster(t)
		s := newSleeper(t, cluster, config(cluster), newRecorder(nil), nil)
		s.check(t, 1)
		s.settle(t)
		s.after(time.Hour)
		s.pool.Set(instances)
		s.settle(t)
		for _, key := range []kmsg.Key{
			kmsg.Metadata, kmsg.FindCoordinator, kmsg.DescribeGroups, kmsg.OffsetFetch, kmsg.ListOffsets,
		} {
			fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.UnknownServerError, Count: -1})
			answer := post(s)
			fault.Remove()
			if set, _ := s.pool.Instances(); answer.Code != http.StatusInternalServerError || set != instances {
				t.Errorf("with key %v failing it answers %d %s, and %d instances became %d",
					key, answer.Code, answer.Body, instances, set)
			}
		}
		cluster.Close()
		const away = "no Kafka broker can be reached"
		if answer := post(s); answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), away) {
			t.Errorf("without a broker it answers %d %s", answer.Code, answer.Body)
		}
		if set, _ := s.pool.Instances(); set != instances {
			t.Errorf("without a broker %d instances became %d", instances, set)
		}
	}
}

// Checks that overlap do what one does.
func TestSleep_ChecksAtOnce(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s := newSleeper(t, cluster, config(cluster), newRecorder(nil), nil)
	s.produceAt(t, 0, s.clock())
	var checks sync.WaitGroup
	for range 8 {
		checks.Go(func() {
			if r, err := s.checker.Check(t.Context()); err != nil || r.Instances != 1 {
				t.Errorf("a check says %+v, %v", r, err)
			}
		})
	}
	checks.Wait()
	s.settle(t)
	if got := s.started.Load(); got != 1 {
		t.Errorf("%d instances were started, want 1", got)
	}
}

// Each further two minutes of lag are one more instance, but never more than
// partitions that wait, nor than the limit; and none goes while they are
// behind. A burst that is read quickly takes one.
func TestSleep_LagAsksForInstances(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var healed atomic.Bool
	s := newSleeper(t, cluster, config(cluster), newRecorder(func(context.Context, *batch.Batch) error {
		if healed.Load() {
			return nil
		}
		return errors.New("no")
	}), map[string]string{"SCALE_MAX_INSTANCES": "4"})
	s.check(t, 1)
	s.settle(t)
	for range 500 {
		s.produceAt(t, 1, s.clock())
	}
	s.check(t, 1) // a burst of this moment
	for _, step := range []struct {
		age        time.Duration // of the oldest record
		partitions []int32       // that further records come to
		want       int64
		lag        time.Duration
	}{
		{119 * time.Second, nil, 1, 0},
		{121 * time.Second, nil, 1, 2 * time.Minute}, // one partition waits: a second instance would idle
		{122 * time.Second, []int32{2, 3}, 2, 2 * time.Minute},
		{241 * time.Second, nil, 3, 4 * time.Minute},
		{20 * time.Minute, nil, 3, 6 * time.Minute},
		{21 * time.Minute, []int32{0, 4, 5}, 4, 6 * time.Minute},
	} {
		s.at(noon.Add(step.age))
		for _, p := range step.partitions {
			s.produceAt(t, p, s.clock())
		}
		if r := s.check(t, step.want); r.LagSeconds != step.lag.Seconds() {
			t.Errorf("after %v the lag is %v s, want %v", step.age, r.LagSeconds, step.lag)
		}
	}
	healed.Store(true)
	s.settle(t)
	s.check(t, 1)
	s.after(16 * time.Minute)
	s.check(t, 0)
}

// So many records a second have an instance for each SCALE_RATE of them, before
// any of them waits, and keep it until the quarter of an hour has fewer.
func TestSleep_RateAsksForInstances(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s := newSleeper(t, cluster, config(cluster), newRecorder(func(context.Context, *batch.Batch) error { return nil }),
		map[string]string{"SCALE_MAX_INSTANCES": "4", "SCALE_RATE": "2"})
	s.check(t, 1)
	s.settle(t)
	for i := range 600 { // 5 a second for 2 minutes
		s.produceAt(t, int32(i%6), s.clock())
	}
	s.settle(t)
	s.check(t, 3)
	s.settle(t)
	for _, step := range []struct {
		age  time.Duration // of these records
		want int64
	}{{119 * time.Second, 3}, {121 * time.Second, 1}, {16 * time.Minute, 0}} {
		s.at(noon.Add(step.age))
		s.check(t, step.want)
		s.settle(t)
	}
}

// SCALE_IDLE=stay keeps as many as shall run at least.
func TestSleep_Stay(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s := newSleeper(t, cluster, config(cluster), newRecorder(nil),
		map[string]string{"SCALE_IDLE": "stay", "SCALE_MIN_INSTANCES": "2"})
	s.check(t, 2)
	s.settle(t)
	s.after(6 * time.Hour)
	s.check(t, 2)
}
