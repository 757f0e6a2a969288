package kafka

import (
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
)

// A Partition is one of a topic.
type Partition struct {
	Topic  string
	Number int32
}

func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Number) }

// Offsets asks the leader of each partition for an offset: the one that its
// time stands for, in milliseconds, or sarama.OffsetOldest or OffsetNewest.
// With sarama.ReadCommitted the newest is the last stable offset, up to which
// a reader of committed records gets: an open transaction holds it. It is -1
// where no record is as new as the time.
//
// It sends one request to each broker, to all of them at once. The map has
// every partition that could be told; the error says why others could not,
// and another call asks those who are the leaders then.
func Offsets(client sarama.Client, times map[Partition]int64,
	isolation sarama.IsolationLevel) (map[Partition]int64, error) {
	var faults []error
	inquiries := make(map[*sarama.Broker]*offsetInquiry)
	for at, time := range times {
		leader, err := client.Leader(at.Topic, at.Number)
		if err != nil {
			faults = append(faults, fmt.Errorf("finding the leader of %s: %w", at, err))
			continue
		}
		one := inquiries[leader]
		if one == nil {
			one = &offsetInquiry{request: sarama.NewOffsetRequest(client.Config().Version)}
			one.request.IsolationLevel = isolation
			inquiries[leader] = one
		}
		one.request.AddBlock(at.Topic, at.Number, time, 1)
		one.partitions = append(one.partitions, at)
	}
	var asking sync.WaitGroup
	for leader, one := range inquiries {
		asking.Go(func() { one.ask(leader) })
	}
	asking.Wait()
	offsets := make(map[Partition]int64, len(times))
	for _, one := range inquiries {
		if err := one.read(offsets); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		_ = client.RefreshMetadata(topicsOf(times)...) // a leader may have moved
	}
	return offsets, errors.Join(faults...)
}

// An offsetInquiry is what one broker is asked.
type offsetInquiry struct {
	request    *sarama.OffsetRequest
	partitions []Partition
	response   *sarama.OffsetResponse
	err        error
}

func (i *offsetInquiry) ask(broker *sarama.Broker) {
	if i.response, i.err = broker.GetAvailableOffsets(i.request); i.err != nil {
		_ = broker.Close() // the next request opens it again
	}
}

// read adds what the broker answered.
func (i *offsetInquiry) read(to map[Partition]int64) error {
	if i.err != nil {
		return fmt.Errorf("reading the offsets of %d partitions: %w", len(i.partitions), i.err)
	}
	var faults []error
	for _, at := range i.partitions {
		switch block := i.response.GetBlock(at.Topic, at.Number); {
		case block == nil:
			faults = append(faults, fmt.Errorf("reading an offset of %s: %w", at, sarama.ErrIncompleteResponse))
		case block.Err != sarama.ErrNoError:
			faults = append(faults, Explain(fmt.Errorf("reading an offset of %s: %w", at, block.Err),
				"read topic "+at.Topic))
		default:
			to[at] = block.Offset
		}
	}
	return errors.Join(faults...)
}

func topicsOf(times map[Partition]int64) (topics []string) {
	seen := make(map[string]bool)
	for at := range times {
		if !seen[at.Topic] {
			seen[at.Topic] = true
			topics = append(topics, at.Topic)
		}
	}
	return topics
}
