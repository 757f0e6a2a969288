package simulatortest

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

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
