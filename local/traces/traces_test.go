package traces_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stationflow/stationflow/internal/waterfall"
	"github.com/stationflow/stationflow/local/traces"
)

// A span as it is sent: id and parent in its trace, from and to in milliseconds.
type span struct {
	trace, id, parent byte
	name              string
	from, to          uint64
	about             map[string]string
	link              byte // the trace of a link to the record at 3/7
	failed            bool
}

func id(n byte, size int) []byte {
	if n == 0 {
		return nil
	}
	return append(make([]byte, size-1), n)
}

func keyValue(name, value string) *common.KeyValue {
	return &common.KeyValue{Key: name, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

func message(spans ...span) []byte {
	of := &otlp.ResourceSpans{Resource: &resource.Resource{Attributes: []*common.KeyValue{keyValue("service.name", "stationflow-test")}}, ScopeSpans: []*otlp.ScopeSpans{{}}}
	for _, s := range spans {
		one := &otlp.Span{TraceId: id(s.trace, 16), SpanId: id(s.id, 8), ParentSpanId: id(s.parent, 8), Name: s.name,
			StartTimeUnixNano: s.from * 1e6, EndTimeUnixNano: s.to * 1e6}
		for name, value := range s.about {
			one.Attributes = append(one.Attributes, keyValue(name, value))
		}
		if s.link != 0 {
			one.Links = []*otlp.Span_Link{{TraceId: id(s.link, 16), SpanId: id(1, 8), Attributes: []*common.KeyValue{
				keyValue("messaging.destination.partition.id", "3"),
				{Key: "messaging.kafka.offset", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: 7}}}}}}
		}
		if s.failed {
			one.Status = &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR}
		}
		of.ScopeSpans[0].Spans = append(of.ScopeSpans[0].Spans, one)
	}
	text, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*otlp.ResourceSpans{of}})
	if err != nil {
		panic(err)
	}
	return text
}

func send(c http.Handler, path string, header map[string]string, body []byte) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	c.ServeHTTP(answer, request)
	return answer
}

var protobuf = map[string]string{"Content-Type": "application/x-protobuf"}

func about(lane string) map[string]string {
	return map[string]string{"stationflow.topic": "incidents", "stationflow.topic_id": "a", "stationflow.ranges": "1:0-9,3:5-8", "stationflow.lane": lane}
}

// Of a record there are the traces of its producer, of its batches in both lanes,
// and of the first run after its row that changed something.
func TestOf(t *testing.T) {
	c := traces.New(1000)
	run := func(changed string) map[string]string {
		return map[string]string{"stationflow.models_changed": changed}
	}
	for _, s := range []span{
		{trace: 1, id: 1, name: "send incidents", from: 1, to: 2},
		{trace: 2, id: 1, name: "send incidents", from: 1, to: 2},                                                     // another record's
		{trace: 20, id: 1, name: "transform", from: 10, to: 90, about: run("3")},                                      // began before
		{trace: 10, id: 1, name: "batch incidents", from: 2, to: 50, about: about("rows"), link: 1},                   // of the record
		{trace: 10, id: 2, parent: 1, name: "ingest incidents", from: 20, to: 30, about: about("rows"), failed: true}, // a delivery that failed
		{trace: 10, id: 3, parent: 1, name: "ingest incidents", from: 40, to: 50, about: about("rows")},
		{trace: 21, id: 1, name: "transform", from: 60, to: 61, about: run("0")},
		{trace: 22, id: 1, name: "transform", from: 70, to: 80, about: run("2")},
		{trace: 23, id: 1, name: "transform", from: 90, to: 95, about: run("2")},
		{trace: 11, id: 1, name: "batch incidents", from: 2, to: 60000, about: about("lake"), link: 1},
		{trace: 12, id: 1, name: "batch incidents", from: 2, to: 60000, about: map[string]string{"stationflow.topic": "incidents", "stationflow.topic_id": "a", "stationflow.ranges": "3:8-9", "stationflow.lane": "rows"}},
		{trace: 13, id: 1, name: "batch trains", from: 2, to: 6, about: map[string]string{"stationflow.topic": "trains", "stationflow.topic_id": "a", "stationflow.ranges": "3:7-7"}},
		{trace: 14, id: 1, name: "batch incidents", from: 2, to: 6, about: map[string]string{"stationflow.topic": "incidents", "stationflow.ranges": "what"}},
	} {
		if answer := send(c, traces.Path, protobuf, message(s)); answer.Code != http.StatusOK || answer.Body.Len() != 0 {
			t.Fatalf("answer %d: %s", answer.Code, answer.Body)
		}
	}
	names := func(found []waterfall.Trace) (ids []string) {
		for _, one := range found {
			ids = append(ids, strings.TrimLeft(one.ID, "0"))
		}
		return ids
	}
	of := traces.Record{Topic: "incidents", Partition: 3, Offset: 7}
	if diff := cmp.Diff([]string{"1", "a", "b", "16"}, names(c.Of(of))); diff != "" {
		t.Error(diff)
	}
	of.TopicID = "b"
	if found := c.Of(of); len(found) != 0 {
		t.Errorf("of another topic of the name: %v", names(found))
	}
}

