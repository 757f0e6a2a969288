package bridge

import (
	"maps"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
)

// An unread topic is left out of what the group reads.
type unread struct {
	why   string
	since time.Time
}

// leaveOut takes note of the topics that cannot be read.
func (b *Bridge) leaveOut(identity kafka.Identity) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.unread
	b.unread = make(map[string]unread)
	for name, topic := range identity.Topics {
		if topic.Err == nil {
			continue
		}
		now := unread{why: topic.Err.Error(), since: time.Now()}
		if known, ok := before[name]; ok {
			now.since = known.since
		} else {
			b.log.Warn("a topic is not read", "topic", name, "reason", now.why)
		}
		b.unread[name] = now
	}
}

// unreadTopics returns what is left out. The caller holds the lock.
func (b *Bridge) unreadTopics() (topics []UnreadTopic) {
	for _, name := range slices.Sorted(maps.Keys(b.unread)) {
		left := b.unread[name]
		topics = append(topics, UnreadTopic{Topic: name, Problem: left.why, Stuck: time.Since(left.since) > b.config.StuckAfter})
	}
	return topics
}
