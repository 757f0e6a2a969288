#!/bin/sh
# franz-go's kfake (v0.0.0-20260918054303-01f206a7e32c) answers
# DescribeTopicPartitions (key 75) with null in the lists of eligible leaders.
# The protocol allows that, and Java's clients then fail: Admin.describeTopics,
# and with it the consoles, iterate over these lists. A broker that does not
# offer key 75 is asked for Metadata instead.
#
# Asks a broker in the process about a topic with one partition, and prints
# which lists are null. Needs Go. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'MOD'
module finding

go 1.25.0
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func main() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "arrivals"))
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	request := kmsg.NewDescribeTopicPartitionsRequest()
	topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
	topic.Topic = "arrivals"
	request.Topics = append(request.Topics, topic)
	request.ResponsePartitionLimit = 100
	answer, err := request.RequestWith(context.Background(), client)
	if err != nil {
		panic(err)
	}
	one := answer.Topics[0].Partitions[0]
	fmt.Printf("replicas null %t, eligible leaders null %t, last known eligible leaders null %t\n",
		one.Replicas == nil, one.EligibleLeaderReplicas == nil, one.LastKnownELR == nil)
}
GO
go get github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kmsg@v1.15.0 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "kfake 01f206a7e32c: $seen"
[ "$seen" = "replicas null false, eligible leaders null true, last known eligible leaders null true" ] || { echo "the behaviour has changed"; exit 1; }
