package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// startPatience is how long a member waits for the one that chooses the
// starts; then it joins again.
const startPatience = 10 * time.Second

// A position is where a partition begins in this session.
type position struct {
	offset   int64
	end      int64  // the end of the partition
	stable   int64  // the end of what can be read
	labelled bool   // the commit names the topic's id
	broken   string // why it cannot begin there; "" if it can
}

// starts returns where each claimed partition begins: at the group's
// committed offset, whatever has become of it. Where there is none for the
// topic as it is now, the member that holds the first partition of the first
// topic that can be read chooses one for every partition of every topic, and
// commits it; the others wait until they read it. So each start is chosen
// once, by one member, however many join and in whatever order, and none is
// used that a successor after a crash would not find.
func (s *session) starts(ctx context.Context, claims map[string][]int32) (map[kafka.Partition]position, error) {
	chooser := slices.Contains(claims[s.topics[0]], 0)
	deadline := time.Now().Add(startPatience)
	var chosen map[kafka.Partition]int64
	for {
		committed, err := kafka.Commits(s.control, s.bridge.config.GroupID, s.identity.Topics)
		if err != nil {
			return nil, err
		}
		if err := s.readBack(chosen, committed); err != nil {
			return nil, err
		}
		missing := s.missing(committed)
		switch {
		case chooser && len(missing) > 0 && chosen == nil:
			if chosen, err = s.choose(missing, committed); err != nil {
				return nil, err
			}
			continue
		case !slices.ContainsFunc(missing, func(at kafka.Partition) bool {
			return slices.Contains(claims[at.Topic], at.Number)
		}):
			return s.positions(claims, committed)
		case time.Now().After(deadline):
			return nil, fmt.Errorf("waiting for the member that chooses where group %s begins: nothing is committed for %v after %v",
				s.bridge.config.GroupID, missing, startPatience)
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// missing returns the partitions for which the group has nothing committed
// that holds.
func (s *session) missing(committed map[kafka.Partition]kafka.Commit) (missing []kafka.Partition) {
	for topic, known := range s.identity.Topics {
		for partition := range known.Leaders {
			at := kafka.Partition{Topic: topic, Number: partition}
			if !committed[at].Holds(known.ID) {
				missing = append(missing, at)
			}
		}
	}
	slices.SortFunc(missing, func(a, b kafka.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	})
	return missing
}

// readBack compares what was committed with what Kafka returns: the answer to
// a commit tells only that it was taken, not that it was not overwritten by a
// client outside the group, or taken by a broker that lost it.
func (s *session) readBack(chosen map[kafka.Partition]int64, committed map[kafka.Partition]kafka.Commit) error {
	for at, offset := range chosen {
		if now := committed[at]; now.Offset != offset || now.TopicID != s.identity.Topics[at.Topic].ID {
			return fmt.Errorf("reading back the start of %s/%d in group %s: %d was committed, and %d is: another client commits in this group",
				at.Topic, at.Number, s.bridge.config.GroupID, offset, now.Offset)
		}
	}
	return nil
}

// choose commits where the missing partitions begin. KAFKA_START counts when
// the group begins, with nothing committed at all, and for a topic without any
// commit that the user was not allowed to read until now. Any other topic or
// partition without a commit is new, or was created again: nobody has seen its
// first record, and it begins there.
func (s *session) choose(missing []kafka.Partition,
	committed map[kafka.Partition]kafka.Commit) (map[kafka.Partition]int64, error) {
	b := s.bridge
	begun := b.begun.Load()
	seen := make(map[string]bool) // the topics with a commit
	for at, c := range committed {
		if c.Offset >= 0 {
			begun, seen[at.Topic] = true, true
		}
	}
	request := s.commitRequest()
	starts := make(map[kafka.Partition]Start, len(missing))
	var fresh []kafka.Partition
	for _, at := range missing {
		start := b.config.Start
		if begun && (seen[at.Topic] || !b.wasWithheld(at.Topic)) {
			start = Start{}
			fresh = append(fresh, at)
		}
		starts[at] = start
	}
	chosen, err := s.begin(starts)
	if err != nil {
		return nil, fmt.Errorf("finding where partitions begin: %w", err)
	}
	for at, offset := range chosen {
		request.AddBlockWithLeaderEpoch(at.Topic, at.Number, offset, -1, 0, s.identity.Topics[at.Topic].ID)
	}
	err = s.sendCommit(request, func(response *sarama.OffsetCommitResponse) error {
		var faults []error
		for at := range chosen {
			faults = append(faults, commitError(response, at))
		}
		return errors.Join(faults...)
	})
	if err == nil && len(fresh) > 0 {
		b.log.Warn("these are new to the group, or their topic was created again: they are read from the first record",
			"partitions", fmt.Sprint(fresh))
	}
	return chosen, err
}

// begin returns the offsets at which partitions begin that nobody has read.
// The latest is the end of what can be read now: the records of a transaction
// that is open are still to come.
func (s *session) begin(starts map[kafka.Partition]Start) (map[kafka.Partition]int64, error) {
	times := make(map[kafka.Partition]int64, len(starts))
	for at, start := range starts {
		switch {
		case start == Start{}:
			times[at] = sarama.OffsetOldest
		case start.Latest:
			times[at] = sarama.OffsetNewest
		default:
			times[at] = start.At.UnixMilli()
		}
	}
	offsets, err := kafka.Offsets(s.control, times, sarama.ReadCommitted)
	if err != nil {
		return nil, err
	}
	late := make(map[kafka.Partition]int64) // nothing is that new
	for at, offset := range offsets {
		if offset < 0 {
			late[at] = sarama.OffsetNewest
		}
	}
	ends, err := kafka.Offsets(s.control, late, sarama.ReadCommitted)
	maps.Copy(offsets, ends)
	return offsets, err
}

// positions takes over the commits of the claimed partitions. One of which Kafka
// does not tell how far it reaches, as while it has no leader, keeps no other
// waiting: whether it has the offset is told once it can be read.
func (s *session) positions(claims map[string][]int32,
	committed map[kafka.Partition]kafka.Commit) (map[kafka.Partition]position, error) {
	oldest, newest := make(map[kafka.Partition]int64), make(map[kafka.Partition]int64)
	for topic, partitions := range claims {
		for _, partition := range partitions {
			at := kafka.Partition{Topic: topic, Number: partition}
			if _, ok := committed[at]; !ok {
				return nil, fmt.Errorf("beginning to read %v: brokers do not agree that it exists", at)
			}
			oldest[at], newest[at] = sarama.OffsetOldest, sarama.OffsetNewest
		}
	}
	begins, errBegins := kafka.Offsets(s.control, oldest, sarama.ReadUncommitted)
	ends, errEnds := kafka.Offsets(s.control, newest, sarama.ReadUncommitted)
	stable, errStable := kafka.Offsets(s.control, newest, sarama.ReadCommitted)
	if err := cmp.Or(errBegins, errEnds, errStable); err != nil {
		s.bridge.note(err)
	}
	positions := make(map[kafka.Partition]position, len(oldest))
	for at := range oldest {
		c := committed[at]
		p := position{offset: c.Offset, labelled: c.TopicID != "", end: c.Offset, stable: c.Offset}
		begin, begun := begins[at]
		end, ended := ends[at]
		if upTo, known := stable[at]; known && begun && ended {
			if p.end, p.stable = end, upTo; c.Offset < begin || c.Offset > end {
				p.broken = s.describeRange(at.Topic, at.Number, c.Offset)
			}
		}
		positions[at] = p
	}
	return positions, nil
}
