package alert

import (
	"fmt"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

// A Notification is what people are told about one event, as JSON.
type Notification struct {
	// Key names the event, by its Kafka coordinate: whoever is told twice knows
	// by it that this is once.
	Key      string         `json:"key"`
	Rule     string         `json:"rule"`
	State    string         `json:"state"` // open, or closed where the event had ended before it could be told
	Text     string         `json:"text"`  // one line for people
	Topic    string         `json:"topic"`
	Station  string         `json:"station"`
	BeganAt  time.Time      `json:"began_at"`
	EndsAt   time.Time      `json:"ends_at"` // when it counts as closed; nothing more is sent then
	Event    map[string]any `json:"event"`   // its fields
	Position Position       `json:"kafka"`
}

// A Position is a record's in Kafka.
type Position struct {
	TopicID   string `json:"topic_id"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// States of a Notification.
const (
	Open   = "open"
	Closed = "closed"
)

// notify makes the notification about an event that keeps the rule. It keeps
// none of the row's memory.
func (r rule) notify(b *batch.Batch, record *batch.Record, schema *event.Schema, row event.Row) Notification {
	n := Notification{
		Key:  fmt.Sprintf("%s-%s-%05d-%020d", b.Topic, b.TopicID[:min(len(b.TopicID), 8)], record.Partition, record.Offset),
		Rule: r.Name, Text: r.tell(schema, row), Topic: b.Topic, Event: map[string]any{},
		Position: Position{b.TopicID, record.Partition, record.Offset},
	}
	var minutes float64
	for i, column := range schema.Columns {
		n.Event[column.Name] = row[i].JSON()
		switch column.Name {
		case "station":
			n.Station = asText(&row[i])
		case "timestamp":
			n.BeganAt = row[i].Time()
		case "duration":
			minutes = row[i].Float()
		}
	}
	n.EndsAt = n.BeganAt.Add(time.Duration(min(minutes, longest) * float64(time.Minute)))
	return n
}

// longest keeps an end within what time.Duration and JSON's dates can say, in
// minutes: 200 years.
const longest = 200 * 365 * 24 * 60

// state says whether the event has ended.
func (n *Notification) state(now time.Time) string {
	if now.Before(n.EndsAt) {
		return Open
	}
	return Closed
}
