// Package ledger proves where every Kafka record is: it compares what Kafka
// holds of each partition with what is in the lake, in the staging tables, in
// quarantine and in the dead letters, offset by offset.
//
// Each of these is a set of offsets for each Place (spans.go). kafka.go,
// warehouse.go and lake.go read them, account.go compares those of one place,
// and check.go puts all of it together into a Report. Nothing is changed, and
// no consumer group is joined.
package ledger

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// A Place is a partition of a topic. The topic's id is Kafka's own: a topic
// that is deleted and made again begins at offset 0 again, and is another one.
type Place struct {
	Topic     string `json:"topic"`
	TopicID   string `json:"topic_id"`
	Partition int64  `json:"partition"`
}

// String is topic/partition.
func (p Place) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

// compare orders places by topic, id and partition.
func compare(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.TopicID, b.TopicID), cmp.Compare(a.Partition, b.Partition))
}

// Sources are where records are looked for. What is nil is not looked at: the
// lake or the warehouse where no sink writes to it.
type Sources struct {
	Kafka     Kafka
	Warehouse *Warehouse
	Lake      *Lake

	// DeadLetters returns those that wait, and takes none away.
	DeadLetters func(context.Context) ([]DeadLetter, error)
}

// A DeadLetter is a batch that was given up.
type DeadLetter struct {
	ID     string // of its message
	Topic  string // "" for a message that is not a batch
	Ranges map[Place]Span
	Rows   bool // the batch was for those who want rows
	Lake   bool // the batch was for the lake
}

// Options say what to check.
type Options struct {
	// The period, by Kafka's timestamps; zero for all that Kafka holds.
	From, To time.Time

	// InFlight is how old a record may be that has not arrived: longer than
	// the bridge needs to wake and a batch of the lake to leave.
	InFlight time.Duration

	// Values says to compare, too, what lake and staging hold of each record.
	Values bool

	Now time.Time
}

// DefaultInFlight is the lake's minute, and what a bridge that sleeps takes to
// wake, twice.
const DefaultInFlight = 5 * time.Minute

// Slack is how much earlier than its Kafka timestamp a record may have arrived,
// by the clocks of others, and late how much later it is looked for at first.
const (
	slack = time.Hour
	late  = 24 * time.Hour
)

// A Scan is how much is read, before it is.
type Scan struct {
	BigQueryBytes int64 `json:"bigquery_bytes"`
	Objects       int   `json:"objects"`
	ObjectBytes   int64 `json:"object_bytes"`
}

// String says it in a sentence.
func (s Scan) String() string {
	return fmt.Sprintf("%s of BigQuery and %s of %d objects in the lake", Size(s.BigQueryBytes), Size(s.ObjectBytes), s.Objects)
}

func (s *Scan) add(more Scan) {
	s.BigQueryBytes += more.BigQueryBytes
	s.Objects += more.Objects
	s.ObjectBytes += more.ObjectBytes
}

// Size writes a number of bytes as people do.
func Size(bytes int64) string {
	const units = "kMGTPE"
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/1000, 0
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.3g %cB", value, units[unit])
}
