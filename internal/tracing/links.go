package tracing

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// MostLinks bounds the links of one span.
const MostLinks = 128

// Links are the spans from which the records of a batch come: of those that
// their producers record, the first MostLinks. nil and the zero value are none.
// It is not safe for concurrent use.
type Links struct {
	links     []trace.Link
	unsampled trace.Link // the first that its producer does not record
	leftOut   int
}

// Add adds what a record's traceparent names; one that cannot be read is
// passed over. Records that follow each other and come from one span share a
// link, which names the first of them.
func (l *Links) Add(header []byte, partition int32, offset int64) {
	from := Parse(header)
	n := len(l.links)
	switch {
	case !from.IsValid() || n > 0 && l.links[n-1].SpanContext.Equal(from):
	case n == MostLinks || !from.IsSampled() && l.unsampled.SpanContext.IsValid():
		l.leftOut++
	case from.IsSampled():
		l.links = append(l.links, linkTo(from, partition, offset))
	default:
		l.unsampled = linkTo(from, partition, offset)
	}
}

func linkTo(from trace.SpanContext, partition int32, offset int64) trace.Link {
	return trace.Link{SpanContext: from, Attributes: []attribute.KeyValue{
		attribute.String("messaging.destination.partition.id", strconv.Itoa(int(partition))),
		attribute.Int64("messaging.kafka.offset", offset),
	}}
}

// Join adds those of another batch that follow.
func (l *Links) Join(other *Links) {
	room := min(MostLinks-len(l.links), len(other.links))
	l.links = append(l.links, other.links[:room]...)
	l.leftOut += other.leftOut + len(other.links) - room
	switch {
	case !l.unsampled.SpanContext.IsValid():
		l.unsampled = other.unsampled
	case other.unsampled.SpanContext.IsValid():
		l.leftOut++
	}
}

// LeftOut is how many spans are named by a record and have no link.
func (l *Links) LeftOut() int {
	if l == nil {
		return 0
	}
	if len(l.links) > 0 && l.unsampled.SpanContext.IsValid() {
		return l.leftOut + 1
	}
	return l.leftOut
}

// all are the links of the batch's span. Where no producer records its span,
// the first of them is there all the same: it says that not to record is what
// they decided.
func (l *Links) all() []trace.Link {
	if l == nil {
		return nil
	}
	if len(l.links) == 0 && l.unsampled.SpanContext.IsValid() {
		return []trace.Link{l.unsampled}
	}
	return l.links
}
