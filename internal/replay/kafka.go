package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/quarantine"
)

// A Span is a run of offsets of one partition, from the first up to, not
// including, the next.
type Span struct {
	kafka.Partition
	First, Next int64
}

// end is the place of the last offset.
func (s Span) end() quarantine.Place {
	return quarantine.Place{Topic: s.Topic, Partition: s.Number, Offset: s.Next - 1}
}

func (s Span) String() string { return fmt.Sprintf("%v:%d-%d", s.Partition, s.First, s.Next-1) }

// A Source reads again what Kafka still has. It is not safe for concurrent use.
type Source struct {
	client   sarama.Client
	identity kafka.Identity
	topics   []string
}

// OpenSource connects to Kafka and looks at the topics. Close ends the
// connection.
func OpenSource(ctx context.Context, config kafka.Config, topics []string) (*Source, error) {
	client, err := config.Connect(ctx, config.Sarama("stationflow-replay"), 0)
	if err != nil {
		if fault := kafka.Reach(ctx, config); fault != nil { // the library's errors do not say what is wrong
			return nil, fault
		}
		return nil, err
	}
	s := &Source{client: client, topics: topics}
	if err := s.look(); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return s, nil
}

func (s *Source) look() error {
	err := s.client.RefreshMetadata(s.topics...)
	broker := s.client.LeastLoadedBroker()
	if broker == nil {
		return fmt.Errorf("reading topic ids: %w", errors.Join(err, sarama.ErrOutOfBrokers))
	}
	if s.identity, err = kafka.Identify(broker, s.client.Config().Version, s.topics); err != nil {
		return err
	}
	return s.identity.Err()
}

// Close ends the connection.
func (s *Source) Close() error { return s.client.Close() }

// Origin is where records of the topic come from, as batches say it.
func (s *Source) Origin(topic string) *batch.Batch {
	return &batch.Batch{ClusterID: s.identity.ClusterID, Topic: topic, TopicID: s.identity.Topics[topic].ID}
}

// reach returns the offsets that all partitions of the topics hold.
func (s *Source) reach() (map[kafka.Partition]Span, error) {
	oldest, newest := s.at(sarama.OffsetOldest), s.at(sarama.OffsetNewest)
	begin, err := kafka.Offsets(s.client, oldest, sarama.ReadCommitted)
	if err != nil {
		return nil, err
	}
	end, err := kafka.Offsets(s.client, newest, sarama.ReadCommitted)
	if err != nil {
		return nil, err
	}
	spans := make(map[kafka.Partition]Span, len(begin))
	for at, first := range begin {
		spans[at] = Span{at, first, end[at]}
	}
	return spans, nil
}

func (s *Source) at(time int64) map[kafka.Partition]int64 {
	times := make(map[kafka.Partition]int64)
	for _, topic := range s.topics {
		for number := range s.identity.Topics[topic].Leaders {
			times[kafka.Partition{Topic: topic, Number: number}] = time
		}
	}
	return times
}

// Offsets returns the span of these offsets, first and last included. A
// *NotHeld error says that Kafka does not have all of them.
func (s *Source) Offsets(at kafka.Partition, first, last int64) (Span, error) {
	spans, err := s.reach()
	if err != nil {
		return Span{}, err
	}
	held, known := spans[at]
	if !known {
		return Span{}, fmt.Errorf("topic %s has no partition %d: it has %d", at.Topic, at.Number, len(s.identity.Topics[at.Topic].Leaders))
	}
	if first < held.First || last >= held.Next {
		return Span{}, &NotHeld{held}
	}
	return Span{at, first, last + 1}, nil
}

// A NotHeld error says that Kafka does not have what was asked for.
type NotHeld struct{ Span }

func (e *NotHeld) Error() string {
	if e.First == e.Next {
		return fmt.Sprintf("Kafka has no records of %v any more, or none yet", e.Partition)
	}
	return fmt.Sprintf("Kafka has the offsets %d to %d of %v", e.First, e.Next-1, e.Partition)
}

// Partitions returns those of a topic, ascending.
func (s *Source) Partitions(topic string) ([]int32, error) {
	all, err := s.client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("reading the partitions of %s: %w", topic, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the topic %s has no partition", topic)
	}
	slices.Sort(all)
	return all, nil
}

// Times returns the spans of what was written between two moments, by Kafka's
// timestamps: from the first on, before the second; a zero moment is no bound.
// They are in the order of topics and partitions.
func (s *Source) Times(from, to time.Time) ([]Span, error) {
	spans, err := s.reach()
	if err != nil {
		return nil, err
	}
	if !from.IsZero() {
		first, err := kafka.Offsets(s.client, s.at(from.UnixMilli()), sarama.ReadCommitted)
		if err != nil {
			return nil, err
		}
		for at, span := range spans {
			if span.First = max(span.First, first[at]); first[at] < 0 {
				span.First = span.Next // no record is as new
			}
			spans[at] = span
		}
	}
	if !to.IsZero() {
		behind, err := kafka.Offsets(s.client, s.at(to.UnixMilli()), sarama.ReadCommitted)
		if err != nil {
			return nil, err
		}
		for at, span := range spans {
			if behind[at] >= 0 {
				span.Next = min(span.Next, behind[at])
			}
			spans[at] = span
		}
	}
	var all []Span
	for _, span := range spans {
		if span.First < span.Next {
			all = append(all, span)
		}
	}
	slices.SortFunc(all, func(a, b Span) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	})
	return all, nil
}

// fetchBytes is how much is read at once.
const fetchBytes = 4 << 20

// Read shows every record of the span that a reader of committed records gets,
// in the order of offsets. A record is valid until show returns. The topic must
// not have been made again since the source was opened: what was read belongs
// to the id that its leader tells afterwards.
func (s *Source) Read(ctx context.Context, span Span, show func(*batch.Record) error) error {
	for from := span.First; from < span.Next; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		block, err := kafka.Fetch(s.client, span.Partition, from, fetchBytes)
		if err != nil {
			return err
		}
		if err := s.same(span.Partition); err != nil {
			return err
		}
		var failed error
		next := kafka.EachReadable(block, from, func(offset int64, at time.Time, r *sarama.Record) {
			if offset < span.Next && failed == nil {
				failed = show(recordOf(span.Number, offset, at, r))
			}
		})
		if failed != nil {
			return failed
		}
		if next <= from {
			return fmt.Errorf("reading %s from offset %d on: Kafka gives nothing", span.Partition, from)
		}
		from = next
	}
	return nil
}

// same returns an error where the topic has another id by now.
func (s *Source) same(at kafka.Partition) error {
	leader, err := s.client.Leader(at.Topic, at.Number)
	if err != nil {
		return fmt.Errorf("finding the leader of %s: %w", at, err)
	}
	identity, err := kafka.Identify(leader, s.client.Config().Version, []string{at.Topic})
	if err != nil {
		return err
	}
	now := identity.Topics[at.Topic]
	if now.Err == nil && now.ID != s.identity.Topics[at.Topic].ID {
		return fmt.Errorf("topic %s was deleted and made again meanwhile: its offsets are others now", at.Topic)
	}
	return now.Err
}

func recordOf(partition int32, offset int64, at time.Time, r *sarama.Record) *batch.Record {
	record := &batch.Record{Partition: partition, Offset: offset, Timestamp: max(at.UnixMilli(), -1), Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, batch.Header{Key: string(h.Key), Value: h.Value})
	}
	return record
}
