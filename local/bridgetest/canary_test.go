package bridgetest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/event"
)

// Of several bridges one sends canaries, which travel as any record does and
// count as none of the stations'.
func TestBridge_Canary(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.SeedTopics(1, event.CanaryTopic))
	c := config(cluster)
	c.Topics = append(c.Topics, event.CanaryTopic)
	transport := newRecorder(nil)
	members := []*member{start(t, c, transport), start(t, c, transport)}
	waitStable(t, cluster, 2)
	transport.wait(t, 1)
	produce(t, cluster, topic, 2, 5)
	transport.wait(t, 6)
	eventually(t, "the canary is committed", func() bool { return committed(cluster, event.CanaryTopic, 0) >= 1 })
	records := int64(0)
	for _, m := range members {
		records += m.Snapshot().Records
	}
	if records != 5 {
		t.Errorf("the bridges count %d records", records)
	}
	transport.mu.Lock()
	defer transport.mu.Unlock()
	for _, b := range transport.batches {
		if b.Topic != event.CanaryTopic {
			continue
		}
		if b.Lane == batch.RowsLane && !strings.Contains(string(b.Records[0].Value), `"id":"canary-`) {
			t.Errorf("a canary is %s", b.Records[0].Value)
		}
	}
	// A bridge that joins or leaves makes a new session, and no further canary
	// within the minute of the bridge that had sent one.
	if sent := transport.seen[coordinate{topicID(cluster, event.CanaryTopic), 0, 2}]; sent != 0 {
		t.Error("more canaries were sent than there are bridges")
	}
}

// Where canaries cannot be written, or have no topic, that is said, and the
// stations' records are read on.
func TestBridge_CanaryIsNobodysHarm(t *testing.T) {
	for name, c := range map[string]struct {
		topics []kfake.Opt
		says   string
	}{
		"no right": {[]kfake.Opt{kfake.SeedTopics(1, event.CanaryTopic)}, "the Kafka user has no right to write to topic stationflow_canary"},
		"no topic": {nil, "topic stationflow_canary does not exist: create it, or set BRIDGE_CANARY to off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newCluster(t, c.topics...)
			cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				request := r.(*kmsg.ProduceRequest)
				id := cluster.TopicInfo(topic).TopicID
				if len(request.Topics) > 0 && (request.Topics[0].Topic == topic || request.Topics[0].TopicID == id) {
					return nil, nil, false
				}
				response := request.ResponseKind().(*kmsg.ProduceResponse)
				for _, one := range request.Topics {
					answer := kmsg.NewProduceResponseTopic()
					answer.Topic, answer.TopicID = one.Topic, one.TopicID
					for _, p := range one.Partitions {
						refused := kmsg.NewProduceResponseTopicPartition()
						refused.Partition, refused.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
						answer.Partitions = append(answer.Partitions, refused)
					}
					response.Topics = append(response.Topics, answer)
				}
				return response, nil, true
			})
			config := config(cluster)
			config.Topics = append(config.Topics, event.CanaryTopic)
			var lines safeBuffer
			transport := newRecorder(nil)
			startWith(t, config, bridge.Dependencies{Transport: transport, Logger: slog.New(slog.NewJSONHandler(&lines, nil))})
			produce(t, cluster, topic, 2, 5)
			transport.wait(t, 5)
			eventually(t, "the log says it", func() bool { return strings.Contains(lines.String(), c.says) })
		})
	}
}

// A safeBuffer is written and read at the same time.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
