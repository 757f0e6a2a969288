package bridgetest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/local/freeport"
)

// What the bridge's own configuration gets wrong about Kafka ends it.
func TestBridge_EndsWhenItsConfigurationCannotWork(t *testing.T) {
	t.Parallel()
	c := config(newCluster(t))
	c.Kafka.SecurityProtocol = "SSL"
	b, err := bridge.New(c, bridge.Dependencies{Transport: newRecorder(nil)})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Run(context.Background())
	if fault := new(kafka.Fault); !errors.As(err, &fault) || !strings.Contains(err.Error(), "speaks no TLS: set KAFKA_SECURITY_PROTOCOL") {
		t.Errorf("Run returned %v", err)
	}
}

// No broker is there when the bridge starts: it says so, and goes on by itself
// once one is.
func TestBridge_WaitsForKafka(t *testing.T) {
	t.Parallel()
	port, err := freeport.Find(1)
	if err != nil {
		t.Fatal(err)
	}
	c := config(newCluster(t)) // for all but the address
	c.Kafka.Brokers = []string{"127.0.0.1:" + strconv.Itoa(port)}
	transport := newRecorder(nil)
	m := start(t, c, transport)
	eventually(t, "it says what is missing", func() bool {
		return strings.Contains(m.Snapshot().Trouble, "no Kafka broker can be reached at 127.0.0.1:"+strconv.Itoa(port))
	})
	eventually(t, "health fails after a while", func() bool {
		reasons := m.Unhealthy()
		return len(reasons) == 1 && strings.Contains(reasons[0], "start one, or correct KAFKA_BOOTSTRAP_SERVERS")
	})
	get(t, m.Bridge, "/livez", http.StatusServiceUnavailable)
	cluster := newCluster(t, kfake.Ports(port))
	produce(t, cluster, topic, 0, 5)
	transport.wait(t, 5)
}

// The user lacks a right: the sentence names the group or the topic, and
// nothing ends, because nobody should have to restart the bridge after granting it.
func TestBridge_SaysWhichRightIsMissing(t *testing.T) {
	t.Parallel()
	describe := kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: topic, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationDescribe, Allow: true}
	read := describe
	read.Operation = kmsg.ACLOperationRead
	use := kfake.ACL{Resource: kmsg.ACLResourceTypeGroup, Name: group, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true}
	tests := []struct {
		name string
		acls []kfake.ACL
		want string // none: it joins
	}{
		{"none", nil, "no right to read topic incidents"},
		{"group", []kfake.ACL{describe, read}, "no right to use group stationflow (KAFKA_GROUP_ID)"},
		{"read", []kfake.ACL{describe, use}, "no right to read topic incidents"},
		{"all", []kfake.ACL{describe, read, use}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "alice", "alice-secret", test.acls...))
			c := config(cluster)
			c.Kafka.SecurityProtocol, c.Kafka.SASLMechanism = "SASL_PLAINTEXT", "PLAIN"
			c.Kafka.Username, c.Kafka.Password = "alice", "alice-secret"
			m := start(t, c, newRecorder(nil))
			eventually(t, "it says "+test.want, func() bool {
				now := m.Snapshot()
				return now.Joined == (test.want == "") && strings.Contains(now.Trouble, test.want)
			})
			if text := m.Snapshot().Trouble; test.want != "" && !strings.Contains(text, "KAFKA_SASL_USERNAME") {
				t.Errorf("%q names no variable", text)
			}
		})
	}
}

// Who uses the port is not said by the system; what to do is.
func TestBridge_PortInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := config(newCluster(t))
	c.Addr = listener.Addr().String()
	b, err := bridge.New(c, bridge.Dependencies{Transport: newRecorder(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.Addr) || !strings.Contains(err.Error(), "set BRIDGE_ADDR (or PORT)") {
		t.Errorf("Run returned %v", err)
	}
}

// A broker that goes away is told in one way, whichever request notices.
func TestBridge_SaysThatTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	produce(t, cluster, topic, 1, 5)
	transport.wait(t, 5)
	cluster.Close()
	eventually(t, "it says that the broker is away", func() bool {
		return strings.Contains(m.Snapshot().Trouble, "is away: start it, or correct KAFKA_BOOTSTRAP_SERVERS")
	})
}

// The coordinator refuses the offsets at first: nothing is read meanwhile.
func TestBridge_CommittedOffsetsUnreadable(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	produce(t, cluster, topic, 0, 3)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: 3})
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	transport.wait(t, 3)
	if fault.Hits() != 3 || !m.Snapshot().Joined {
		t.Errorf("it joined after %d faults", fault.Hits())
	}
}
