package bridge

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/kafka"
)

// An unread topic is left out of what the group reads.
type unread struct {
	why   string
	since time.Time
}

// refused reports whether the topic is one that the user may not read.
func refused(topic kafka.Topic) bool { return errors.Is(topic.Err, sarama.ErrTopicAuthorizationFailed) }

// leaveOut takes note of why a topic cannot be read now.
func (b *Bridge) leaveOut(name string, topic kafka.Topic) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := unread{why: topic.Err.Error(), since: time.Now()}
	if name == event.CanaryTopic {
		now.why = strings.Replace(now.why, "take it out of KAFKA_TOPICS", "set BRIDGE_CANARY to off", 1)
	}
	known, ok := b.unread[name]
	if ok {
		now.since = known.since
	}
	if now.why != known.why {
		b.log.Warn("a topic is not read", "topic", name, "reason", now.why)
	}
	b.unread[name] = now
	switch _, decided := b.withheld[name]; {
	case refused(topic) && !decided:
		b.withheld[name] = true
	case errors.Is(topic.Err, kafka.ErrNoTopic):
		b.withheld[name] = false // what is created from now on is new
	}
}

// takeUp takes note that a topic can be read.
func (b *Bridge) takeUp(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.unread, name)
}

// excuse takes note that the group is not joined for no other reason than
// that Kafka has just said that no topic can be read.
func (b *Bridge) excuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detached = time.Now()
}

// wasWithheld reports whether nothing but the user's rights has kept the
// topic, since New, from being read.
func (b *Bridge) wasWithheld(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.withheld[name]
}

// unreadTopics returns what is left out. The caller holds the lock.
func (b *Bridge) unreadTopics() (topics []UnreadTopic) {
	for _, name := range slices.Sorted(maps.Keys(b.unread)) {
		left := b.unread[name]
		topics = append(topics, UnreadTopic{Topic: name, Problem: left.why,
			Stuck: time.Since(left.since) > b.config.StuckAfter})
	}
	return topics
}
