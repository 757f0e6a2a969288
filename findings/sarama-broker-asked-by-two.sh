#!/bin/sh
# sarama's client (v1.61.1) may be used by several goroutines, and Client.Leader
# gives each the same broker, which it opens first. Where two ask for it at the
# same time, one can be told that the broker is not connected, though nothing
# failed and nobody closed anything: Broker.Open notes that the broker is opened
# before it takes the broker's lock, and checks its whole configuration in
# between; the other's Open then returns that it is open already, and its
# request gets the lock first. It passes with the next attempt, and looks like a
# broker that was away.
#
# Makes 400 clients of a broker in the process, has four goroutines of each ask
# the leader of the same partition for offsets, and prints whether any was told
# so. Needs Go. Exits 1 when the behaviour has changed.
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
	"errors"
	"fmt"
	"sync"

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
	told := 0
	for range 400 {
		told += ask(cluster.ListenAddrs())
	}
	fmt.Printf("some were told that the broker is not connected: %t\n", told > 0)
}

// ask is how many of four that share a client are told that the broker is not
// connected.
func ask(addresses []string) (told int) {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	client := must(sarama.NewClient(addresses, config))
	defer client.Close()
	var asking sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			<-start
			request := sarama.NewOffsetRequest(config.Version)
			request.AddBlock("arrivals", 0, sarama.OffsetNewest, 1)
			_, err := must(client.Leader("arrivals", 0)).GetAvailableOffsets(request)
			switch {
			case errors.Is(err, sarama.ErrNotConnected):
				mu.Lock()
				told++
				mu.Unlock()
			case err != nil:
				panic(err)
			}
		})
	}
	close(start)
	asking.Wait()
	return told
}
GO
go get github.com/IBM/sarama@v1.61.1 github.com/twmb/franz-go@v1.22.2 github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "sarama v1.61.1: $seen"
[ "$seen" = "some were told that the broker is not connected: true" ] || { echo "the behaviour has changed"; exit 1; }
