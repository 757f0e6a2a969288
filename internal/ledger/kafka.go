package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// Kafka is the cluster, and the bridge's group in it. Nothing joins the group.
type Kafka struct {
	Config kafka.Config
	Group  string
	Topics []string

	// Start is what kafka.Offsets is asked for where the bridge begins to read a
	// partition: sarama.OffsetOldest, OffsetNewest or a time.
	Start int64
}

// An Extent is what Kafka says of a partition. Offsets that a time stands for
// are between Begin and Stable.
type Extent struct {
	Begin     int64 // what is before was deleted
	Stable    int64 // as far as a reader of committed records gets
	End       int64
	Later     int64 // as far as it was seen to reach after that; 0 where it was not asked again
	Committed int64 // by the group, for this topic id; -1 for nothing
	Start     int64 // where the group began, as far as that is known
	From, To  int64 // the period
	Settled   int64 // the first offset that may be in flight
	Kept      int64 // the first offset whose row staging keeps
}

// A reading is what Kafka said at one moment.
type reading struct {
	client  sarama.Client
	extents map[Place]*Extent
	unread  []string // topics that cannot be read, one sentence each
}

func (r *reading) end() error { return r.client.Close() }

// at is the partition, as the client knows it.
func (p Place) at() kafka.Partition {
	return kafka.Partition{Topic: p.Topic, Number: int32(p.Partition)}
}

// times are what offsets are asked for; a zero time asks for none.
type times struct{ from, to, settled, kept time.Time }

// knows returns an error for a partition that Kafka does not have; of a topic id
// that it does not have nothing is known.
func (r *reading) knows(place Place) error {
	partitions := int64(0)
	for known := range r.extents {
		if known.Topic == place.Topic {
			partitions = max(partitions, known.Partition+1)
		}
	}
	switch {
	case place.TopicID != "" || place.Partition < partitions:
		return nil
	case partitions == 0:
		return fmt.Errorf("Kafka has no topic %s", place.Topic)
	}
	return fmt.Errorf("there is no partition %d: %s has partitions 0 to %d", place.Partition, place.Topic, partitions-1)
}

// look asks Kafka for everything. The reading is to be closed.
func (k Kafka) look(ctx context.Context, of times) (*reading, error) {
	client, err := k.Config.Connect(ctx, k.Config.Sarama("stationflow-ledger"), 0)
	if err != nil {
		return nil, k.explain(ctx, err)
	}
	r := &reading{client: client, extents: map[Place]*Extent{}}
	if err := k.inquire(r, of); err != nil {
		return nil, errors.Join(k.explain(ctx, err), r.end())
	}
	return r, nil
}

// explain says what keeps the client from its broker, which the library's
// errors do not.
func (k Kafka) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return cmp.Or(kafka.Reach(ctx, k.Config), err)
}

func (k Kafka) inquire(r *reading, of times) error {
	err := r.client.RefreshMetadata(k.Topics...) // has the library find the leaders; what it says of topics is below
	broker := r.client.LeastLoadedBroker()
	if broker == nil {
		return fmt.Errorf("reading topic ids: %w", errors.Join(err, sarama.ErrOutOfBrokers))
	}
	identity, err := kafka.Identify(broker, r.client.Config().Version, k.Topics)
	if err != nil {
		return err
	}
	topics := map[string]kafka.Topic{}
	for _, name := range k.Topics {
		if topic := identity.Topics[name]; topic.Err != nil {
			r.unread = append(r.unread, topic.Err.Error())
		} else {
			topics[name] = topic
		}
	}
	commits, err := kafka.Commits(r.client, k.Group, topics)
	if err != nil || len(commits) == 0 {
		return err
	}
	for at, commit := range commits {
		extent := &Extent{Committed: -1}
		id := topics[at.Topic].ID
		if commit.Holds(id) {
			extent.Committed = commit.Offset
		}
		r.extents[Place{at.Topic, id, int64(at.Number)}] = extent
	}
	return k.measure(r, of)
}

// measure asks for the offsets of every partition.
func (k Kafka) measure(r *reading, of times) error {
	ask := func(time int64, isolation sarama.IsolationLevel, set func(e *Extent, offset int64)) error {
		asked := make(map[kafka.Partition]int64, len(r.extents))
		for place := range r.extents {
			asked[place.at()] = time
		}
		found, err := kafka.Offsets(r.client, asked, isolation)
		for place, extent := range r.extents {
			set(extent, found[place.at()])
		}
		return err
	}
	if err := ask(sarama.OffsetOldest, sarama.ReadUncommitted, func(e *Extent, o int64) { e.Begin = o }); err != nil {
		return err
	}
	// The end first: what comes between the two questions waits for no transaction.
	if err := ask(sarama.OffsetNewest, sarama.ReadUncommitted, func(e *Extent, o int64) { e.End = o }); err != nil {
		return err
	}
	if err := ask(sarama.OffsetNewest, sarama.ReadCommitted, func(e *Extent, o int64) { e.Stable, e.End = o, max(e.End, o) }); err != nil {
		return err
	}
	for _, extent := range r.extents {
		extent.From, extent.Kept, extent.Start = extent.Begin, extent.Begin, extent.Begin
		extent.To, extent.Settled = extent.Stable, extent.Stable
	}
	for _, one := range []struct {
		at  time.Time
		set func(*Extent) *int64
	}{
		{of.from, func(e *Extent) *int64 { return &e.From }},
		{of.to, func(e *Extent) *int64 { return &e.To }},
		{of.settled, func(e *Extent) *int64 { return &e.Settled }},
		{of.kept, func(e *Extent) *int64 { return &e.Kept }},
	} {
		if one.at.IsZero() {
			continue
		}
		if err := ask(one.at.UnixMilli(), sarama.ReadCommitted, func(e *Extent, o int64) { *one.set(e) = e.within(o) }); err != nil {
			return err
		}
	}
	if k.Start < 0 { // earliest, or latest: where that was nobody remembers
		return nil
	}
	return ask(k.Start, sarama.ReadCommitted, func(e *Extent, o int64) { e.Start = e.within(o) })
}

// within is an offset that Kafka gave for a time; -1 stands for none as new.
func (e *Extent) within(offset int64) int64 {
	if offset < 0 {
		return e.Stable
	}
	return min(max(offset, e.Begin), e.Stable)
}

// fetchBytes is how much is read at once.
const fetchBytes = 4 << 20

// Records returns the offsets of a partition, among those given, that hold a
// record which a reader of committed records gets. Markers of transactions,
// aborted records and compacted ones are none. It reads the partition from the
// first of the offsets to the last.
func Records(ctx context.Context, client sarama.Client, at kafka.Partition, among Spans) (Spans, error) {
	var found []Span
	for left := among; len(left) > 0; {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		from := left[0].First
		block, err := kafka.Fetch(client, at, from, fetchBytes)
		if err != nil {
			return nil, err
		}
		records, next := kafka.Readable(block, from)
		if next <= from {
			return nil, fmt.Errorf("reading %s from offset %d on: Kafka gives nothing", at, from)
		}
		found = append(found, Offsets(records).And(left)...)
		left = left.From(next)
	}
	return Of(found...), nil
}
