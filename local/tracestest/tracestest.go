// Package tracestest helps tests of what is recorded as spans.
package tracestest

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/internal/waterfall"
	"github.com/stationflow/stationflow/local/traces"
)

// patience is how long a span may take to arrive.
const patience = 30 * time.Second

// A Collector takes spans by OTLP over HTTP at URL.
type Collector struct {
	*traces.Collector
	URL string
}

// Start starts a collector, which ends with the test.
func Start(t testing.TB) *Collector {
	c := traces.New(100_000)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &Collector{c, server.URL}
}

// Tracer returns one that sends to the address, as the other variables of
// OpenTelemetry, name and value by turns, say. It ends with the test.
func Tracer(t testing.TB, address, service string, more ...string) *tracing.Tracer {
	t.Helper()
	if delay := "OTEL_BSP_SCHEDULE_DELAY"; os.Getenv(delay) == "" {
		t.Setenv(delay, "20") // milliseconds
	}
	variables := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": address}
	for i := 0; i+1 < len(more); i += 2 {
		variables[more[i]] = more[i+1]
	}
	tracer := tracing.FromEnv(func(name string) string { return variables[name] }, service, slog.New(slog.DiscardHandler))
	if tracer == nil {
		t.Fatalf("no spans are recorded with %v", variables)
	}
	t.Cleanup(func() { tracer.Close(0) })
	return tracer
}

// Await returns the spans that are wanted, once so many have arrived.
func (c *Collector) Await(t testing.TB, count int, wanted func(waterfall.Span) bool) []waterfall.Span {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		var found []waterfall.Span
		var names []string
		for _, one := range c.Traces() {
			for _, s := range one.Spans {
				names = append(names, s.Name)
				if wanted(s) {
					found = append(found, s)
				}
			}
		}
		if len(found) >= count {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d spans have arrived, among %q", len(found), count, names)
		}
	}
}

// Named is what Await takes for spans of a name.
func Named(name string) func(waterfall.Span) bool {
	return func(s waterfall.Span) bool { return s.Name == name }
}

// Within is what Await takes for spans of a name that are within another.
func Within(above waterfall.Span, name string) func(waterfall.Span) bool {
	return func(s waterfall.Span) bool {
		return s.Name == name && s.TraceID == above.TraceID && s.Parent == above.ID
	}
}
