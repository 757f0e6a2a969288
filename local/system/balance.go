package system

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A place is a partition of a topic by its id: a topic that is deleted and
// made again begins at offset 0 again.
type place struct {
	topicID   string
	partition int64
}

// A span is the offsets from the first up to, not including, next.
type span struct{ first, next int64 }

// landed are the runs of offsets that are in staging or quarantine.
type landed map[place][]span

func (l landed) add(topicID string, partition int64, offsets span) {
	at := place{topicID, partition}
	l[at] = append(l[at], offsets)
}

// A balance compares what Kafka holds with what has landed. Only what can be
// read counts: markers of transactions, aborted records and deleted ones hold
// offsets and are no records.
type balance struct {
	arrived, missing int64
	open             int64 // offsets behind the first open transaction of a partition
	deleted          int64 // offsets that the group had not come to when Kafka deleted them, or their topic, and that are in no table; not all need have held a record
	lacking          []lack
}

// A lack is the first missing record of a partition, and how many are.
type lack struct {
	at      kafka.Partition
	first   int64
	records int64
}

// where names the first places that lack records.
func (b balance) where() string {
	slices.SortFunc(b.lacking, func(x, y lack) int { return strings.Compare(x.at.String(), y.at.String()) })
	var all []string
	for i, one := range b.lacking {
		if i == 3 {
			all = append(all, fmt.Sprintf("and in %d more partitions", len(b.lacking)-i))
			break
		}
		all = append(all, fmt.Sprintf("%d in %s from offset %d on", one.records, one.at, one.first))
	}
	return strings.Join(all, ", ")
}

// compare asks Kafka what it holds now, and reads those parts of which
// nothing has landed. Where the topics are somebody else's, what was there
// before this run's group began to read does not count.
func (b *broker) compare(ctx context.Context, foreign bool, landed landed) (balance, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return balance{}, err
	}
	defer client.Close()
	now, _, err := b.read(client)
	if err != nil {
		return balance{}, err
	}
	b.note(now)
	var sum balance
	gone := b.histories() // but for those that are still there
	for at, of := range now {
		here := place{of.topicID, int64(at.Number)}
		seen, runs := gone[here], landed[here]
		arrived, holes := within(span{max(seen.from(foreign, runs), of.begin), of.stable}, runs)
		seen.stable = min(seen.stable, of.begin)
		gone[here] = seen
		sum.arrived += arrived
		sum.open += of.end - of.stable
		records, err := readable(client, at, holes)
		if err != nil {
			return balance{}, err
		}
		if len(records) > 0 {
			sum.missing += int64(len(records))
			sum.lacking = append(sum.lacking, lack{at, records[0], int64(len(records))})
		}
	}
	for here, seen := range gone {
		_, holes := within(span{max(seen.from(foreign, landed[here]), seen.passed), seen.stable}, landed[here])
		for _, one := range holes {
			sum.deleted += one.next - one.first
		}
	}
	return sum, nil
}

// A history is what has been seen of a partition since the watch began.
type history struct {
	begin, start int64 // of the partition, and of the group in it, at first
	stable       int64 // how far it could be read
	passed       int64 // how far the group has come: what is before was handed on, given up, or is no record
}

func (b *broker) histories() map[place]history {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.seen)
}

// from is the first offset that counts.
func (h history) from(foreign bool, runs []span) int64 {
	if !foreign {
		return h.begin
	}
	from := max(h.begin, h.start)
	for _, one := range runs { // an earlier run has read from there on
		from = max(h.begin, min(from, one.first))
	}
	return from
}

// within counts the offsets of a range that are in runs, and returns the parts
// of it that are in none.
func within(all span, runs []span) (offsets int64, holes []span) {
	slices.SortFunc(runs, func(a, b span) int { return int(a.first - b.first) })
	at := all.first
	for _, one := range runs {
		one = span{max(one.first, at), min(one.next, all.next)}
		if one.first >= one.next {
			continue
		}
		if one.first > at {
			holes = append(holes, span{at, one.first})
		}
		offsets += one.next - one.first
		at = one.next
	}
	if at < all.next {
		holes = append(holes, span{at, all.next})
	}
	return offsets, holes
}

// fetchBytes is how much is read at once.
const fetchBytes = 4 << 20

// readable returns the offsets in the holes that hold a record. It reads the
// partition from the first hole to the end of the last.
func readable(client sarama.Client, at kafka.Partition, holes []span) (offsets []int64, err error) {
	if len(holes) == 0 {
		return nil, nil
	}
	for from := holes[0].first; len(holes) > 0; {
		block, err := kafka.Fetch(client, at, from, fetchBytes)
		if err != nil {
			return nil, err
		}
		records, next, err := kafka.Readable(block, from)
		if err == nil && next <= from {
			err = errors.New("Kafka gives nothing")
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s from offset %d on: %w", at, from, err)
		}
		for _, offset := range records {
			for len(holes) > 0 && holes[0].next <= offset {
				holes = holes[1:]
			}
			if len(holes) > 0 && holes[0].first <= offset {
				offsets = append(offsets, offset)
			}
		}
		for len(holes) > 0 && holes[0].next <= next {
			holes = holes[1:]
		}
		if from = next; len(holes) > 0 {
			from = max(next, holes[0].first)
		}
	}
	return offsets, nil
}
