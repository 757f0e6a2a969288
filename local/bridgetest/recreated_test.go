package bridgetest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/bridge"
)

// recreate deletes the topic and creates it again, and returns both ids.
func recreate(t *testing.T, cluster *kfake.Cluster, topic string) (before, after string) {
	t.Helper()
	before = topicID(cluster, topic)
	if err := cluster.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	if err := cluster.CreateTopic(topic, 6, nil); err != nil {
		t.Fatal(err)
	}
	return before, topicID(cluster, topic)
}

// The topic is deleted and created again while the bridge reads it, and soon
// holds records beyond the old position. The bridge goes on by itself: every
// record of the new topic is published with the new id, none with the old.
func TestBridge_TopicRecreatedWhileRunning(t *testing.T) {
	t.Parallel()
	for _, after := range []int{5, 60} { // below and beyond the old position
		cluster := newCluster(t)
		c := config(cluster)
		c.Start = bridge.Start{Latest: true}
		c.StuckAfter = time.Minute // it looks every 5 s for another id: records are read before
		transport := newRecorder(nil)
		m := start(t, c, transport)
		eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 4) == 0 })
		produce(t, cluster, topic, 4, 20)
		transport.wait(t, 20)
		eventually(t, "it commits", func() bool { return committed(cluster, topic, 4) == 20 })

		// Fetches go on when the new topic holds its records.
		away := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: -1})
		old, _ := recreate(t, cluster, topic)
		produce(t, cluster, topic, 4, after)
		away.Remove()
		transport.wait(t, 20+after)
		transport.check(t, cluster, topic, 4, 0, int64(after))
		eventually(t, "the new offset is committed", func() bool { return committed(cluster, topic, 4) == int64(after) })
		eventually(t, "health is good", func() bool { return len(m.Unhealthy()) == 0 && m.Snapshot().LagRecords() == 0 })
		m.stop(t)
		for at := range transport.seen {
			if at.topicID == old && at.offset >= 20 {
				t.Errorf("record %+v of the new topic was published as one of the old", at)
			}
		}
	}
}

// The topic is created again while no bridge runs. Whether Kafka has kept the
// group's offset for the name or not, the new topic is read from its first
// record, though the group once began at the latest.
func TestBridge_TopicRecreatedWhileStopped(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{true, false} {
		cluster := newCluster(t, kfake.SeedTopics(6, "passenger_flow"))
		c := config(cluster)
		c.Topics = []string{topic, "passenger_flow"}
		c.Start = bridge.Start{Latest: true}
		transport := newRecorder(nil)
		m := start(t, c, transport)
		eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 4) == 0 })
		produce(t, cluster, topic, 4, 20)
		eventually(t, "it commits", func() bool { return committed(cluster, topic, 4) == 20 })
		m.stop(t)

		old, _ := recreate(t, cluster, topic)
		if kept {
			commitAs(t, c, topic, 4, 20, old)
		} else if committed(cluster, topic, 4) >= 0 {
			forget(t, c, topic)
		}
		produce(t, cluster, topic, 4, 30)
		m = start(t, c, transport)
		transport.wait(t, 50)
		transport.check(t, cluster, topic, 4, 0, 30)
		eventually(t, "it commits", func() bool { return committed(cluster, topic, 4) == 30 })
		if reasons := m.Unhealthy(); len(reasons) != 0 {
			t.Errorf("it says %v", reasons)
		}
		m.stop(t)
	}
}

// commitAs commits an offset while the group has no member.
func commitAs(t *testing.T, c bridge.Config, topic string, partition int32, offset int64, metadata string) {
	t.Helper()
	request := sarama.NewOffsetCommitRequest(c.Kafka.Sarama("test"), group)
	request.AddBlockWithLeaderEpoch(topic, partition, offset, -1, 0, metadata)
	atCoordinator(t, c, func(broker *sarama.Broker) error {
		_, err := broker.CommitOffset(request)
		return err
	})
}

// forget removes the group's offsets of a topic.
func forget(t *testing.T, c bridge.Config, topic string) {
	t.Helper()
	request := &sarama.DeleteOffsetsRequest{Group: group}
	for partition := range int32(6) {
		request.AddPartition(topic, partition)
	}
	atCoordinator(t, c, func(broker *sarama.Broker) error {
		_, err := broker.DeleteOffsets(request)
		return err
	})
}

