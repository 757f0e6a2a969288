package system

import (
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/stationflow/stationflow/internal/kafka"
)

// maxMessageBytes lets through what Confluent Cloud lets through on its
// largest clusters, so that oversize records can be tried here
// (https://docs.confluent.io/cloud/current/clusters/cluster-types.html).
const maxMessageBytes = 20 << 20

// startKafka starts a broker that speaks Kafka's protocol, in this
// process. With a folder it keeps records, topic ids and committed
// offsets across restarts.
func startKafka(address, folder string) (*kfake.Cluster, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka on %s: %w", address, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka on %s: %w", address, err)
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.ClusterID("stationflow-local"),
		kfake.DefaultNumPartitions(kafka.Partitions),
		kfake.MaxVersions(spoken()),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(maxMessageBytes)}),
	}
	if folder != "" {
		options = append(options, kfake.DataDir(folder))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka on %s: %w", address, err)
	}
	return cluster, nil
}

// spoken are the requests that the broker says it knows: all of Kafka's newest
// release but DescribeTopicPartitions, whose answer here lacks the lists of
// eligible leaders that Java's clients read. Without it they ask for Metadata.
func spoken() *kversion.Versions {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.DescribeTopicPartitions.Int16(), -1)
	return versions
}
