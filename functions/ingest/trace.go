package ingest

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/tracing"
)

// startSpan begins the span of one delivery of a batch, within the span that
// the event names, the bridge's. The context that it returns has it, for the
// spans of objects and appends.
func (f *Function) startSpan(ctx context.Context, b *batch.Batch, e cloudevents.Event, s *summary) context.Context {
	if f.config.Tracer == nil {
		return ctx
	}
	s.span = f.config.Tracer.Start("ingest "+b.Topic, tracing.Consumer, tracing.Origin{Parent: batch.TraceParent(e), At: s.began})
	if s.span.Recorded() {
		s.span.SetString("stationflow.batch_id", e.ID())
		s.span.SetString("stationflow.topic", b.Topic)
		s.span.SetString("stationflow.topic_id", b.TopicID)
		s.span.SetString("stationflow.lane", string(b.Lane))
		s.span.SetString("stationflow.ranges", b.Ranges().String())
		s.span.SetInt("stationflow.records", int64(len(b.Records)))
	}
	return tracing.In(ctx, s.span)
}

// endSpan ends it.
func (s *summary) endSpan(err error) {
	s.span.SetInt("stationflow.quarantined", int64(s.quarantined))
	s.span.End(err)
}
