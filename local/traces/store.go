package traces

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/stationflow/stationflow/internal/waterfall"
)

// A store keeps the spans of the newest traces.
type store struct {
	most int

	mu     sync.Mutex
	traces map[string]*trace // by id
	order  []string          // their ids, that heard of first in front
	spans  int
}

// A trace is what was heard of one.
type trace struct{ spans []waterfall.Span }

func (s *store) add(of *otlp.ResourceSpans) {
	service := attributes(of.GetResource().GetAttributes())["service.name"]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range of.GetScopeSpans() {
		for _, span := range scope.GetSpans() {
			s.keep(readSpan(span, service))
		}
	}
}

func (s *store) keep(span waterfall.Span) {
	of := s.traces[span.TraceID]
	if of == nil {
		of = &trace{}
		s.traces[span.TraceID] = of
		s.order = append(s.order, span.TraceID)
	}
	of.spans = append(of.spans, span)
	for s.spans++; s.spans > s.most; {
		oldest := s.order[0]
		s.spans -= len(s.traces[oldest].spans)
		delete(s.traces, oldest)
		s.order = s.order[1:]
	}
}

// Traces are all that are kept, the one heard of first in front; the spans in
// them are not changed any more.
func (s *store) Traces() []waterfall.Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
	traces := make([]waterfall.Trace, len(s.order))
	for i, id := range s.order {
		traces[i] = waterfall.Trace{ID: id, Spans: slices.Clip(s.traces[id].spans)}
	}
	return traces
}

// Bounds of what is kept of one span.
const (
	mostAttributes = 64
	mostLinks      = 128
	mostText       = 1024 // bytes
)

func readSpan(span *otlp.Span, service string) waterfall.Span {
	s := waterfall.Span{
		TraceID: hex.EncodeToString(span.GetTraceId()), ID: hex.EncodeToString(span.GetSpanId()), Parent: hex.EncodeToString(span.GetParentSpanId()),
		Name: bounded(span.GetName()), Service: bounded(service),
		Start: moment(span.GetStartTimeUnixNano()), End: moment(span.GetEndTimeUnixNano()),
		Attributes: attributes(span.GetAttributes()),
	}
	if status := span.GetStatus(); status.GetCode() == otlp.Status_STATUS_CODE_ERROR {
		if s.Error = bounded(status.GetMessage()); s.Error == "" {
			s.Error = "failed"
		}
	}
	for _, link := range span.GetLinks()[:min(len(span.GetLinks()), mostLinks)] {
		s.Links = append(s.Links, waterfall.Link{TraceID: hex.EncodeToString(link.GetTraceId()), SpanID: hex.EncodeToString(link.GetSpanId()),
			Attributes: attributes(link.GetAttributes())})
	}
	return s
}

func moment(nanoseconds uint64) time.Time { return time.Unix(0, int64(nanoseconds)).UTC() }

func attributes(of []*common.KeyValue) map[string]string {
	if len(of) == 0 {
		return nil
	}
	texts := make(map[string]string, min(len(of), mostAttributes))
	for _, a := range of[:min(len(of), mostAttributes)] {
		texts[bounded(a.GetKey())] = bounded(text(a.GetValue()))
	}
	return texts
}

func text(value *common.AnyValue) string {
	switch v := value.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *common.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *common.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *common.AnyValue_ArrayValue:
		var all []string
		for _, one := range v.ArrayValue.GetValues() {
			all = append(all, one.GetStringValue())
		}
		return strings.Join(all, ", ")
	}
	return ""
}

func bounded(text string) string {
	if len(text) > mostText {
		text = text[:mostText]
	}
	return strings.Clone(strings.ToValidUTF8(text, "\uFFFD")) // not the whole request
}
