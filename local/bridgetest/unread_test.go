package bridgetest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/bridge"
)

// saysUnread reports whether health names the topic, and what to do, and
// nothing else.
func saysUnread(m *member, topic string) bool {
	reasons, now := m.Unhealthy(), m.Snapshot()
	return len(reasons) == 1 && strings.Contains(reasons[0], topic+" is not read") &&
		strings.Contains(reasons[0], "topic "+topic+" does not exist: create it, or take it out of KAFKA_TOPICS") &&
		now.Joined && len(now.Unread) == 1 && now.Unread[0].Topic == topic
}

// A topic is deleted for good. The others are read on, by every member of the
// group, and health says what is wrong with that one; should it be created
// again after all, it is read from its first record.
func TestBridge_TopicDeletedForGood(t *testing.T) {
	t.Parallel()
	const gone = "equipment_failures" // the first one: the member that has it chooses where a partition begins
	cluster := newCluster(t, kfake.SeedTopics(6, gone))
	c := config(cluster)
	c.Topics = []string{gone, topic}
	c.Start = bridge.Start{Latest: true}
	transport := newRecorder(nil)
	members := []*member{start(t, c, transport), start(t, c, transport)}
	waitStable(t, cluster, 2)
	eventually(t, "the start is committed", func() bool { return committed(cluster, gone, 5) == 0 && committed(cluster, topic, 5) == 0 })
	produce(t, cluster, gone, 1, 10)
	produce(t, cluster, topic, 1, 10)
	transport.wait(t, 20)

	if err := cluster.DeleteTopic(gone); err != nil {
		t.Fatal(err)
	}
	produce(t, cluster, topic, 1, 10)
	for p := range int32(6) {
		produce(t, cluster, topic, p, 10)
	}
	transport.wait(t, 90)
	eventually(t, "what is published is committed", func() bool { return committed(cluster, topic, 1) == 30 && committed(cluster, topic, 5) == 10 })
	for _, m := range members {
		eventually(t, "health names the topic", func() bool { return saysUnread(m, gone) })
	}
	get(t, members[0].Bridge, "/livez", http.StatusOK) // a restart would not help
	late := start(t, c, transport)                     // also one that never saw it
	eventually(t, "health names the topic", func() bool { return saysUnread(late, gone) })
	addPartitions(t, c, 8) // and what is new begins at its first record
	produce(t, cluster, topic, 7, 10)
	transport.wait(t, 100)

	if err := cluster.CreateTopic(gone, 6, nil); err != nil {
		t.Fatal(err)
	}
	produce(t, cluster, gone, 4, 10)
	transport.wait(t, 110)
	transport.check(t, cluster, gone, 4, 0, 10)
	for _, m := range append(members, late) {
		eventually(t, "health is good", func() bool { return len(m.Unhealthy()) == 0 && len(m.Snapshot().Unread) == 0 })
	}
}

// The user may not see one of the topics: the other is read, and once the
// right is granted so is this one.
func TestBridge_OneTopicNotAllowed(t *testing.T) {
	t.Parallel()
	const other = "passenger_flow"
	allow := func(resource kmsg.ACLResourceType, name string) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true}
	}
	cluster := newCluster(t, kfake.SeedTopics(6, other), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.User("PLAIN", "alice", "alice-secret", allow(kmsg.ACLResourceTypeTopic, topic), allow(kmsg.ACLResourceTypeGroup, group)))
	c := config(cluster)
	c.Topics = []string{topic, other}
	c.Kafka.SecurityProtocol, c.Kafka.SASLMechanism = "SASL_PLAINTEXT", "PLAIN"
	c.Kafka.Username, c.Kafka.Password = "alice", "alice-secret"
	m := start(t, c, newRecorder(nil))
	eventually(t, "health names the topic", func() bool {
		now, reasons := m.Snapshot(), m.Unhealthy()
		return len(now.Partitions) == 6 && len(reasons) == 1 && strings.Contains(reasons[0], other+" is not read: the Kafka user has no right to read topic "+other)
	})
}
