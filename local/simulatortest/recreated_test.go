package simulatortest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/simulator"
	"github.com/stationflow/stationflow/simulator/sink"
)

// A topic is deleted and made again while the stations write to it, at once or
// after a while: they go on, and every event of a step is in the new topic or
// was acknowledged by the old one.
func TestKafka_TopicMadeAgain(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"at once": 0, "after a while": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			k, err := sink.OpenKafka(t.Context(), kafka.Config{Brokers: cluster.ListenAddrs()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { k.Close() })
			step := func() (events []simulator.Event) {
				for range 50 {
					events = append(events, simulator.Event{Topic: "incidents", Key: "k", Value: []byte("{}")}, simulator.Event{Topic: "passenger_flow", Key: "k", Value: []byte("{}")})
				}
				return events
			}
			for range 3 {
				if err := k.Write(step()); err != nil {
					t.Fatal(err)
				}
			}
			if err := cluster.DeleteTopic("incidents"); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(pause, func() {
				if err := cluster.CreateTopic("incidents", 6, nil); err != nil {
					t.Error(err)
				}
			})
			for range 3 {
				if err := k.Write(step()); err != nil {
					t.Fatal(err)
				}
			}
			for topic, want := range map[string]int64{"incidents": 150, "passenger_flow": 300} {
				if got := ends(t, cluster, topic); got != want {
					t.Errorf("%s holds %d events, want %d", topic, got, want)
				}
			}
		})
	}
}

func ends(t *testing.T, cluster *kfake.Cluster, topic string) (sum int64) {
	t.Helper()
	for p := range int32(6) {
		sum += cluster.PartitionInfo(topic, p).HighWatermark
	}
	return sum
}

// The broker freezes while a step is written, and the simulation is ended: it
// ends some seconds later, and says that the step was not acknowledged.
func TestKafka_FrozenBrokerKeepsNobody(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.NumBrokers(1))
	frozen, thaw := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(thaw) }) // before the cluster is closed
	ctx, cancel := context.WithCancel(context.Background())
	k, err := sink.OpenKafka(ctx, kafka.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(frozen)
		<-thaw // and nothing else is answered
		return nil, nil, false
	})
	ended := make(chan error, 1)
	go func() {
		err := k.Write([]simulator.Event{{Topic: "incidents", Key: "k", Value: []byte("{}")}, {Topic: "passenger_flow", Key: "k", Value: []byte("{}")}})
		if err == nil {
			err = errors.New("the step was written")
		} else {
			err = nil
		}
		ended <- errors.Join(err, k.Close())
	}()
	<-frozen
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for the broker")
	}
}
