package tracing

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A receiver takes spans by OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*otlp.Span
	of    string // the service of the last
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		message := new(collector.ExportTraceServiceRequest)
		if err == nil {
			err = proto.Unmarshal(body, message)
		}
		if err != nil || request.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", request.URL.Path, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, of := range message.ResourceSpans {
			for _, a := range of.Resource.Attributes {
				if a.Key == "service.name" {
					r.of = a.Value.GetStringValue()
				}
			}
			for _, scope := range of.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) named(t *testing.T, name string) *otlp.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no span %s has come", name)
	return nil
}

func variables(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Spans arrive over OTLP with their parents, links, attributes and errors.
func TestTracer_OverOTLP(t *testing.T) {
	r := newReceiver(t)
	tracer := FromEnv(variables("OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL+"/"), "stationflow-test", quiet())
	defer tracer.Close(time.Second)
	var links Links
	links.Add([]byte(sampled), 3, 1742)
	began := time.Now().Add(-time.Minute)
	batch := tracer.Start("batch", Producer, Origin{Links: &links, At: began})
	id := batch.TraceID()
	ingest := tracer.Start("ingest", Consumer, Origin{Parent: batch.TraceParent()})
	ctx, object := Begin(In(t.Context(), ingest), "object")
	_, within := Begin(ctx, "within")
	within.SetString("text", "a\xff"+strings.Repeat("b", 5000))
	within.SetInt("number", 7)
	within.SetStrings("texts", []string{"a", "b"})
	within.End(errors.New("it failed"))
	object.End(nil)
	alone := tracer.Start("alone", Internal, Origin{Parent: "00-what"})
	alone.End(nil)
	ingest.End(nil)
	batch.End(nil)
	if !tracer.FlushWithin(10 * time.Second) {
		t.Fatal("not everything was sent")
	}
	root, child, last := r.named(t, "batch"), r.named(t, "ingest"), r.named(t, "within")
	if len(root.ParentSpanId) != 0 || root.StartTimeUnixNano != uint64(began.UnixNano()) || len(root.Links) != 1 ||
		hex.EncodeToString(root.Links[0].TraceId) != sampled[3:35] || len(root.Links[0].Attributes) != 2 {
		t.Errorf("the batch is %v", root)
	}
	if !bytes.Equal(child.TraceId, root.TraceId) || !bytes.Equal(child.ParentSpanId, root.SpanId) || hex.EncodeToString(root.TraceId) != id {
		t.Errorf("ingest is %v, within %v", child, root)
	}
	if object := r.named(t, "object"); !bytes.Equal(object.ParentSpanId, child.SpanId) || !bytes.Equal(last.ParentSpanId, object.SpanId) {
		t.Errorf("the object is %v, within it %v", object, last)
	}
	if last.Status.Code != otlp.Status_STATUS_CODE_ERROR || last.Status.Message != "it failed" || len(last.Attributes) != 3 ||
		len(last.Attributes[0].Value.GetStringValue()) > mostText+3 {
		t.Errorf("what failed is %v", last)
	}
	if alone := r.named(t, "alone"); len(alone.ParentSpanId) != 0 {
		t.Errorf("with a traceparent that is none: %v", alone)
	}
	if r.of != "stationflow-test" {
		t.Errorf("the service is %q", r.of)
	}
}

// Without a tracer every call does nothing and allocates nothing.
func TestOff_CostsNothing(t *testing.T) {
	var tracer *Tracer
	ctx, at := t.Context(), time.Now()
	allocated := testing.AllocsPerRun(1000, func() {
		span := tracer.Start("batch", Producer, Origin{At: at})
		within, child := Begin(In(ctx, span), "object")
		child.SetString("a", "b")
		child.SetInt("c", 1)
		child.Event("d", "e")
		span.Child("f", at).End(nil)
		child.End(nil)
		span.End(nil)
		tracer.Flush()
		if within != ctx || span.Recorded() || span.TraceID() != "" {
			t.Error("it is not off")
		}
	})
	if allocated != 0 {
		t.Errorf("it allocates %v times", allocated)
	}
	tracer.Close(0)
}

// Spans that are not recorded are not sent, and have none within them.
func TestSampler(t *testing.T) {
	unsampled := sampled[:53] + "00"
	for _, test := range []struct {
		sampler, argument, parent string
		producers                 []string
		recorded                  bool
	}{
		{"", "", "", nil, true},
		{"", "", sampled, nil, true},
		{"", "", unsampled, nil, false},
		{"", "", "", []string{sampled}, true},
		{"", "", "", []string{unsampled}, false},
		{"", "", "", []string{unsampled, unsampled, sampled}, true},
		{"parentbased_always_off", "", "", nil, false},
		{"parentbased_always_off", "", "", []string{unsampled, sampled}, true},
		{"parentbased_always_off", "", sampled, nil, true},
		{"parentbased_traceidratio", "0", "", nil, false},
		{"parentbased_traceidratio", "0", "", []string{sampled}, true},
		{"parentbased_traceidratio", "1", "", nil, true},
		{"parentbased_traceidratio", "1", "", []string{unsampled}, false},
		{"traceidratio", "0", sampled, []string{sampled}, false},
		{"traceidratio", "1", unsampled, []string{unsampled}, true},
		{"always_on", "", unsampled, []string{unsampled}, true},
		{"always_off", "", sampled, []string{sampled}, false},
	} {
		tracer := FromEnv(variables("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", "OTEL_TRACES_SAMPLER="+test.sampler, "OTEL_TRACES_SAMPLER_ARG="+test.argument), "x", quiet())
		var links Links
		for i, producer := range test.producers {
			links.Add([]byte(producer), 0, int64(i))
		}
		span := tracer.Start("x", Internal, Origin{Parent: test.parent, Links: &links})
		if span.Recorded() != test.recorded || Parse(span.TraceParent()).IsSampled() != test.recorded {
			t.Errorf("%+v: recorded %v, %s", test, span.Recorded(), span.TraceParent())
		}
		if child := span.Child("y", time.Time{}); (child != nil) != test.recorded {
			t.Errorf("%+v: within it is %v", test, child)
		}
		tracer.Close(0)
	}
}

// A ratio is that of batches.
func TestSampler_Ratio(t *testing.T) {
	tracer := FromEnv(variables("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25"), "x", quiet())
	defer tracer.Close(0)
	recorded := 0
	for range 10_000 {
		if tracer.Start("x", Internal, Origin{}).Recorded() {
			recorded++
		}
	}
	if recorded < 2200 || recorded > 2800 {
		t.Errorf("%d of 10000 are recorded", recorded)
	}
}

// It is off unless a collector is named, and a mistake is told and stops nothing.
func TestFromEnv(t *testing.T) {
	for _, test := range []struct {
		environment string
		on          bool
		says        string
	}{
		{"", false, ""},
		{"OTEL_SERVICE_NAME=x OTEL_TRACES_SAMPLER=always_on", false, ""},
		{"OTEL_TRACES_EXPORTER=otlp", true, ""},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", false, ""},
		{"OTEL_SDK_DISABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", false, ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:9/x", true, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", true, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 OTEL_EXPORTER_OTLP_PROTOCOL=grpc", false, "OTEL_EXPORTER_OTLP_PROTOCOL is"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318", false, "OTEL_EXPORTER_OTLP_ENDPOINT names no address"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://x", false, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT names no address"},
		{"OTEL_TRACES_EXPORTER=zipkin", false, "set it to otlp or none"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_TRACES_SAMPLER=often", true, "OTEL_TRACES_SAMPLER is"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=2", true, "OTEL_TRACES_SAMPLER_ARG is"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=NaN", true, "OTEL_TRACES_SAMPLER_ARG is"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=https://telemetry.googleapis.com GOOGLE_CLOUD_PROJECT=p", true, ""},
	} {
		var said strings.Builder
		tracer := FromEnv(variables(strings.Fields(test.environment)...), "x", slog.New(slog.NewTextHandler(&said, nil)))
		if (tracer != nil) != test.on || !strings.Contains(said.String(), test.says) || test.says == "" && said.Len() > 0 {
			t.Errorf("%s: on %v, says %s", test.environment, tracer != nil, said.String())
		}
		tracer.Close(0)
	}
}

// A collector that is away, or takes spans and never answers, or answers with
// errors, keeps nobody waiting: the test ends.
func TestTracer_CollectorAway(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }))
	defer failing.Close()
	for name, address := range map[string]string{"away": "http://127.0.0.1:9", "hanging": hanging.URL, "failing": failing.URL} {
		tracer := FromEnv(variables("OTEL_EXPORTER_OTLP_ENDPOINT="+address), "x", quiet())
		for i := range 20_000 { // ten times what the queue holds
			span := tracer.Start("x", Internal, Origin{})
			span.SetString("number", fmt.Sprint(i))
			span.End(nil)
		}
		tracer.Flush()
		if name == "hanging" && time.Now().UnixNano() >= tracer.resumes.Load() {
			t.Error("the next call of Flush waits again")
		}
		tracer.Start("x", Internal, Origin{}).End(nil)
		tracer.Flush()
		tracer.Close(10 * time.Millisecond)
		tracer.Start("after the end", Internal, Origin{}).End(nil)
		tracer.Flush()
	}
}

// What goes wrong with the collector is told once a minute.
func TestComplaints(t *testing.T) {
	var said strings.Builder
	c := &complaints{log: slog.New(slog.NewTextHandler(&said, nil))}
	for range 100 {
		c.Handle(errors.New("refused"))
	}
	if strings.Count(said.String(), "spans are lost") != 1 {
		t.Error(said.String())
	}
	c.last = c.last.Add(-complaintsEvery)
	c.Handle(errors.New("refused"))
	if !strings.Contains(said.String(), "not_logged=99") {
		t.Error(said.String())
	}
}

// What Google's clients look for in a context is not there: they would add spans
// of each of their requests.
func TestIn_IsNotOpenTelemetrysOwn(t *testing.T) {
	tracer := FromEnv(variables("OTEL_TRACES_EXPORTER=otlp"), "x", quiet())
	defer tracer.Close(0)
	ctx := In(context.Background(), tracer.Start("x", Internal, Origin{}))
	if from := trace.SpanContextFromContext(ctx); from.IsValid() {
		t.Errorf("OpenTelemetry finds %v in the context", from)
	}
}
