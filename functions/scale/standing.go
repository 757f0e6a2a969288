package scale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A standing is what Kafka tells of the bridge's group at one moment.
type standing struct {
	// withheld is what a person has to mend before a topic can be read, one
	// sentence each.
	withheld []string

	unsettled []kafka.Partition // without a commit of the topic as it is now

	// waiting are those with offsets behind the commit that can be read, or
	// with a commit for which Kafka has no offset.
	waiting []kafka.Partition
	offsets int64 // that wait there

	// lag is how old the oldest record that waits is at least, in multiples of
	// LagPerInstance.
	lag time.Duration

	members    int     // of the group
	partitions int64   // that can be read
	recent     bool    // a record came within IdleAfter, by Kafka's timestamp
	rate       float64 // records a second, of that time or of the last LagPerInstance, whichever is more
}

// look reads metadata and offsets. It joins no group and changes nothing. An
// answer that lacks anything is an error: from half of one nobody can tell
// whether records wait.
func (c Config) look(ctx context.Context) (standing, error) {
	s, err := c.ask(ctx)
	if err == nil {
		return s, nil
	}
	// The library's errors do not say what keeps a client from its broker.
	return s, cmp.Or(kafka.Reach(ctx, c.Kafka), err)
}

func (c Config) ask(ctx context.Context) (standing, error) {
	client, err := c.Kafka.Connect(ctx, c.Kafka.Sarama("stationflow-scale"), 0)
	if err != nil {
		return standing{}, err
	}
	s, err := c.inquire(client)
	return s, errors.Join(err, client.Close())
}

func (c Config) inquire(client sarama.Client) (standing, error) {
	// Has the library find the leaders. What it says of topics is in the
	// identity, in words of ours.
	err := client.RefreshMetadata(c.Topics...)
	broker := client.LeastLoadedBroker()
	if broker == nil {
		return standing{}, fmt.Errorf("reading topic ids: %w", errors.Join(err, sarama.ErrOutOfBrokers))
	}
	identity, err := kafka.Identify(broker, client.Config().Version, c.Topics)
	if err != nil {
		return standing{}, err
	}
	var s standing
	topics := make(map[string]kafka.Topic)
	for _, name := range c.Topics {
		topic := identity.Topics[name]
		switch fault := new(kafka.Fault); {
		case errors.As(topic.Err, &fault):
			s.withheld = append(s.withheld, fault.Error())
		case topic.Err != nil:
			return s, topic.Err
		default:
			topics[name] = topic
		}
	}
	if s.members, err = kafka.Members(client, c.GroupID); err != nil {
		return s, err
	}
	commits, err := kafka.Commits(client, c.GroupID, topics)
	if err != nil || len(commits) == 0 {
		return s, err
	}
	return s, c.measure(client, &s, topics, commits)
}

// measure compares the commits with how far the partitions reach. It asks in
// this order: what comes meanwhile can only make more records wait, or recent.
func (c Config) measure(
	client sarama.Client, s *standing, topics map[string]kafka.Topic, commits map[kafka.Partition]kafka.Commit,
) error {
	ends, err := kafka.Offsets(client, at(commits, sarama.OffsetNewest), sarama.ReadCommitted)
	if err != nil {
		return err
	}
	waiting := make(map[kafka.Partition]kafka.Commit)
	s.partitions = int64(len(commits))
	for partition, commit := range commits {
		switch end := ends[partition]; {
		case !commit.Holds(topics[partition.Topic].ID):
			s.unsettled = append(s.unsettled, partition)
		case commit.Offset != end:
			s.waiting = append(s.waiting, partition)
			s.offsets += max(end-commit.Offset, 0)
			waiting[partition] = commit
		}
	}
	sortPartitions(s.unsettled)
	sortPartitions(s.waiting)
	now := c.Now()
	young, err := since(client, commits, now.Add(-c.LagPerInstance))
	if err != nil {
		return err
	}
	if s.lag, err = c.lag(client, waiting, young, now); err != nil {
		return err
	}
	recent, err := since(client, commits, now.Add(-c.IdleAfter))
	for _, offset := range recent {
		s.recent = s.recent || offset >= 0
	}
	s.rate = max(came(young, ends)/c.LagPerInstance.Seconds(), came(recent, ends)/c.IdleAfter.Seconds())
	return err
}

// since asks for the first offset of each partition that is not older; -1 where
// all are.
func since(
	client sarama.Client, partitions map[kafka.Partition]kafka.Commit, moment time.Time,
) (map[kafka.Partition]int64, error) {
	return kafka.Offsets(client, at(partitions, moment.UnixMilli()), sarama.ReadCommitted)
}

// came is how many offsets there are from the first ones on.
func came(first, ends map[kafka.Partition]int64) (offsets float64) {
	for partition, offset := range first {
		if offset >= 0 {
			offsets += float64(max(ends[partition]-offset, 0))
		}
	}
	return offsets
}

// lag asks for the first record that is younger than one LagPerInstance, which
// young has, than two, and so on, until none waits that is older. A commit tells
// no time, but what lies between it and that record is older.
func (c Config) lag(
	client sarama.Client, waiting map[kafka.Partition]kafka.Commit, young map[kafka.Partition]int64, now time.Time,
) (_ time.Duration, err error) {
	for instances := int64(1); len(waiting) > 0 && instances < c.MaxInstances; instances++ {
		age := time.Duration(instances) * c.LagPerInstance
		if instances > 1 {
			if young, err = since(client, waiting, now.Add(-age)); err != nil {
				return 0, err
			}
		}
		older := false
		for partition, commit := range waiting {
			first := young[partition]
			older = older || first < 0 || commit.Offset < first
		}
		if !older {
			return age - c.LagPerInstance, nil
		}
	}
	if len(waiting) == 0 {
		return 0, nil
	}
	return time.Duration(c.MaxInstances-1) * c.LagPerInstance, nil
}

// at asks the same of each partition.
func at(partitions map[kafka.Partition]kafka.Commit, time int64) map[kafka.Partition]int64 {
	times := make(map[kafka.Partition]int64, len(partitions))
	for partition := range partitions {
		times[partition] = time
	}
	return times
}

func sortPartitions(partitions []kafka.Partition) {
	slices.SortFunc(partitions, func(a, b kafka.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	})
}
