package batch

// Joins reports whether what the other encoder holds can be added within the
// limits of a batch.
func (e *Encoder) Joins(other *Encoder) bool {
	return e.records+other.records <= MaxRecords &&
		e.headers+other.headers <= MaxHeaders &&
		e.decoded+other.decoded <= MaxEncodedBytes-overhead &&
		e.Size()+other.Size() <= MaxEncodedBytes &&
		e.ranges.sizeJoined(other.ranges.ranges) <= MaxRangesBytes
}

// Join adds what the other encoder holds, as it is encoded, behind what this
// one holds. It must join, compress or not as this one does, and follow each
// partition's last offset. No event was made of the other so far.
func (e *Encoder) Join(other *Encoder) {
	if e.records == 0 {
		e.begin()
	}
	if other.complete > 0 {
		if e.records > e.complete {
			e.completeBlock()
		}
		e.buf = append(e.buf, other.buf[len(compressedHeader):other.start]...)
		e.complete = e.records + other.complete
		e.start = len(e.buf)
	}
	e.buf = append(e.buf, other.buf[other.start:]...)
	e.records += other.records
	e.headers += other.headers
	e.decoded += other.decoded
	e.ranges.join(other.ranges.ranges)
	if e.Compress && len(e.buf)-e.start >= blockBytes {
		e.completeBlock()
	}
}

// sizeJoined is the size of the text form once other ranges are joined.
func (b *rangesBuilder) sizeJoined(other Ranges) int {
	size := b.size - 1
	for _, r := range other {
		if at, known := b.find(r.Partition); known {
			size += digits(r.Last) - digits(b.ranges[at].Last)
		} else {
			size += rangeSize(r.Partition, r.First) + digits(r.Last) - digits(r.First)
		}
	}
	return size
}

// join takes other ranges in, which follow these.
func (b *rangesBuilder) join(other Ranges) {
	for _, r := range other {
		b.add(r.Partition, r.First)
		if r.Last > r.First {
			b.add(r.Partition, r.Last)
		}
	}
}
