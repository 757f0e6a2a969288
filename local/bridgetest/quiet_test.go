package bridgetest

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker keeps its connections and answers nothing any more: what was
// published of another broker's partition is committed all the same when the
// bridge ends.
func TestBridge_LastCommitBesideABrokerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.NumBrokers(3))
	coordinator := cluster.CoordinatorFor(group)
	quiet := (coordinator + 1) % 3
	for partition := range int32(6) {
		if err := cluster.MoveTopicPartition(topic, partition, []int32{coordinator, quiet}[partition%2]); err != nil {
			t.Fatal(err)
		}
	}
	c := config(cluster)
	c.LakeAge = time.Minute // the end comes before
	transport := newRecorder(nil)
	m := start(t, c, transport)
	produce(t, cluster, topic, 0, 20)
	at := coordinate{topicID(cluster, topic), 0, 19}
	eventually(t, "the rows are published", func() bool { return transport.times(at) > 0 })

	<-keepQuiet(cluster, quiet)
	m.stop(t)
	if got := committed(cluster, topic, 0); got != 20 {
		t.Errorf("offset %d is committed", got)
	}
}

// keepQuiet has a node take requests and answer none. The channel is closed once
// it was asked something that has to be answered soon.
func keepQuiet(cluster *kfake.Cluster, node int32) (asked <-chan struct{}) {
	told := make(chan struct{})
	heard := false
	cluster.Control(func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if cluster.CurrentNode() != node {
			return nil, nil, false
		}
		switch request.(type) {
		case *kmsg.ListOffsetsRequest, *kmsg.MetadataRequest:
			if !heard {
				heard = true
				close(told)
			}
		}
		return nil, nil, true
	})
	return told
}
