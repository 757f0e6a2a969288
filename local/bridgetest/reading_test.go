package bridgetest

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/internal/kafka"
)

// While records come, other brokers take the partitions over again and again:
// every record is published, and health has nothing to say.
func TestBridge_FollowsTheLeaders(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t, kfake.NumBrokers(3))
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	const rounds, records = 6, 30
	for round := range rounds {
		for partition := range int32(6) {
			produce(t, cluster, topic, partition, records)
		}
		transport.wait(t, (round+1)*records*6)
		for partition := range int32(6) {
			if err := cluster.MoveTopicPartition(topic, partition, (cluster.LeaderFor(topic, partition)+1)%3); err != nil {
				t.Fatal(err)
			}
		}
	}
	for partition := range int32(6) {
		transport.check(t, cluster, topic, partition, 0, rounds*records)
	}
	if now := m.Snapshot(); now.Trouble != "" {
		t.Errorf("it has trouble: %s", now.Trouble)
	}
}

// A broker that cannot answer for a partition is asked again, of which health
// tells; the other partitions are read meanwhile.
func TestBridge_AsksAgainForAPartitionThatFails(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	mend := disturbFetches(cluster, func(asked *kmsg.FetchRequest) *kmsg.FetchResponse {
		if !asksFor(asked, 2) {
			return nil
		}
		return failure(asked, 2, kerr.KafkaStorageError.Code)
	})
	for partition := range int32(6) {
		produce(t, cluster, topic, partition, 20)
	}
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	transport.wait(t, 5*20)
	eventually(t, "health says why", func() bool { return m.Snapshot().Trouble != "" })
	want := "reading " + kafka.Partition{Topic: topic, Number: 2}.String() + ": " + "kafka server: Disk error when trying to access log file on the disk"
	if got := m.Snapshot().Trouble; got != want {
		t.Errorf("health says %q, want %q", got, want)
	}
	mend()
	transport.wait(t, 6*20)
	transport.check(t, cluster, topic, 2, 0, 20)
}

// A partition without a leader, as while its brokers are away, keeps no other
// waiting where a bridge begins.
func TestBridge_BeginsBesideAPartitionWithoutALeader(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	for partition := range int32(6) {
		produce(t, cluster, topic, partition, 20)
	}
	transport := newRecorder(nil)
	first := start(t, config(cluster), transport)
	transport.wait(t, 6*20)
	first.stop(t)
	for partition := range int32(6) {
		produce(t, cluster, topic, partition, 20)
	}
	away := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets, kmsg.Fetch}, Partitions: []int32{2}, Err: kerr.LeaderNotAvailable, Count: -1})
	start(t, config(cluster), transport)
	transport.wait(t, 11*20)
	away.Remove()
	transport.wait(t, 12*20)
	transport.check(t, cluster, topic, 2, 0, 40)
}

// Records that cannot be read, as after a fault of a broker's disk, keep no other
// partition waiting. Health says where they are, and once they can be read none
// is missing.
func TestBridge_ReadsOnBesideWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	mend := disturbFetches(cluster, func(asked *kmsg.FetchRequest) *kmsg.FetchResponse {
		if !asksFor(asked, 2) {
			return nil
		}
		return damaged(asked, 2)
	})
	transport := newRecorder(nil)
	m := start(t, config(cluster), transport)
	const rounds = 3
	for round := range rounds {
		for partition := range int32(6) {
			produce(t, cluster, topic, partition, 20)
		}
		transport.wait(t, (round+1)*5*20)
	}
	eventually(t, "health says why", func() bool { return m.Snapshot().Trouble != "" })
	want := "reading " + kafka.Partition{Topic: topic, Number: 2}.String() + ": what Kafka has from offset 0 on cannot be read: kafka: error decoding packet: CRC didn't match"
	if got := m.Snapshot().Trouble; !strings.HasPrefix(got, want) {
		t.Errorf("health says %q, want %q", got, want)
	}
	mend()
	transport.wait(t, rounds*6*20)
	for partition := range int32(6) {
		transport.check(t, cluster, topic, partition, 0, rounds*20)
	}
}

// Where nothing can be read at all it is asked for until it can be.
func TestBridge_ReadsWhatCanBeReadAtLast(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var fetches atomic.Int32
	mend := disturbFetches(cluster, func(asked *kmsg.FetchRequest) *kmsg.FetchResponse {
		fetches.Add(1)
		return damaged(asked, asked.Topics[0].Partitions[0].Partition)
	})
	for partition := range int32(6) {
		produce(t, cluster, topic, partition, 20)
	}
	transport := newRecorder(nil)
	start(t, config(cluster), transport)
	eventually(t, "it goes on", func() bool { return fetches.Load() >= 30 })
	mend()
	transport.wait(t, 6*20)
}

// disturbFetches has answer stand in for the cluster until mend is called: where
// it gives nothing the cluster answers itself.
func disturbFetches(cluster *kfake.Cluster, answer func(asked *kmsg.FetchRequest) *kmsg.FetchResponse) (mend func()) {
	var mended atomic.Bool
	cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if mended.Load() {
			return nil, nil, false
		}
		response := answer(request.(*kmsg.FetchRequest))
		return response, nil, response != nil
	})
	return func() { mended.Store(true) }
}

// damaged answers, for the one partition, a batch without records whose checksum
// is another one's.
func damaged(request *kmsg.FetchRequest, partition int32) *kmsg.FetchResponse {
	b := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, CRC: 1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	response := failure(request, partition, 0)
	response.Topics[0].Partitions[0].RecordBatches = b.AppendTo(nil)
	return response
}

func asksFor(request *kmsg.FetchRequest, partition int32) bool {
	for _, t := range request.Topics {
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return true
			}
		}
	}
	return false
}

// failure answers nothing but an error, for the one partition.
func failure(request *kmsg.FetchRequest, partition int32, code int16) *kmsg.FetchResponse {
	response := request.ResponseKind().(*kmsg.FetchResponse)
	of := kmsg.NewFetchResponseTopic()
	of.Topic, of.TopicID = request.Topics[0].Topic, request.Topics[0].TopicID
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode = partition, code
	of.Partitions = append(of.Partitions, p)
	response.Topics = append(response.Topics, of)
	return response
}
