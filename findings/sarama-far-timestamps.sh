#!/bin/sh
# Timestamps are numbers to Kafka: a program that means microseconds where
# milliseconds are expected gives dates tens of thousands of years away, which
# Kafka stores as they are. sarama (v1.61.1), given such a time by its caller,
# sends another number, without an error, and in two ways: the first record of
# a batch goes through 64 bits of nanoseconds since 1970 and wraps around, and
# a later one goes as its distance from the first, which ends at 292 years. So
# one and the same time becomes two, by where in a batch its record happens to
# lie, and both look less absurd than what was meant. It reads such numbers
# as they are.
#
# Sends two records in one batch and one alone to a broker in the process, and
# prints the timestamps that a reader sees. Needs Go. Exits 1 when the
# behaviour has changed.
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
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	cluster := must(kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "arrivals")))
	defer cluster.Close()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Return.Successes = true
	config.Producer.Flush.Messages = 2
	config.Producer.Flush.Frequency = time.Second
	producer := must(sarama.NewSyncProducer(cluster.ListenAddrs(), config))
	defer producer.Close()
	message := func(milliseconds int64) *sarama.ProducerMessage {
		return &sarama.ProducerMessage{Topic: "arrivals", Value: sarama.StringEncoder("x"), Timestamp: time.UnixMilli(milliseconds)}
	}
	const moment = 1_795_000_000_000 // in milliseconds
	if err := producer.SendMessages([]*sarama.ProducerMessage{message(moment), message(moment * 1000)}); err != nil {
		panic(err)
	}
	must2(producer.SendMessage(message(moment * 1000)))

	consumer := must(sarama.NewConsumer(cluster.ListenAddrs(), config))
	defer consumer.Close()
	partition := must(consumer.ConsumePartition("arrivals", 0, sarama.OffsetOldest))
	for range 3 {
		fmt.Printf("%d ", (<-partition.Messages()).Timestamp.UnixMilli())
	}
}

func must2[A, B any](a A, b B, err error) {
	if err != nil {
		panic(err)
	}
}
GO
go get github.com/IBM/sarama@v1.61.1 github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "sarama v1.61.1: sent 1795000000000 1795000000000000 | 1795000000000000, read $seen"
[ "$seen" = "1795000000000 11018372036854 5665824850173 " ] || { echo "the behaviour has changed"; exit 1; }
