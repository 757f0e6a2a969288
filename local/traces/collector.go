// Package traces is a small collector of OpenTelemetry traces: it takes spans
// by OTLP over HTTP, keeps the newest in memory, and finds those of a record.
package traces

import (
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net/http"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// mostBytes bounds one request, as it is sent and as it is decompressed.
const mostBytes = 16 << 20

// Path is where a Collector takes spans, as the protocol has it.
const Path = "/v1/traces"

// A Collector keeps spans. It is safe for concurrent use.
type Collector struct{ store }

// New returns a collector of at most so many spans: of more, those of the
// traces that were heard of first are forgotten.
func New(most int) *Collector { return &Collector{store{most: most, traces: map[string]*trace{}}} }

// ServeHTTP takes an ExportTraceServiceRequest in binary Protobuf, plain or in
// gzip (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != Path {
		http.Error(w, "spans are taken by POST to "+Path, http.StatusNotFound)
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-protobuf" {
		http.Error(w, "send spans as application/x-protobuf (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf)", http.StatusUnsupportedMediaType)
		return
	}
	request, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, of := range request.GetResourceSpans() {
		c.add(of)
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // of an empty answer: all were taken
}

func read(r *http.Request) (*collector.ExportTraceServiceRequest, error) {
	body := io.Reader(http.MaxBytesReader(nil, r.Body, mostBytes))
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("reading spans: %w", err)
		}
		body = io.LimitReader(unpacked, mostBytes+1)
	default:
		return nil, fmt.Errorf("reading spans: the encoding is %q: use gzip or none", encoding)
	}
	text, err := io.ReadAll(body)
	if err == nil && len(text) > mostBytes {
		err = fmt.Errorf("there are more than %d bytes", mostBytes)
	}
	request := new(collector.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(text, request)
	}
	if err != nil {
		return nil, fmt.Errorf("reading spans: %w", err)
	}
	return request, nil
}
