package bridgetest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/functions/scale"
	"github.com/stationflow/stationflow/local/workerpool"
)

const poolName = "projects/test/locations/here/workerPools/stationflow-bridge"

// noon is when these tests begin, by a clock of their own.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A sleeper is a bridge that is started and stopped by the check, over the
// stand-in of the Admin API.
type sleeper struct {
	cluster   *kfake.Cluster
	transport *recorder
	pool      *workerpool.Pool
	checker   *scale.Checker
	now       atomic.Int64 // by the check's clock, Unix milliseconds
	running   atomic.Int64 // instances
	started   atomic.Int64 // instances, ever
}

func newSleeper(
	t *testing.T, cluster *kfake.Cluster, c bridge.Config, transport *recorder, settings map[string]string,
) *sleeper {
	t.Helper()
	s := &sleeper{cluster: cluster, transport: transport}
	s.now.Store(noon.UnixMilli())
	log := slog.New(slog.NewTextHandler(testWriter{t}, nil))
	s.pool = workerpool.New(poolName, func(ctx context.Context, _ int) error {
		s.started.Add(1)
		s.running.Add(1)
		defer s.running.Add(-1)
		b, err := bridge.New(c, bridge.Dependencies{Transport: transport, Logger: log})
		if err != nil {
			return err
		}
		return b.Run(ctx)
	}, func(err error) { t.Error(err) })
	t.Cleanup(s.pool.Close)
	admin := httptest.NewServer(s.pool)
	t.Cleanup(admin.Close)

	environment := map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": c.Kafka.Brokers[0], "KAFKA_TOPICS": topic,
		"SCALE_POOL": poolName, "RUN_EMULATOR_HOST": admin.URL,
	}
	for name, value := range settings {
		environment[name] = value
	}
	config, err := scale.FromEnv(func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	config.Now, config.Logger = s.clock, log
	if s.checker, err = scale.New(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sleeper) clock() time.Time { return time.UnixMilli(s.now.Load()) }

// at sets the check's clock.
func (s *sleeper) at(now time.Time) { s.now.Store(now.UnixMilli()) }

// after moves the check's clock.
func (s *sleeper) after(d time.Duration) { s.now.Add(d.Milliseconds()) }

// check fails unless the pool has so many instances after a check.
func (s *sleeper) check(t *testing.T, want int64) scale.Result {
	t.Helper()
	r, err := s.checker.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if set, _ := s.pool.Instances(); r.Instances != want || int64(set) != want {
		t.Fatalf("the check says %+v and the pool has %d instances, want %d", r, set, want)
	}
	return r
}

// settle waits until as many instances run as are set, and all is committed.
func (s *sleeper) settle(t *testing.T) {
	t.Helper()
	eventually(t, "as many instances run as are set", func() bool {
		set, _ := s.pool.Instances()
		return s.running.Load() == int64(set)
	})
	eventually(t, "all is committed", func() bool {
		for p := range int32(6) {
			if committed(s.cluster, topic, p) != s.cluster.PartitionInfo(topic, p).HighWatermark {
				return false
			}
		}
		return true
	})
}

// produceAt writes a record with a timestamp.
func (s *sleeper) produceAt(t *testing.T, partition int32, at time.Time) {
	t.Helper()
	produceRecords(t, s.cluster, recordAt(partition, at))
}

func recordAt(partition int32, at time.Time) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte("{}"), Timestamp: at}
}
