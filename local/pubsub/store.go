package pubsub

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
)

// messageOverhead is charged for each message besides its encoded size, for what surrounds it in memory.
const messageOverhead = 512

// errFull says that MaxBytes of unacknowledged messages are held.
var errFull = errors.New("the limit of unacknowledged bytes is reached; publish again once subscribers have caught up")

// message is a published message that at least one subscription has not acknowledged. It is read-only but for pending.
type message struct {
	id      uint64 // MessageId as a number
	pb      *pubsubpb.PubsubMessage
	size    int64
	pending []string // subscriptions that have not acknowledged; guarded by store.mu
}

func newMessage(id uint64, pb *pubsubpb.PubsubMessage, pending []string) *message {
	return &message{id: id, pb: pb, size: int64(proto.Size(pb)) + messageOverhead, pending: pending}
}

// store keeps messages until every subscription has acknowledged them: in memory, and in a journal when it has one.
// Safe for concurrent use.
type store struct {
	mu      sync.Mutex
	max     int64
	used    int64
	lastID  uint64
	live    map[uint64]*message
	journal *journal // nil: memory only
	log     *slog.Logger
	orphans map[string][]*message // recovered ones whose subscription does not exist yet, by its name, in order
}

func newStore(cfg Config, file *journal, recovered map[uint64]*message) *store {
	s := &store{
		max:     cfg.MaxBytes,
		lastID:  uint64(time.Now().UnixMicro()), // ids stay unique over restarts
		live:    map[uint64]*message{},
		journal: file,
		log:     cfg.Log,
		orphans: map[string][]*message{},
	}
	for _, id := range slices.Sorted(maps.Keys(recovered)) {
		m := recovered[id]
		s.hold(m)
		s.lastID = max(s.lastID, id)
		for _, name := range m.pending {
			s.orphans[name] = append(s.orphans[name], m)
		}
	}
	return s
}

// nextIDs reserves n message ids and returns the first.
func (s *store) nextIDs(n int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.lastID + 1
	s.lastID += uint64(n)
	return first
}

// add keeps messages, all or none. With overdraft it ignores the limit: a dead letter replaces a message that is held
// already. After an error nothing of them is in the journal, unless the journal is broken (see journal.publish).
func (s *store) add(msgs []*message, overdraft bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var size int64
	for _, m := range msgs {
		size += m.size
	}
	if s.used+size > s.max && !overdraft {
		return errFull
	}
	if s.journal != nil {
		if err := s.journal.publish(msgs); err != nil {
			return err
		}
	}
	for _, m := range msgs {
		s.hold(m)
	}
	s.compact()
	return nil
}

func (s *store) hold(m *message) {
	s.used += m.size
	s.live[m.id] = m
}

// done notes that a subscription needs a message no longer. When the journal cannot be written, the message comes
// back after a restart.
func (s *store) done(m *message, subscription string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.pending = slices.DeleteFunc(slices.Clone(m.pending), func(name string) bool { return name == subscription })
	if len(m.pending) == 0 && s.live[m.id] == m {
		s.used -= m.size
		delete(s.live, m.id)
	}
	if s.journal == nil {
		return
	}
	if err := s.journal.appendDone(m.id, subscription); err != nil {
		s.log.Error("acknowledgement not kept: the message returns after a restart", "message", m.id, "error", err)
	}
	s.compact()
}

// adopt hands a new subscription what an earlier run kept for it.
func (s *store) adopt(subscription string) []*message {
	s.mu.Lock()
	defer s.mu.Unlock()
	msgs := s.orphans[subscription]
	delete(s.orphans, subscription)
	return msgs
}

func (s *store) compact() {
	if s.journal == nil || !s.journal.wasteful(s.used) {
		return
	}
	if err := s.journal.rewrite(maps.Values(s.live)); err != nil {
		s.log.Error("acknowledged messages still take disk space", "error", err)
	}
}

// usage returns the bytes held and their limit.
func (s *store) usage() (used, limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.max
}

func (s *store) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	return s.journal.end()
}
