package system

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/local/freeport"
)

// Java's Admin asks for DescribeTopicPartitions where a broker has it, and
// fails on a null list in the answer: kafka-topics.sh --describe and consoles.
// So the broker either answers whole or does not offer it.
func TestStartKafka_DescribesTopicsAsJavaReadsThem(t *testing.T) {
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := startKafka(address, "")
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "incidents", 6, 1
	create.Topics = append(create.Topics, topic)
	if _, err := create.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	offered, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	offers := func(key kmsg.Key) bool {
		return slices.ContainsFunc(offered.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == key.Int16() })
	}
	if offers(kmsg.DescribeTopicPartitions) {
		describe := kmsg.NewPtrDescribeTopicPartitionsRequest()
		asked := kmsg.NewDescribeTopicPartitionsRequestTopic()
		asked.Topic = "incidents"
		describe.Topics, describe.ResponsePartitionLimit = append(describe.Topics, asked), 2000
		answer, err := describe.RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range answer.Topics[0].Partitions {
			if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
				t.Fatalf("partition %d has null lists: %+v", p.Partition, p)
			}
		}
	}
	if !offers(kmsg.Metadata) || !offers(kmsg.DescribeConfigs) {
		t.Error("the broker offers no Metadata or no DescribeConfigs")
	}
}
