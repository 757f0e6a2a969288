package bridge

import (
	"testing"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Without a tracer nothing looks at the records' headers, and gathering a
// record allocates nothing.
func TestTrace_OffCostsNothing(t *testing.T) {
	c := testClaim(t, func(c *Config) { c.BatchRecords, c.BatchBytes = batch.MaxRecords, batch.MaxEncodedBytes }, nil)
	g := c.gatherer
	r := batch.Record{Value: []byte(`{"id":"7"}`), Headers: []batch.Header{{Key: tracing.Header, Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}}}
	size := batch.EncodedSize(&r)
	g.mu.Lock()
	defer g.mu.Unlock()
	put := func() {
		if v := g.put(c.partition, &r, size); v != gathered {
			t.Fatalf("the record at offset %d is not gathered: %v", r.Offset, v)
		}
		r.Offset++
	}
	for range 1000 {
		put()
	}
	g.open.encoder.Grow(4 << 20) // so that none of it is for the batch's own growth
	if allocated := testing.AllocsPerRun(5000, put); allocated != 0 {
		t.Errorf("a record allocates %v times", allocated)
	}
	if g.open.links != nil {
		t.Error("links are gathered, though nobody asks for them")
	}
}

// What a record costs with and without a tracer.
func BenchmarkGatherer_Traced(b *testing.B) {
	for name, tracer := range map[string]*tracing.Tracer{"off": nil, "on": tracing.FromEnv(func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}[name]
	}, "x", nil)} {
		b.Run(name, func(b *testing.B) {
			c := testClaim(b, func(c *Config) { c.BatchRecords, c.BatchBytes = batch.MaxRecords, batch.MaxEncodedBytes }, nil)
			g := c.gatherer
			g.bridge.tracer = tracer
			r := batch.Record{Value: make([]byte, 200), Headers: []batch.Header{{Key: tracing.Header, Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}}}
			size := batch.EncodedSize(&r)
			g.mu.Lock()
			defer g.mu.Unlock()
			b.ReportAllocs()
			for b.Loop() {
				if !g.open.empty() && g.open.encoder.Records() > 10_000 {
					left := g.leave(&g.open)
					left.encoder.Reset()
					g.bridge.encoders.Put(left.encoder)
					g.memory.give(left.taken)
				}
				g.put(c.partition, &r, size)
				r.Offset++
			}
		})
		tracer.Close(0)
	}
}
