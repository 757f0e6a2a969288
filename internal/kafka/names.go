package kafka

import (
	"slices"
	"strings"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/env"
)

// TopicsFromEnv reads KAFKA_TOPICS, the only topics that are read: sorted, each
// once. Its faults are recorded in r.
func TopicsFromEnv(r *env.Reader) []string {
	const name, remedy = "KAFKA_TOPICS", "set it to names of topics, separated by commas, or leave it out for all"
	topics := slices.Sorted(slices.Values(r.List(name, event.Topics()...)))
	if len(topics) == 0 {
		r.Fault(name, "names no topic: %s", remedy)
	}
	for _, topic := range topics {
		if !legal(topic) {
			r.Fault(name, "names %q, which cannot be a topic: %s", topic, remedy)
		}
	}
	return slices.Compact(topics)
}

// legal reports whether Kafka takes the name for a topic
// (org.apache.kafka.common.internals.Topic).
func legal(topic string) bool {
	return len(topic) <= 249 && topic != "." && topic != ".." && !strings.ContainsFunc(topic, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	})
}

// GroupFromEnv reads KAFKA_GROUP_ID, the bridge's consumer group.
func GroupFromEnv(r *env.Reader) string { return r.String("KAFKA_GROUP_ID", "stationflow") }
