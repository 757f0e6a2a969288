#!/bin/sh
# sarama (v1.61.1) takes a batch that has more records than its compressed
# bytes for one that the broker cut off. Zstandard makes such batches of many
# short records that are alike: heartbeats, marks, a test that sends the same
# again and again. A consumer then waits at that batch, without an error, for as
# long as fewer bytes than it has records are behind it in the partition; what
# follows later brings it out. franz-go reads the same batch at once.
#
# Sends 20,000 records of one byte in one batch to a broker in the process, and
# prints what two readers get: franz-go, sarama within five seconds, and sarama
# once a record of 40,000 bytes has followed. Needs Go. Exits 1 when the
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
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const records = 20_000

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	cluster := must(kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "heartbeats")))
	defer cluster.Close()
	client := must(kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("heartbeats"),
		kgo.ConsumeTopics("heartbeats"), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.MaxBufferedRecords(2*records), kgo.ManualFlushing()))
	defer client.Close()
	now := time.Now()
	for range records {
		client.Produce(context.Background(), &kgo.Record{Value: []byte("x"), Timestamp: now}, nil)
	}
	flush(client)
	read := 0
	for read < records {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			panic(err)
		}
		read += fetches.NumRecords()
	}

	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Consumer.Return.Errors = true
	consumer := must(sarama.NewConsumer(cluster.ListenAddrs(), config))
	defer consumer.Close()
	partition := must(consumer.ConsumePartition("heartbeats", 0, sarama.OffsetOldest))
	alone := count(partition)

	long := make([]byte, 40_000)
	rand.Read(long)
	client.Produce(context.Background(), &kgo.Record{Value: long}, nil)
	flush(client)
	fmt.Printf("franz-go %d, sarama %d, and %d once more has followed\n", read, alone, count(partition))
}

func flush(client *kgo.Client) {
	if err := client.Flush(context.Background()); err != nil {
		panic(err)
	}
}

// count is how many records come until none has come for five seconds.
func count(partition sarama.PartitionConsumer) (n int) {
	for {
		select {
		case <-partition.Messages():
			n++
		case err := <-partition.Errors():
			panic(err)
		case <-time.After(5 * time.Second):
			return n
		}
	}
}
GO
go get github.com/IBM/sarama@v1.61.1 github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "sarama v1.61.1: $seen"
[ "$seen" = "franz-go 20000, sarama 0, and 20001 once more has followed" ] || { echo "the behaviour has changed"; exit 1; }