// What is no spans is refused with the remedy.
func TestServeHTTP_Refuses(t *testing.T) {
	c := traces.New(10)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(message(span{trace: 1, id: 1, name: "zipped"}))
	z.Close()
	var bomb bytes.Buffer
	z = gzip.NewWriter(&bomb)
	z.Write(make([]byte, 64<<20))
	z.Close()
	with := func(name, value string) map[string]string {
		return map[string]string{"Content-Type": "application/x-protobuf", name: value}
	}
	for name, test := range map[string]struct {
		path   string
		header map[string]string
		body   []byte
		code   int
	}{
		"zipped":               {traces.Path, with("Content-Encoding", "gzip"), zipped.Bytes(), 200},
		"nothing":              {traces.Path, protobuf, nil, 200},
		"another path":         {"/v1/metrics", protobuf, nil, 404},
		"JSON":                 {traces.Path, map[string]string{"Content-Type": "application/json"}, []byte("{}"), 415},
		"no type":              {traces.Path, nil, nil, 415},
		"what is no message":   {traces.Path, protobuf, []byte("what"), 400},
		"what is not zipped":   {traces.Path, with("Content-Encoding", "gzip"), []byte("what"), 400},
		"another encoding":     {traces.Path, with("Content-Encoding", "br"), nil, 400},
		"too much":             {traces.Path, protobuf, make([]byte, 17<<20), 400},
		"too much when opened": {traces.Path, with("Content-Encoding", "gzip"), bomb.Bytes(), 400},
	} {
		if answer := send(c, test.path, test.header, test.body); answer.Code != test.code || test.code >= 400 && answer.Body.Len() < 10 {
			t.Errorf("%s: answer %d: %s", name, answer.Code, answer.Body)
		}
	}
}

// However many spans come, in however many traces, only the newest are kept.
func TestCollector_Bounded(t *testing.T) {
	for name, trace := range map[string]func(int) byte{"many traces": func(i int) byte { return byte(i) }, "one trace": func(int) byte { return 1 }} {
		c := traces.New(100)
		for i := range 1000 {
			send(c, traces.Path, protobuf, message(span{trace: trace(i), id: byte(i), name: fmt.Sprint(i), about: map[string]string{"long": strings.Repeat("é", 5000)}}))
		}
		kept, newest := 0, false
		for _, one := range c.Traces() {
			kept += len(one.Spans)
			for _, s := range one.Spans {
				newest = newest || s.Name == "999"
				if len(s.Attributes["long"]) > 1100 {
					t.Errorf("%s: a text of %d bytes is kept", name, len(s.Attributes["long"]))
				}
			}
		}
		if kept > 100 || name == "many traces" && (kept < 90 || !newest) {
			t.Errorf("%s: %d spans are kept, the newest: %v", name, kept, newest)
		}
	}
}

// The page and its JSON say the same.
func TestRecordHandler(t *testing.T) {
	c := traces.New(100)
	send(c, traces.Path, protobuf, message(span{trace: 10, id: 1, name: "batch <incidents>", from: 2, to: 50, about: about("rows")}))
	get := func(path, accept string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Header.Set("Accept", accept)
		answer := httptest.NewRecorder()
		c.RecordHandler().ServeHTTP(answer, request)
		return answer
	}
	var found []waterfall.Trace
	answer := get("/trace/incidents/3/7?topic_id=a", "application/json")
	if err := json.Unmarshal(answer.Body.Bytes(), &found); err != nil || len(found) != 1 || found[0].Spans[0].Service != "stationflow-test" || !found[0].Spans[0].End.Equal(time.UnixMilli(50)) {
		t.Errorf("%v: %s", err, answer.Body)
	}
	if page := get("/trace/incidents/3/7", "text/html").Body.String(); !strings.Contains(page, "batch &lt;incidents&gt;") || !strings.Contains(page, "0000000000000000000000000000000a") {
		t.Error(page)
	}
	if answer := get("/trace/incidents/3/100", "application/json"); strings.TrimSpace(answer.Body.String()) != "[]" {
		t.Error(answer.Body)
	}
	if page := get("/trace/<incidents>/3/100", "").Body.String(); !strings.Contains(page, "No span of it is known") || strings.Contains(page, "<incidents>") {
		t.Error(page)
	}
	for _, path := range []string{"/trace/incidents/x/1", "/trace/incidents/3/-1", "/trace/incidents/3/99999999999999999999"} {
		if answer := get(path, ""); answer.Code != http.StatusBadRequest {
			t.Errorf("%s: answer %d", path, answer.Code)
		}
	}
}
