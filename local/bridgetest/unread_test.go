package bridgetest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

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

// guardedCluster is one whose user alice has these rights only, and what the
// bridge needs to come as alice.
func guardedCluster(t *testing.T, c *bridge.Config, rights []kfake.ACL, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster := newCluster(t, append(options, kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", "admin-secret"), kfake.User("PLAIN", "alice", "alice-secret", rights...))...)
	*c = config(cluster)
	c.Kafka.SecurityProtocol, c.Kafka.SASLMechanism = "SASL_PLAINTEXT", "PLAIN"
	c.Kafka.Username, c.Kafka.Password = "alice", "alice-secret"
	return cluster
}

func right(resource kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
}

// admin is a client of a guarded cluster that may do anything.
func admin(t *testing.T, cluster *kfake.Cluster) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.SASL(plain.Auth{User: "admin", Pass: "admin-secret"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// grant lets alice read the topic.
func grant(t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	request := kmsg.NewPtrCreateACLsRequest()
	acl := kmsg.NewCreateACLsRequestCreation()
	acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kmsg.ACLResourceTypeTopic, topic, kmsg.ACLResourcePatternTypeLiteral
	acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:alice", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
	request.Creations = append(request.Creations, acl)
	response, err := request.RequestWith(context.Background(), client)
	if err == nil {
		err = kerr.ErrorForCode(response.Results[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// revoke takes from alice the right to read the topic.
func revoke(t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	request := kmsg.NewPtrDeleteACLsRequest()
	filter := kmsg.NewDeleteACLsRequestFilter()
	filter.ResourceType, filter.ResourceName, filter.ResourcePatternType = kmsg.ACLResourceTypeTopic, &topic, kmsg.ACLResourcePatternTypeLiteral
	filter.Operation, filter.PermissionType = kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
	request.Filters = append(request.Filters, filter)
	response, err := request.RequestWith(context.Background(), client)
	if err != nil || len(response.Results[0].MatchingACLs) != 1 {
		t.Fatalf("%v, %+v", err, response)
	}
}

// produceAs writes empty objects to partition 0.
func produceAs(t *testing.T, client *kgo.Client, topic string, count int) {
	t.Helper()
	for range count {
		if err := client.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Value: []byte("{}")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// The user may not read one of the topics, whether or not it may see it: the
// other is read. Once the right is granted so is this one, from where
// KAFKA_START says, and it is left out again when the right is taken away.
func TestBridge_OneTopicNotAllowed(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]kmsg.ACLOperation{"nothing": nil, "describe": {kmsg.ACLOperationDescribe}, "write": {kmsg.ACLOperationWrite}} {
		for _, other := range []string{"equipment_failures", "passenger_flow"} { // before and after the one that is read
			t.Run(name+" on "+other, func(t *testing.T) {
				t.Parallel()
				rights := []kfake.ACL{right(kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationRead), right(kmsg.ACLResourceTypeGroup, group, kmsg.ACLOperationRead)}
				for _, operation := range more {
					rights = append(rights, right(kmsg.ACLResourceTypeTopic, other, operation))
				}
				testOneTopicNotAllowed(t, other, rights)
			})
		}
	}
}

func testOneTopicNotAllowed(t *testing.T, other string, rights []kfake.ACL) {
	var c bridge.Config
	cluster := guardedCluster(t, &c, rights, kfake.SeedTopics(6, other))
	c.Topics = []string{topic, other}
	c.Start = bridge.Start{Latest: true}
	client := admin(t, cluster)
	produceAs(t, client, topic, 10)
	produceAs(t, client, other, 10)
	transport := newRecorder(nil)
	log := new(logged)
	m := startWith(t, c, bridge.Dependencies{Transport: transport, Logger: slog.New(slog.NewTextHandler(log, nil))})
	leftOut := func() bool {
		now, reasons := m.Snapshot(), m.Unhealthy()
		return len(now.Partitions) == 6 && len(reasons) == 1 && strings.Contains(reasons[0], other+" is not read: the Kafka user has no right to read topic "+other)
	}
	eventually(t, "health names the topic", leftOut)
	get(t, m.Bridge, "/livez", http.StatusOK) // a restart would not help
	produceAs(t, client, topic, 5)
	transport.wait(t, 5)

	grant(t, client, other)
	eventually(t, "it begins at the latest", func() bool { return committed(cluster, other, 0) == 10 })
	produceAs(t, client, other, 5)
	transport.wait(t, 10)
	transport.check(t, cluster, other, 0, 10, 15)
	eventually(t, "what is published is committed", func() bool { return committed(cluster, other, 0) == 15 })
	eventually(t, "health is good", func() bool { return len(m.Unhealthy()) == 0 })

	revoke(t, client, other)
	eventually(t, "health names the topic", leftOut)
	produceAs(t, client, topic, 5)
	produceAs(t, client, other, 5)
	transport.wait(t, 15)
	grant(t, client, other)
	transport.wait(t, 20)
	transport.check(t, cluster, other, 0, 10, 20)
	if text := log.String(); strings.Contains(text, "read from the first record") {
		t.Errorf("nothing was, but the log says so: %s", text)
	}
}

// The right was granted before, but the topic does not exist yet: what is
// created then is new, and is read from its first record.
func TestBridge_TopicNotAllowedThenMissing(t *testing.T) {
	t.Parallel()
	const other = "passenger_flow"
	var c bridge.Config
	cluster := guardedCluster(t, &c, []kfake.ACL{right(kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationRead), right(kmsg.ACLResourceTypeGroup, group, kmsg.ACLOperationRead)})
	c.Topics = []string{topic, other}
	c.Start = bridge.Start{Latest: true}
	client := admin(t, cluster)
	transport := newRecorder(nil)
	m := start(t, c, transport)
	unread := func(problem string) func() bool {
		return func() bool {
			now := m.Snapshot()
			return now.Joined && len(now.Unread) == 1 && strings.Contains(now.Unread[0].Problem, problem)
		}
	}
	eventually(t, "the right is missing", unread("no right to read topic "+other))
	grant(t, client, other)
	eventually(t, "the topic is missing", unread("topic "+other+" does not exist"))
	if err := cluster.CreateTopic(other, 6, nil); err != nil {
		t.Fatal(err)
	}
	produceAs(t, client, other, 10)
	transport.wait(t, 10)
	transport.check(t, cluster, other, 0, 0, 10)
}

// None of the topics exists yet: health says so, and a restart is not asked
// for, which would not help. Then Kafka goes away as well, which it may.
func TestBridge_NoTopic(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	c := config(cluster)
	c.Topics = []string{"passenger_flow"}
	m := start(t, c, newRecorder(nil))
	eventually(t, "health names the topic", func() bool {
		reasons := m.Unhealthy()
		return len(reasons) == 1 && strings.Contains(reasons[0], "passenger_flow is not read: topic passenger_flow does not exist")
	})
	get(t, m.Bridge, "/livez", http.StatusOK)
	get(t, m.Bridge, "/readyz", http.StatusServiceUnavailable)
	cluster.Close()
	eventually(t, "health says that Kafka is away", func() bool {
		reasons := m.Unhealthy()
		return len(reasons) == 2 && strings.Contains(reasons[1], "not in the consumer group")
	})
	get(t, m.Bridge, "/livez", http.StatusServiceUnavailable)
}

// The log says where new partitions begin once that is committed, not each
// time that it is tried.
func TestBridge_SaysOnceWhatIsNew(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	log := new(logged)
	c := config(cluster)
	startWith(t, c, bridge.Dependencies{Transport: newRecorder(nil), Logger: slog.New(slog.NewTextHandler(log, nil))})
	eventually(t, "the start is committed", func() bool { return committed(cluster, topic, 5) == 0 })
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.TopicAuthorizationFailed, Count: 3})
	addPartitions(t, c, 8)
	const news = "these are new to the group"
	eventually(t, "the new ones begin", func() bool { return committed(cluster, topic, 7) == 0 && strings.Contains(log.String(), news) })
	text := log.String()
	if fault.Hits() != 3 || strings.Count(text, news) != 1 || strings.LastIndex(text, "Kafka reports a problem") > strings.Index(text, news) {
		t.Errorf("after %d faults the log says %s", fault.Hits(), text)
	}
	if !strings.Contains(text, "no right to read topic "+topic+" ") {
		t.Errorf("the log names no topic: %s", text)
	}
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
