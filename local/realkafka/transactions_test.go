package realkafka

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// A transaction that stays open keeps what follows from being read, and makes
// nothing unhealthy; its markers are no lag.
func (s *suite) testOpenTransaction(t *testing.T) {
	topic := s.name("transaction")
	id := s.createTopic(t, topic)
	s.produce(t, topic, 0, 3)
	client, err := kgo.NewClient(append(s.client.Opts(), kgo.TransactionalID(topic), kgo.TransactionTimeout(10*time.Minute))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := client.ProduceSync(within(t), &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s.produce(t, topic, 0, 4)

	transport := &recorder{}
	c := s.config(t, topic, "BRIDGE_STUCK_AFTER", "1s")
	b, stop := run(t, c, transport)
	defer stop()
	transport.wait(t, id, 0, 0, 3)
	first := func() (p bridge.PartitionStatus) {
		if all := b.Snapshot().Partitions; len(all) > 0 {
			p = all[0]
		}
		return p
	}
	eventually(t, "the transaction has been open for longer than anything may be stuck", func() bool {
		open := first().Open
		return open != nil && open.For > 2*c.StuckAfter
	})
	if p := first(); len(b.Unhealthy()) > 0 || p.Open.Offset != 3 || p.Open.Offsets != 6 || p.LagRecords != 0 {
		t.Errorf("it says %v, and %+v with %+v", b.Unhealthy(), p, p.Open)
	}
	if err := client.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	transport.wait(t, id, 0, 3, 9)
	eventually(t, "the marker is no lag", func() bool { p := first(); return p.Open == nil && p.LagRecords == 0 && p.End == 10 })
}

// Simulated stations go on when a topic is deleted and made again.
func (s *suite) testSimulatorGoesOn(t *testing.T) {
	k, err := sink.OpenKafka(t.Context(), s.Config(s.protocol))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	topic := event.Topics()[0]
	var step []simulator.Event
	for range 50 {
		step = append(step, simulator.Event{Topic: topic, Key: "k", Value: []byte("{}")})
	}
	for range 3 {
		if err := k.Write(step); err != nil {
			t.Fatal(err)
		}
	}
	s.deleteTopic(t, topic)
	s.createTopic(t, topic)
	for range 3 {
		if err := k.Write(step); err != nil {
			t.Fatal(err)
		}
	}
}
