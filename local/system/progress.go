package system

import (
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/kafka"
)

// An extent is what Kafka holds of a partition, of which what is before stable
// can be read, and how far the bridge's group has committed it.
type extent struct {
	topicID                       string
	begin, stable, end, committed int64
}

// offsets are the extents of all partitions, read within a moment.
type offsets map[kafka.Partition]extent

// A progress is how far the records in Kafka have come. But for offsets that
// hold no record, and those behind an open transaction, produced is passed and
// waiting.
type progress struct{ produced, passed, waiting int64 }

// progress puts what Kafka says together with what a bridge says of the
// partitions that it holds, which is newer: a bridge commits after it has
// published, and what it has passed was in Kafka, even if Kafka was asked
// before.
func (o offsets) progress(holds []bridge.PartitionStatus) progress {
	held := make(map[kafka.Partition]bridge.PartitionStatus, len(holds))
	for _, one := range holds {
		held[kafka.Partition{Topic: one.Topic, Number: one.Partition}] = one
	}
	var sum progress
	for at, of := range o {
		end, stable, position := of.end, of.stable, max(of.committed, of.begin)
		var empty int64 // offsets from position on that are known to hold no record
		if one, holds := held[at]; holds && (one.TopicID == of.topicID || of.topicID == "") {
			end, stable, position = max(end, one.End), max(stable, one.Stable), max(one.Published, of.begin)
			empty = max(one.Stable-one.Published-one.LagRecords, 0)
		}
		sum.produced += end - of.begin
		sum.passed += position - of.begin
		sum.waiting += max(stable-position-empty, 0)
	}
	return sum
}
