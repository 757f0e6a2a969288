package lake

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/stationflow/stationflow/batch"
)

// Digest returns a fingerprint (64-bit xxHash) of the batch's source records:
// their coordinates, timestamps, keys and values; null differs from empty. It
// covers nothing that differs between deliveries of the same records, such as
// the time of ingestion, the lane, or how records of several partitions
// alternate.
func Digest(b *batch.Batch) uint64 {
	var all digesters
	for i := range b.Records {
		r := &b.Records[i]
		d, begun := all.of(r.Partition)
		if !begun {
			d.text(b.TopicID)
			d.number(int64(r.Partition))
		}
		d.number(r.Offset)
		d.number(r.Timestamp)
		d.bytes(r.Key)
		d.bytes(r.Value)
		if r.ValueURI != "" {
			d.text(r.ValueURI)
			d.number(r.ValueSize)
		}
	}
	return all.sum()
}

// Selection returns a fingerprint (64-bit xxHash), never 0, of the partitions
// and offsets of those records of a batch that an object holds: which these are
// depends on what was decided about each record.
func Selection(coordinates iter.Seq2[int32, int64]) uint64 {
	var all digesters
	for partition, offset := range coordinates {
		d, _ := all.of(partition)
		d.number(offset)
	}
	return max(all.sum(), 1)
}

// digesters are one for each partition.
type digesters struct {
	partitions map[int32]*digester
	last       *digester
	at         int32
}

// of returns the partition's, and whether it was there before.
func (all *digesters) of(partition int32) (d *digester, begun bool) {
	if all.last != nil && all.at == partition {
		return all.last, true
	}
	if d, begun = all.partitions[partition]; !begun {
		if all.partitions == nil {
			all.partitions = make(map[int32]*digester)
		}
		d = new(digester)
		d.hash.Reset()
		all.partitions[partition] = d
	}
	all.last, all.at = d, partition
	return d, begun
}

// sum is the only digest, or that of all, partitions ascending.
func (all *digesters) sum() uint64 {
	if len(all.partitions) == 1 {
		return all.last.sum()
	}
	var d digester
	d.hash.Reset()
	for _, partition := range slices.Sorted(maps.Keys(all.partitions)) {
		d.number(int64(partition))
		d.number(int64(all.partitions[partition].sum()))
	}
	return d.sum()
}

// A digester feeds values of changing length to a hash so that no two
// sequences of values give it the same bytes. It collects short ones first:
// the hash costs as much for eight bytes as for a hundred.
type digester struct {
	hash    xxhash.Digest
	pending [1 << 10]byte
	held    int // bytes of pending
}

func (d *digester) number(n int64) {
	if d.held+8 > len(d.pending) {
		d.flush()
	}
	binary.LittleEndian.PutUint64(d.pending[d.held:], uint64(n))
	d.held += 8
}

func (d *digester) bytes(b []byte) {
	if b == nil {
		d.number(-1)
		return
	}
	d.number(int64(len(b)))
	if d.held+len(b) > len(d.pending) {
		d.flush()
	}
	if len(b) > len(d.pending) {
		d.hash.Write(b)
		return
	}
	d.held += copy(d.pending[d.held:], b)
}

func (d *digester) text(s string) { d.bytes([]byte(s)) }

func (d *digester) flush() {
	d.hash.Write(d.pending[:d.held])
	d.held = 0
}

// sum is the hash of all values so far.
func (d *digester) sum() uint64 {
	d.flush()
	return d.hash.Sum64()
}
