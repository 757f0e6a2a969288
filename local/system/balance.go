package system

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/ledger"
)

// A place is a partition of a topic by its id: a topic that is deleted and
// made again begins at offset 0 again.
type place struct {
	topicID   string
	partition int64
}

// landed are the offsets that are in staging or quarantine.
type landed map[place]ledger.Spans

func (l landed) add(topicID string, partition int64, offsets ledger.Span) {
	at := place{topicID, partition}
	l[at] = append(l[at], offsets)
}

// to is the offsets from the first up to, not including, next.
func to(first, next int64) ledger.Spans { return ledger.Of(ledger.Span{First: first, Next: next}) }

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
		seen, runs := gone[here], ledger.Of(landed[here]...)
		all := to(max(seen.from(foreign, runs), of.begin), of.stable)
		seen.stable = min(seen.stable, of.begin)
		gone[here] = seen
		sum.arrived += all.And(runs).Count()
		sum.open += of.end - of.stable
		records, err := ledger.Records(ctx, client, at, all.Not(runs))
		if err != nil {
			return balance{}, err
		}
		if len(records) > 0 {
			sum.missing += records.Count()
			sum.lacking = append(sum.lacking, lack{at, records[0].First, records.Count()})
		}
	}
	for here, seen := range gone {
		runs := ledger.Of(landed[here]...)
		sum.deleted += to(max(seen.from(foreign, runs), seen.passed), seen.stable).Not(runs).Count()
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
func (h history) from(foreign bool, runs ledger.Spans) int64 {
	if !foreign {
		return h.begin
	}
	from := max(h.begin, h.start)
	for _, one := range runs { // an earlier run has read from there on
		from = max(h.begin, min(from, one.First))
	}
	return from
}
