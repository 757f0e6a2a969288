package system

import (
	"testing"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	at := kafka.Partition{Topic: "t"}
	holds := func(published, end, lag int64) []bridge.PartitionStatus {
		return []bridge.PartitionStatus{{Topic: "t", Published: published, End: end, Stable: end, LagRecords: lag}}
	}
	for name, test := range map[string]struct {
		kafka extent
		holds []bridge.PartitionStatus
		want  progress
	}{
		"nothing":                           {extent{}, nil, progress{}},
		"nobody holds it":                   {extent{begin: 0, stable: 100, end: 100, committed: 40}, nil, progress{100, 40, 60}},
		"another partition is held":         {extent{begin: 0, stable: 100, end: 100, committed: 40}, []bridge.PartitionStatus{{Topic: "t", Partition: 1, Published: 9}}, progress{100, 40, 60}},
		"the bridge is ahead of its commit": {extent{begin: 0, stable: 100, end: 100, committed: 40}, holds(90, 100, 10), progress{100, 90, 10}},
		"the bridge asked Kafka before":     {extent{begin: 0, stable: 100, end: 100, committed: 40}, holds(60, 60, 0), progress{100, 60, 40}},
		"Kafka was asked before the bridge": {extent{begin: 0, stable: 100, end: 100, committed: 40}, holds(110, 120, 10), progress{120, 110, 10}},
		"the last offsets hold no record":   {extent{begin: 0, stable: 100, end: 100, committed: 97}, holds(97, 100, 0), progress{100, 97, 0}},
		"a transaction is open":             {extent{begin: 0, stable: 97, end: 100, committed: 97}, nil, progress{100, 97, 0}},
		"so is one in what the bridge holds": {extent{begin: 0, stable: 90, end: 100, committed: 40},
			[]bridge.PartitionStatus{{Topic: "t", Published: 89, Stable: 97, End: 120, LagRecords: 7}}, progress{120, 89, 7}},
		"the bridge holds the topic of before": {extent{topicID: "new", begin: 0, stable: 5, end: 5}, holds(90, 100, 10), progress{5, 0, 5}},
		"records have expired":                 {extent{begin: 60, stable: 100, end: 100, committed: 40}, nil, progress{40, 0, 40}},
	} {
		if got := (offsets{at: test.kafka}).progress(test.holds); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// Without any bridge Kafka itself says what waits: all that is held and that
// the group has not committed.
func TestBroker_CountsWhatWaits(t *testing.T) {
	t.Parallel()
	chosen, err := choosePorts(0, func(name string) bool { return name == "kafka" }, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := startKafka(chosen["kafka"], "")
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	b, err := watchBroker(t.Context(), overlay(func(string) string { return "" }, []string{"KAFKA_BOOTSTRAP_SERVERS=" + chosen["kafka"], "KAFKA_GROUP_ID=g"}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()

	topic := event.Topics()[0]
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewSyncProducer([]string{chosen["kafka"]}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for range 7 {
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")}); err != nil {
			t.Fatal(err)
		}
	}
	counts := func(want progress) {
		t.Helper()
		if err := b.look(); err != nil {
			t.Fatal(err)
		}
		if got := b.offsets().progress(nil); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	counts(progress{produced: 7, waiting: 7})

	coordinator, err := b.client.Coordinator("g")
	if err != nil {
		t.Fatal(err)
	}
	commit := &sarama.OffsetCommitRequest{Version: 2, ConsumerGroup: "g", ConsumerGroupGeneration: sarama.GroupGenerationUndefined, RetentionTime: -1}
	commit.AddBlock(topic, 0, 5, -1, "")
	if answer, err := coordinator.CommitOffset(commit); err != nil || answer.Errors[topic][0] != sarama.ErrNoError {
		t.Fatalf("committing: %+v, %v", answer, err)
	}
	counts(progress{produced: 7, passed: 5, waiting: 2})
}
