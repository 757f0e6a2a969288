package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxRangesBytes bounds the text of a batch's ranges, which is an attribute of
// its Pub/Sub message (https://cloud.google.com/pubsub/quotas).
const MaxRangesBytes = 1024

// A Range is the run of one partition's records in a batch. Kafka's
// compaction and transactions leave gaps in it.
type Range struct {
	Partition   int32
	First, Last int64 // offsets
}

// Ranges are those of a batch, partitions ascending.
type Ranges []Range

// String returns the text form: <partition>:<first>-<last>, by comma.
func (r Ranges) String() string {
	text := make([]byte, 0, 64)
	for i := range r {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(r[i].Partition), 10)
		text = strconv.AppendInt(append(text, ':'), r[i].First, 10)
		text = strconv.AppendInt(append(text, '-'), r[i].Last, 10)
	}
	return string(text)
}

// ParseRanges reads the text form, in which no number has leading zeros.
func ParseRanges(text string) (Ranges, error) {
	var ranges Ranges
	if len(text) > MaxRangesBytes {
		return nil, fmt.Errorf("reading ranges: %d bytes, the limit is %d", len(text), MaxRangesBytes)
	}
	for part := range strings.SplitSeq(text, ",") {
		partition, offsets, _ := strings.Cut(part, ":")
		first, last, _ := strings.Cut(offsets, "-")
		number, err := strconv.ParseInt(partition, 10, 32)
		r := Range{Partition: int32(number)}
		if err == nil {
			r.First, err = strconv.ParseInt(first, 10, 64)
		}
		if err == nil {
			r.Last, err = strconv.ParseInt(last, 10, 64)
		}
		ordered := len(ranges) == 0 || ranges[len(ranges)-1].Partition < r.Partition
		if err != nil || !ordered || r.Partition < 0 || r.First < 0 || r.Last < r.First {
			return nil, fmt.Errorf("reading ranges: %q is not <partition>:<first>-<last> with partitions ascending", part)
		}
		ranges = append(ranges, r)
	}
	if ranges.String() != text {
		return nil, fmt.Errorf("reading ranges: %q has numbers that are written otherwise", text)
	}
	return ranges, nil
}

// hash names the ranges of a topic: the first 16 hexadecimal digits of the
// SHA-256 of "<topic id> <ranges>". It is part of ids and of objects' names,
// and never changes.
func (r Ranges) hash(topicID string) string {
	sum := sha256.Sum256([]byte(topicID + " " + r.String()))
	return hex.EncodeToString(sum[:8])
}

// A rangesBuilder collects the ranges of records that come one by one.
type rangesBuilder struct {
	ranges Ranges
	at     int // of the last record's partition
	size   int // of the text form, with a comma after each range
}

// find returns where the partition's range is, or belongs.
func (b *rangesBuilder) find(partition int32) (at int, known bool) {
	if b.at < len(b.ranges) && b.ranges[b.at].Partition == partition {
		return b.at, true
	}
	return slices.BinarySearchFunc(b.ranges, partition, func(r Range, p int32) int { return int(r.Partition) - int(p) })
}

// maxRangeSize is the most that one record adds to the text form: two numbers
// of 19 digits, one of ten, and what separates them.
const maxRangeSize = 2*19 + 10 + 3

// fits reports whether the text form is within its limit once a record is
// added.
func (b *rangesBuilder) fits(partition int32, offset int64) bool {
	return b.size+maxRangeSize <= MaxRangesBytes || b.sizeWith(partition, offset) <= MaxRangesBytes
}

// sizeWith is the size of the text form once a record is added.
func (b *rangesBuilder) sizeWith(partition int32, offset int64) int {
	size := b.size - 1
	if at, known := b.find(partition); known {
		return size + digits(offset) - digits(b.ranges[at].Last)
	}
	return size + rangeSize(partition, offset)
}

// add takes a record in, unless it does not follow the last of its partition
// or has a number below 0.
func (b *rangesBuilder) add(partition int32, offset int64) bool {
	if b.at < len(b.ranges) {
		// The usual case, at once: it follows, with as many digits.
		if r := &b.ranges[b.at]; r.Partition == partition && offset > r.Last && offset/10 == r.Last/10 {
			r.Last = offset
			return true
		}
	}
	at, known := b.find(partition)
	if !known {
		if partition < 0 || offset < 0 {
			return false
		}
		b.ranges = slices.Insert(b.ranges, at, Range{Partition: partition, First: offset, Last: offset})
		b.at = at
		b.size += rangeSize(partition, offset)
		return true
	}
	last := b.ranges[at].Last
	if offset <= last {
		return false
	}
	b.at, b.ranges[at].Last = at, offset
	b.size += digits(offset) - digits(last)
	return true
}

// rangeSize is the size of the text form of one record's range and a comma.
func rangeSize(partition int32, offset int64) int {
	return digits(int64(partition)) + 1 + digits(offset) + 1 + digits(offset) + 1
}

// digits is the number of decimal digits of a number that is not below 0.
func digits(n int64) int {
	count := 1
	for ; n >= 10_000; n /= 10_000 {
		count += 4
	}
	for ; n >= 10; n /= 10 {
		count++
	}
	return count
}
