package lake

import (
	"encoding/binary"
	"iter"

	"github.com/cespare/xxhash/v2"

	"github.com/stationflow/stationflow/batch"
)

// Digest returns a fingerprint (64-bit xxHash) of the batch's source records:
// their coordinates, timestamps, keys and values; null differs from empty. It
// covers nothing that differs between deliveries of the same records, such as
// the time of ingestion.
func Digest(b *batch.Batch) uint64 {
	var d digester
	d.hash.Reset()
	d.text(b.TopicID)
	d.number(int64(b.Partition))
	for i := range b.Records {
		r := &b.Records[i]
		d.number(r.Offset)
		d.number(r.Timestamp)
		d.bytes(r.Key)
		d.bytes(r.Value)
		if r.ValueURI != "" {
			d.text(r.ValueURI)
			d.number(r.ValueSize)
		}
	}
	return d.hash.Sum64()
}

// Selection returns a fingerprint (64-bit xxHash), never 0, of the offsets of
// those records of a batch that an object holds: which these are depends on
// what was decided about each record.
func Selection(offsets iter.Seq[int64]) uint64 {
	var d digester
	d.hash.Reset()
	for offset := range offsets {
		d.number(offset)
	}
	return max(d.hash.Sum64(), 1)
}

// A digester feeds values of changing length to a hash so that no two
// sequences of values give it the same bytes.
type digester struct {
	hash    xxhash.Digest
	scratch [8]byte
}

func (d *digester) number(n int64) {
	binary.LittleEndian.PutUint64(d.scratch[:], uint64(n))
	d.hash.Write(d.scratch[:])
}

func (d *digester) bytes(b []byte) {
	if b == nil {
		d.number(-1)
		return
	}
	d.number(int64(len(b)))
	d.hash.Write(b)
}

func (d *digester) text(s string) {
	d.number(int64(len(s)))
	d.hash.WriteString(s)
}
