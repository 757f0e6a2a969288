// Package tracing records what becomes of batches and of runs as
// OpenTelemetry spans, and sends them to a collector over OTLP.
//
// It is off unless the environment names a collector (see FromEnv). Off is a
// nil *Tracer, and all that it gives are nil *Spans: their methods may be
// called, do nothing and allocate nothing.
//
// Nothing waits for a collector. Spans that end go into a queue of bounded
// length, from which a goroutine sends them; what does not fit, or cannot be
// sent in time, is dropped. Only Flush and Close wait, no longer than they are
// told to.
package tracing

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A Tracer makes spans. nil is one that is off. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	resumes  atomic.Int64 // no Flush waits until then, in Unix nanoseconds
}

func newTracer(options ...sdktrace.TracerProviderOption) *Tracer {
	provider := sdktrace.NewTracerProvider(options...)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/stationflow/stationflow")}
}

// An Origin says where a span comes from. The zero value begins a trace.
type Origin struct {
	Parent string    // the caller's traceparent; one that cannot be read counts as none
	Links  *Links    // nil for none
	At     time.Time // zero for now
}

// Kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Producer = trace.SpanKindProducer
	Consumer = trace.SpanKindConsumer
)

// Start begins a span that has no span of this process above it.
func (t *Tracer) Start(name string, kind trace.SpanKind, from Origin) *Span {
	if t == nil {
		return nil
	}
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), Parse(from.Parent))
	return t.start(ctx, name, from, trace.WithSpanKind(kind), trace.WithLinks(from.Links.all()...))
}

func (t *Tracer) start(ctx context.Context, name string, from Origin, options ...trace.SpanStartOption) *Span {
	if !from.At.IsZero() {
		options = append(options, trace.WithTimestamp(from.At))
	}
	_, span := t.tracer.Start(ctx, name, options...)
	s := &Span{span: span, tracer: t}
	if n := from.Links.LeftOut(); n > 0 {
		s.SetInt("stationflow.links.left_out", int64(n))
	}
	return s
}

// flushLimit is how long Flush waits: a collector that is near answers in a
// fraction of it.
const flushLimit = 250 * time.Millisecond

// flushRest is for how long Flush does not wait after it has waited in vain.
const flushRest = 30 * time.Second

// Flush has all spans sent that have ended, and returns then, or after a
// quarter of a second. It is for the end of a request, after which a Cloud
// Function may get no CPU time. While the collector is away or slow it returns
// at once, but for one call in half a minute.
func (t *Tracer) Flush() {
	if t == nil || time.Now().UnixNano() < t.resumes.Load() {
		return
	}
	if !t.FlushWithin(flushLimit) {
		t.resumes.Store(time.Now().Add(flushRest).UnixNano())
	}
}

// FlushWithin is Flush that waits for at most so long, and always. It reports
// whether all was sent.
func (t *Tracer) FlushWithin(limit time.Duration) bool {
	if t == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return t.provider.ForceFlush(ctx) == nil
}

// Close sends what has ended, for at most so long, and records nothing more.
func (t *Tracer) Close(within time.Duration) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // what was not sent is lost: nothing may wait for it
}

// A Span is something that takes time. nil is none. It is safe for concurrent
// use.
type Span struct {
	span   trace.Span
	tracer *Tracer
}

// Recorded reports whether the span will be sent to the collector.
func (s *Span) Recorded() bool { return s != nil && s.span.IsRecording() }

// Child begins a span within this one; nil where this one is not recorded.
func (s *Span) Child(name string, at time.Time) *Span {
	if !s.Recorded() {
		return nil
	}
	return s.tracer.start(trace.ContextWithSpan(context.Background(), s.span), name, Origin{At: at})
}

// TraceID names the span's trace, in 32 hexadecimal digits; "" where the span
// is not recorded.
func (s *Span) TraceID() string {
	if !s.Recorded() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// TraceParent is how others name the span as what their own come from
// (https://www.w3.org/TR/trace-context/#traceparent-header). It says whether the
// span is recorded; without a span it names none that anybody records.
func (s *Span) TraceParent() string {
	if s == nil {
		return unsampled()
	}
	return format(s.span.SpanContext())
}

// SetInt says a number about the span.
func (s *Span) SetInt(name string, value int64) {
	if s.Recorded() {
		s.span.SetAttributes(attribute.Int64(name, value))
	}
}

// SetString says something about the span, in at most 1,024 bytes.
func (s *Span) SetString(name, value string) {
	if s.Recorded() {
		s.span.SetAttributes(attribute.String(name, clean(value)))
	}
}

// SetStrings says several things about the span.
func (s *Span) SetStrings(name string, values []string) {
	if s.Recorded() && len(values) > 0 {
		s.span.SetAttributes(attribute.StringSlice(name, values))
	}
}

// Event notes that something happened within the span, now.
func (s *Span) Event(name, why string) {
	if s.Recorded() {
		s.span.AddEvent(name, trace.WithAttributes(attribute.String("error", clean(why))))
	}
}

// End ends the span, with what went wrong, nil for nothing.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, clean(err.Error()))
	}
	s.span.End()
}

// spanKey is the key of the span in a context. It is not OpenTelemetry's own:
// Google's clients would add spans of each of their requests.
type spanKey struct{}

// In returns a context with the span; the same one where it is not recorded.
func In(ctx context.Context, s *Span) context.Context {
	if !s.Recorded() {
		return ctx
	}
	return context.WithValue(ctx, spanKey{}, s)
}

// Begin begins a span within the context's, and returns a context with it; nil
// where the context has none.
func Begin(ctx context.Context, name string) (context.Context, *Span) {
	above, _ := ctx.Value(spanKey{}).(*Span)
	s := above.Child(name, time.Time{})
	return In(ctx, s), s
}
