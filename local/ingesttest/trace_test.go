package ingesttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/grpc/codes"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/waterfall"
	"github.com/stationflow/stationflow/local/tracestest"
)

const (
	bridgesTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	bridgesSpan  = "00f067aa0ba902b7"
)

func traced(t *testing.T, address string) func(*ingest.Config) {
	return func(c *ingest.Config) { c.Tracer = tracestest.Tracer(t, address, "stationflow-ingest") }
}

// eventFrom is the event of a batch with a traceparent.
func eventFrom(t *testing.T, b *batch.Batch, traceparent string) cloudevents.Event {
	t.Helper()
	e, err := b.Event(noon, traceparent)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A delivery is a span within the bridge's, whichever form the event came in, and
// has one within it for each object and each append.
func TestTrace_Delivery(t *testing.T) {
	parent := "00-" + bridgesTrace + "-" + bridgesSpan + "-01"
	for form, deliver := range map[string]func(*testing.T, *lab, cloudevents.Event) int{
		"binary mode": func(t *testing.T, l *lab, e cloudevents.Event) int { return l.answer(t, e) },
		"a wrapped push": func(t *testing.T, l *lab, e cloudevents.Event) int {
			server := httptest.NewServer(l.function)
			defer server.Close()
			return postWrapped(t, server.URL, e)
		},
		"structured mode": func(t *testing.T, l *lab, e cloudevents.Event) int {
			server := httptest.NewServer(l.function)
			defer server.Close()
			body, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			code, _ := send(t, server.URL, http.Header{"Content-Type": {"application/cloudevents+json"}}, body)
			return code
		},
	} {
		collector := tracestest.Start(t)
		l := newLab(t, traced(t, collector.URL))
		e := eventFrom(t, batchOf(append(incidents(20), "what")...), parent)
		if code := deliver(t, l, e); code != http.StatusOK {
			t.Fatalf("%s: answer %d", form, code)
		}
		span := collector.Await(t, 1, tracestest.Named("ingest incidents"))[0]
		if span.TraceID != bridgesTrace || span.Parent != bridgesSpan || span.Service != "stationflow-ingest" || span.Error != "" ||
			span.Attributes["stationflow.batch_id"] != e.ID() || span.Attributes["stationflow.ranges"] != "3:100-120" || span.Attributes["stationflow.quarantined"] != "1" {
			t.Errorf("%s: the span is %+v", form, span)
		}
		written := map[string]bool{}
		for _, object := range collector.Await(t, len(l.lake.objects(t, "raw/")), tracestest.Within(span, "write object")) {
			written[object.Attributes["stationflow.object"]] = true
		}
		for _, name := range l.lake.objects(t, "raw/") {
			if !written[name] {
				t.Errorf("%s: object %s has no span", form, name)
			}
		}
		for _, s := range collector.Await(t, 2, tracestest.Within(span, "append rows")) {
			want := "20"
			if strings.HasSuffix(s.Attributes["stationflow.table"], "/quarantine") {
				want = "1"
			}
			if s.Attributes["stationflow.rows"] != want || s.Error != "" {
				t.Errorf("%s: an append is %+v", form, s)
			}
		}
	}
}

// Whatever the event says that it comes from, the batch is stored. What cannot be
// read begins a trace, and what is not recorded ends there.
func TestTrace_WhateverTheEventSays(t *testing.T) {
	for traceparent, recorded := range map[string]bool{
		"": true, "00-what": true, "00-" + bridgesTrace + "-" + bridgesSpan: true, strings.Repeat("0", 900): true,
		"ff-" + bridgesTrace + "-" + bridgesSpan + "-01": true,
		"00-" + bridgesTrace + "-" + bridgesSpan + "-00": false,
	} {
		collector := tracestest.Start(t)
		l := newLab(t, traced(t, collector.URL))
		if code := l.answer(t, eventFrom(t, batchOf(incidents(3)...), traceparent)); code != http.StatusOK {
			t.Errorf("%.60q: answer %d", traceparent, code)
		}
		if n := len(l.warehouse.rows("incidents")); n != 3 {
			t.Errorf("%.60q: %d rows", traceparent, n)
		}
		if recorded {
			if span := collector.Await(t, 1, tracestest.Named("ingest incidents"))[0]; span.Parent != "" {
				t.Errorf("%.60q: the span is within %s", traceparent, span.Parent)
			}
			continue
		}
		l.config.Tracer.Close(10 * time.Second)
		if all := collector.Traces(); len(all) != 0 {
			t.Errorf("%.60q: spans were sent: %+v", traceparent, all)
		}
	}
}

// What fails says why, and the next delivery is a span of its own.
func TestTrace_Failure(t *testing.T) {
	collector := tracestest.Start(t)
	l := newLab(t, traced(t, collector.URL))
	l.warehouse.decide(func(string, []row) verdict { return verdict{status: codes.PermissionDenied} })
	e := eventFrom(t, batchOf(incidents(3)...), "00-"+bridgesTrace+"-"+bridgesSpan+"-01")
	if code := l.answer(t, e); code != http.StatusServiceUnavailable {
		t.Fatalf("answer %d", code)
	}
	l.warehouse.decide(nil)
	if code := l.answer(t, e); code != http.StatusOK {
		t.Fatalf("answer %d", code)
	}
	failed := 0
	for _, span := range collector.Await(t, 2, tracestest.Named("ingest incidents")) {
		appends := collector.Await(t, 1, tracestest.Within(span, "append rows"))
		if span.Error != "" {
			failed++
			if appends[0].Error == "" {
				t.Errorf("the append is %+v", appends[0])
			}
		}
		if span.TraceID != bridgesTrace || span.Parent != bridgesSpan {
			t.Errorf("the span is %+v", span)
		}
	}
	if failed != 1 {
		t.Errorf("%d deliveries have failed, want 1", failed)
	}
	found := collector.Await(t, 1, func(s waterfall.Span) bool { return s.Attributes["stationflow.found"] != "" })
	if found[0].Name != "write object" {
		t.Errorf("what was there already is %+v", found[0])
	}
}

// A collector that never answers keeps no answer of ingest waiting: the test ends.
func TestTrace_CollectorHangs(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	l := newLab(t, traced(t, hanging.URL))
	for i := range 200 {
		b := batchOf(incidents(1)...)
		b.Records[0].Offset = int64(i)
		if code := l.answer(t, eventFrom(t, b, "")); code != http.StatusOK {
			t.Fatalf("answer %d", code)
		}
	}
	if n := len(l.warehouse.rows("incidents")); n != 200 {
		t.Errorf("%d rows", n)
	}
}
