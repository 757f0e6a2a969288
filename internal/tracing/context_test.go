package tracing

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// The examples of the specification, and what is not one.
func TestParse(t *testing.T) {
	for header, want := range map[string]string{
		sampled: sampled,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00":      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03":      sampled, // other flags mean nothing here
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":      sampled, // a later version
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what": sampled,
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what": "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what": "",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":      "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":      "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":      "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01":      "",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01":      "",
		"00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01":      "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7":         "",
		" " + sampled:                     "",
		"":                                "",
		"\xff\x00":                        "",
		strings.Repeat("0", 1<<20):        "",
		sampled[:30] + "é" + sampled[32:]: "",
	} {
		got := Parse(header)
		if got.IsValid() != (want != "") || want != "" && format(got) != want || !got.Equal(Parse([]byte(header))) {
			t.Errorf("%.80q is %v, want %q", header, got, want)
		}
	}
}

// Whatever comes is read as OpenTelemetry's own propagator reads it. Two things
// it does otherwise: it takes a dash behind the last part, and refuses flags
// that have no meaning yet.
func FuzzParse(f *testing.F) {
	for _, header := range []string{sampled, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "00-", ""} {
		f.Add([]byte(header))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		carrier := propagation.MapCarrier{Header: string(header)}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		got := Parse(header)
		if bytes.HasSuffix(header, []byte("-")) || got.IsValid() && header[1] == '0' && header[54] > '3' || got.IsValid() && header[53] != '0' {
			return
		}
		if got.TraceID() != want.TraceID() || got.SpanID() != want.SpanID() || got.IsSampled() != want.IsSampled() || got.IsRemote() != want.IsRemote() {
			t.Errorf("%q is %v, and to OpenTelemetry %v", header, got, want)
		}
	})
}

// A part that records nothing names a span that nobody records.
func TestTraceParent_Unsampled(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		text := (*Span)(nil).TraceParent()
		if of := Parse(text); !of.IsValid() || of.IsSampled() || seen[text] {
			t.Fatalf("%q", text)
		}
		seen[text] = true
	}
}
