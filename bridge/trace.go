package bridge

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/tracing"
)

// The span of a batch lasts from its first record until the transport has taken
// it over. It is a trace of its own, because its records come from many, and
// has links to the spans of those who produced them. The batch's event names
// it, so that what ingest does becomes part of the trace.

// newLinks returns where the links of a batch are gathered; nil where no spans
// are recorded, so that no record's headers are looked at.
func (b *Bridge) newLinks() *tracing.Links {
	if b.tracer == nil {
		return nil
	}
	return new(tracing.Links)
}

// link notes from which span a record comes, if anybody asks.
func (g *gathering) link(r *batch.Record) {
	if g.links != nil {
		g.links.Add(r.Header(tracing.Header), r.Partition, r.Offset)
	}
}

// errNotTaken is what a batch's span ends with when work is done before the
// batch is taken over.
var errNotTaken = errors.New("not taken over before the partitions were given back: it comes again")

// errInParts is what it ends with when the batch goes on in parts, which have
// spans within it.
var errInParts = errors.New("goes on in parts, one a partition")

// startSpan begins the batch's span. A part has one already.
func (f *flight) startSpan() {
	if f.bridge.tracer == nil || f.whole {
		return
	}
	f.span = f.bridge.tracer.Start("batch "+f.of.Topic, tracing.Producer, tracing.Origin{Links: f.links, At: f.gathered})
}

// describe says on the batch's span what the batch is.
func (f *flight) describe() {
	if !f.span.Recorded() {
		return
	}
	f.fault = errNotTaken
	f.span.SetString("stationflow.batch_id", f.event.ID())
	f.span.SetString("stationflow.topic", f.of.Topic)
	f.span.SetString("stationflow.topic_id", f.of.TopicID)
	f.span.SetString("stationflow.lane", string(f.lane))
	f.span.SetString("stationflow.ranges", f.encoder.Ranges().String())
	f.span.SetInt("stationflow.records", int64(f.encoder.Records()))
	f.span.SetInt("stationflow.bytes", int64(len(f.event.Data())))
	f.span.Event("sent off", "")
}

// endSpan ends the batch's span.
func (f *flight) endSpan() {
	f.span.SetInt("stationflow.attempts", f.attempts)
	f.span.End(f.fault)
}

// sendSpans has the spans sent that have ended, in what is left of the time to
// drain and in no more than an eighth of it. stopping is since when the bridge
// is to end, in Unix nanoseconds; 0 for a moment ago.
func (b *Bridge) sendSpans(stopping *atomic.Int64) {
	left := b.config.DrainTimeout
	if since := stopping.Load(); since != 0 {
		left -= time.Since(time.Unix(0, since))
	}
	b.tracer.FlushWithin(min(left, b.config.DrainTimeout/8))
}
