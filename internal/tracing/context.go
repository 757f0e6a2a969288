package tracing

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Header is the name of the Kafka header, and of the CloudEvent's extension,
// that carries a traceparent.
const Header = "traceparent"

// Parse reads a traceparent as the specification says
// (https://www.w3.org/TR/trace-context/#traceparent-header-field-values). What
// is not one gives a SpanContext that is not valid. It allocates nothing.
func Parse[text string | []byte](header text) trace.SpanContext {
	const length = len("00-00000000000000000000000000000000-0000000000000000-00")
	if len(header) < length || header[2] != '-' || header[35] != '-' || header[52] != '-' {
		return trace.SpanContext{}
	}
	var version, flags [1]byte
	var config trace.SpanContextConfig
	if !decode(version[:], header[:2]) || !decode(config.TraceID[:], header[3:35]) ||
		!decode(config.SpanID[:], header[36:52]) || !decode(flags[:], header[53:55]) {
		return trace.SpanContext{}
	}
	// A later version may have more, behind a dash.
	if version[0] == 0xff || len(header) > length && (version[0] == 0 || header[length] != '-') {
		return trace.SpanContext{}
	}
	config.TraceFlags = trace.TraceFlags(flags[0]) & trace.FlagsSampled
	config.Remote = true
	if from := trace.NewSpanContext(config); from.IsValid() {
		return from
	}
	return trace.SpanContext{}
}

// decode reads lower-case hexadecimal digits.
func decode[text string | []byte](to []byte, digits text) bool {
	for i := range to {
		high, low := digit(digits[2*i]), digit(digits[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		to[i] = high<<4 | low
	}
	return true
}

func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

func format(of trace.SpanContext) string {
	id, span := of.TraceID(), of.SpanID()
	return write(id, span, byte(of.TraceFlags()&trace.FlagsSampled))
}

// unsampled names a span that nobody records.
func unsampled() string {
	var id trace.TraceID
	var span trace.SpanID
	for i := range id {
		id[i] = byte(rand.Uint32())
	}
	for i := range span {
		span[i] = byte(rand.Uint32())
	}
	id[0] |= 1 // none is all zeros
	span[0] |= 1
	return write(id, span, 0)
}

func write(id trace.TraceID, span trace.SpanID, flags byte) string {
	text := make([]byte, 0, 55)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, id[:])
	text = append(text, '-')
	text = hex.AppendEncode(text, span[:])
	text = append(text, '-')
	return string(hex.AppendEncode(text, []byte{flags}))
}

// mostText bounds a text about a span, in bytes.
const mostText = 1024

func clean(text string) string {
	if len(text) > mostText {
		text = text[:mostText]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
