package system

import "github.com/stationflow/stationflow/bridge"

// A partition is one of a topic.
type partition struct {
	topic  string
	number int32
}

// An extent is what Kafka holds of a partition, and how far the bridge's group
// has committed it.
type extent struct{ begin, end, committed int64 }

// offsets are the extents of all partitions, read within a moment.
type offsets map[partition]extent

// A progress is how far the records in Kafka have come. But for offsets that
// hold no record, produced is passed and waiting.
type progress struct{ produced, passed, waiting int64 }

// progress puts what Kafka says together with what a bridge says of the
// partitions that it holds, which is newer: a bridge commits after it has
// published, and what it has passed was in Kafka, even if Kafka was asked
// before.
func (o offsets) progress(holds []bridge.PartitionStatus) progress {
	held := make(map[partition]bridge.PartitionStatus, len(holds))
	for _, one := range holds {
		held[partition{one.Topic, one.Partition}] = one
	}
	var sum progress
	for at, kafka := range o {
		end, position := kafka.end, max(kafka.committed, kafka.begin)
		var empty int64 // offsets from position on that are known to hold no record
		if one, holds := held[at]; holds {
			end, position = max(end, one.End), max(one.Published, kafka.begin)
			empty = max(one.End-one.Published-one.LagRecords, 0)
		}
		sum.produced += end - kafka.begin
		sum.passed += position - kafka.begin
		sum.waiting += max(end-position-empty, 0)
	}
	return sum
}
