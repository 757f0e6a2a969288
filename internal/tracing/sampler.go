package tracing

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// sampler decides which spans are recorded, by the names that OpenTelemetry
// gives. What is not known is an error, and the default is used.
//
// One whose name begins with parentbased_ does as the caller's span. A batch
// has producers instead of a caller: it is recorded when one of them records its
// span, and not when they all say that they do not; where none says anything
// the rest of the name decides.
func sampler(name, argument string) (chosen sdktrace.Sampler, err error) {
	name = cmp.Or(strings.TrimSpace(name), "parentbased_always_on")
	root, byParent := strings.CutPrefix(name, "parentbased_")
	switch root {
	case "always_on":
		chosen = sdktrace.AlwaysSample()
	case "always_off":
		chosen = sdktrace.NeverSample()
	case "traceidratio":
		ratio := 1.0
		if text := strings.TrimSpace(argument); text != "" {
			if ratio, err = strconv.ParseFloat(text, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
				ratio, err = 1, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q and is not followed: set it to a number from 0 to 1", text)
			}
		}
		chosen = sdktrace.TraceIDRatioBased(ratio)
	default:
		return sdktrace.ParentBased(byProducers{sdktrace.AlwaysSample()}), fmt.Errorf("OTEL_TRACES_SAMPLER is %q and is not followed: set it to always_on, always_off or traceidratio, "+
			"or to one of these behind parentbased_", name)
	}
	if byParent {
		chosen = sdktrace.ParentBased(byProducers{chosen})
	}
	return chosen, err
}

// byProducers decides about a span without a parent: see sampler.
type byProducers struct{ otherwise sdktrace.Sampler }

// ShouldSample decides by the links, or as the other does.
func (s byProducers) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, link := range p.Links {
		if link.SpanContext.IsSampled() {
			return sdktrace.AlwaysSample().ShouldSample(p)
		}
	}
	if len(p.Links) > 0 {
		return sdktrace.NeverSample().ShouldSample(p)
	}
	return s.otherwise.ShouldSample(p)
}

// Description names the sampler.
func (s byProducers) Description() string { return "ByProducers{" + s.otherwise.Description() + "}" }