func atCoordinator(t *testing.T, c bridge.Config, do func(*sarama.Broker) error) {
	t.Helper()
	client, err := sarama.NewClient(c.Kafka.Brokers, c.Kafka.Sarama("test"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	broker, err := client.Coordinator(group)
	if err != nil {
		t.Fatal(err)
	}
	if err := do(broker); err != nil {
		t.Fatal(err)
	}
}

// A person moves the group with a tool, which writes no topic id: the bridge
// goes where it was told, and labels the commit.
func TestBridge_GoesWhereAToolMovedTheGroup(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	transport := newRecorder(nil)
	m := start(t, c, transport)
	produce(t, cluster, topic, 2, 40)
	eventually(t, "it commits", func() bool { return committed(cluster, topic, 2) == 40 })
	m.stop(t)
	commitAs(t, c, topic, 2, 25, "")
	again := newRecorder(nil)
	m = start(t, c, again)
	again.wait(t, 15)
	again.check(t, cluster, topic, 2, 25, 40)
	if len(again.seen) != 15 {
		t.Errorf("%d records were read, want 15", len(again.seen))
	}
	eventually(t, "the commit names the topic's id", func() bool {
		commit := cluster.GroupInfo(group).Commits[topic][2]
		return commit.Offset == 40 && commit.Metadata == topicID(cluster, topic)
	})
	m.stop(t)
}

// Partitions are added to a topic while it is read.
func TestBridge_PartitionsAddedWhileRunning(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.Start = bridge.Start{Latest: true}
	transport := newRecorder(nil)
	m := start(t, c, transport)
	eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 5) == 0 })
	addPartitions(t, c, 8)
	produce(t, cluster, topic, 7, 10)
	produce(t, cluster, topic, 0, 10)
	transport.wait(t, 20)
	transport.check(t, cluster, topic, 7, 0, 10)
	transport.check(t, cluster, topic, 0, 0, 10)
	eventually(t, "all partitions are held", func() bool { return len(m.Snapshot().Partitions) == 8 })
}

func addPartitions(t *testing.T, c bridge.Config, count int32) {
	t.Helper()
	settings := c.Kafka.Sarama("test")
	settings.Metadata.Full = true // the admin client asks for all topics
	admin, err := sarama.NewClusterAdmin(c.Kafka.Brokers, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CreatePartitions(topic, count, nil, false); err != nil {
		t.Fatal(err)
	}
}

// Partitions that come when the group has just shared out those that there were
// are read as soon as any others: the leader of the group joins again.
func TestBridge_PartitionsThatComeWhileTheGroupShares(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	transport, added := newRecorder(nil), make(chan struct{})
	var once sync.Once
	cluster.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() {
			cluster.SleepControl(func() { addPartitions(t, c, 8) })
			close(added)
		})
		return nil, nil, false
	})
	start(t, c, transport)
	<-added
	produce(t, cluster, topic, 7, 10)
	transport.wait(t, 10)
}

// Several members join a group that begins at the latest, at once and late.
// Each partition begins where one of them has chosen: none reads what was
// there before, none skips what came after.
func TestBridge_LatestWithSeveralMembers(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 10)
	}
	c := config(cluster)
	c.Start = bridge.Start{Latest: true}
	transport := newRecorder(nil)
	for range 3 {
		start(t, c, transport)
	}
	waitStable(t, cluster, 3)
	eventually(t, "every start is committed", func() bool {
		for p := range int32(6) {
			if committed(cluster, topic, p) != 10 {
				return false
			}
		}
		return true
	})
	start(t, c, transport)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 10)
	}
	waitStable(t, cluster, 4)
	transport.wait(t, 60)
	for p := range int32(6) {
		transport.check(t, cluster, topic, p, 10, 20)
	}
	if len(transport.seen) != 60 {
		t.Errorf("%d records were read, want the 60 from the latest on", len(transport.seen))
	}
}

// Kafka acknowledges a commit that nobody finds afterwards. The bridge reads
// back what it begins with, and begins again.
func TestBridge_ReadsBackItsStart(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	produce(t, cluster, topic, 0, 5)
	lost := make(chan struct{})
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
		defer close(lost)
		response := request.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, asked := range request.(*kmsg.OffsetCommitRequest).Topics {
			topic := kmsg.OffsetCommitResponseTopic{Topic: asked.Topic, TopicID: asked.TopicID}
			for _, p := range asked.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition})
			}
			response.Topics = append(response.Topics, topic)
		}
		return response, nil, true
	})
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	<-lost
	eventually(t, "it says so", func() bool { return strings.Contains(m.Snapshot().Trouble, "reading back the start of incidents/") })
	transport.wait(t, 5)
	eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 5) == 0 })
}
