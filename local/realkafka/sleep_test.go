package realkafka

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/functions/scale"
	"github.com/stationflow/stationflow/local/workerpool"
)

// The check reads from Apache Kafka what it has to know: a group that was never
// joined, one with a member, one that is empty, and how old what waits is.
func (s *suite) testSleep(t *testing.T) {
	topic := s.name("sleep")
	id := s.createTopic(t, topic)
	c := s.config(t, topic)
	transport := &recorder{}
	const name = "projects/test/locations/here/workerPools/bridge"
	pool := workerpool.New(name, func(ctx context.Context, _ int) error {
		b, err := bridge.New(c, bridge.Dependencies{Transport: transport, Logger: log(t)})
		if err != nil {
			return err
		}
		return b.Run(ctx)
	}, func(err error) { t.Error(err) })
	t.Cleanup(pool.Close)
	admin := httptest.NewServer(pool)
	t.Cleanup(admin.Close)

	var ahead atomic.Int64 // of the check's clock
	checker, err := scale.New(t.Context(), scale.Config{
		Kafka: c.Kafka, Topics: c.Topics, GroupID: c.GroupID, Pool: name, Endpoint: admin.URL,
		MinInstances: 1, MaxInstances: 3, IdleAfter: 15 * time.Minute, LagPerInstance: 2 * time.Minute,
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }, Logger: log(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(later time.Duration, instances int64) (members int) {
		t.Helper()
		ahead.Store(int64(later))
		r, err := checker.Check(t.Context())
		if err != nil || r.Instances != instances {
			t.Fatalf("%v later the check says %+v, %v; want %d instances", later, r, err, instances)
		}
		return r.Members
	}
	settled := func(offset int64) {
		t.Helper()
		eventually(t, "all is committed", func() bool {
			for p := range int32(6) {
				if s.committed(t, c.GroupID, topic, p) != offset {
					return false
				}
			}
			return true
		})
	}

	eventually(t, "the leaders of the new topic answer", func() bool {
		r, err := checker.Check(t.Context())
		if err == nil && (r.Instances != 1 || r.Members != 0) {
			t.Errorf("of a group that was never joined the check says %+v", r)
		}
		return err == nil
	})
	settled(0)
	if members := check(time.Hour, 0); members != 1 {
		t.Errorf("the group has %d members, want 1", members)
	}
	eventually(t, "the group is empty", func() bool { return check(time.Hour, 0) == 0 })
	for p := range int32(6) {
		s.produce(t, topic, p, 10)
	}
	check(3*time.Minute, 2)
	for p := range int32(6) {
		transport.wait(t, id, p, 0, 10)
	}
	settled(10)
	check(time.Minute, 1)
	check(time.Hour, 0)
}
