package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// defaultEndpoint is where a collector of this machine listens.
const defaultEndpoint = "http://localhost:4318"

// FromEnv returns a tracer as OpenTelemetry's variables say
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/);
// nil, which is off, where they name no collector. On it is with
// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
// OTEL_TRACES_EXPORTER=otlp, off again with OTEL_TRACES_EXPORTER=none or
// OTEL_SDK_DISABLED=true. OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG say
// which spans are recorded (see sampler), and service is the name of this part where
// neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES says another.
//
// The exporter and the SDK themselves read the other variables of
// OTEL_EXPORTER_OTLP_… (headers, certificate, timeout, compression), OTEL_BSP_…
// and OTEL_SPAN_… from the process's environment.
//
// A setting that cannot be followed is logged, and none stops the process:
// without spans the pipeline works as with them.
func FromEnv(getenv func(string) string, service string, log *slog.Logger) *Tracer {
	endpoint, err := endpointOf(getenv)
	if err != nil {
		log.Warn("no traces are recorded: " + err.Error())
		return nil
	}
	if endpoint == nil {
		return nil
	}
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(endpoint.String()),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: 20 * time.Second}),
	}
	about := []attribute.KeyValue{attribute.String("service.name", service), attribute.String("service.namespace", "stationflow")}
	if isGoogles(endpoint) {
		options = append(options, otlptracehttp.WithHTTPClient(&http.Client{Transport: asServiceAccount()}))
		about = append(about, attribute.String("gcp.project_id", getenv("GOOGLE_CLOUD_PROJECT")))
	}
	exporter, err := otlptracehttp.New(context.Background(), options...)
	if err != nil {
		log.Warn("no traces are recorded: the exporter cannot be made", "error", err.Error())
		return nil
	}
	described, err := resource.New(context.Background(), resource.WithAttributes(about...), resource.WithFromEnv())
	if err != nil {
		log.Warn("OTEL_RESOURCE_ATTRIBUTES cannot be read in full", "error", err.Error())
	}
	chosen, err := sampler(getenv("OTEL_TRACES_SAMPLER"), getenv("OTEL_TRACES_SAMPLER_ARG"))
	if err != nil {
		log.Warn(err.Error())
	}
	otel.SetErrorHandler(&complaints{log: log})
	return newTracer(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described), sdktrace.WithSampler(chosen))
}

// endpointOf returns where spans are sent, nil for nowhere.
func endpointOf(getenv func(string) string) (*url.URL, error) {
	value := func(name string) string { return strings.TrimSpace(getenv(name)) }
	name, text := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if text == "" {
		if name, text = "OTEL_EXPORTER_OTLP_ENDPOINT", value("OTEL_EXPORTER_OTLP_ENDPOINT"); text != "" {
			text = strings.TrimSuffix(text, "/") + "/v1/traces"
		}
	}
	exporter := value("OTEL_TRACES_EXPORTER")
	switch {
	case strings.EqualFold(value("OTEL_SDK_DISABLED"), "true"), exporter == "none", exporter == "" && text == "":
		return nil, nil
	case exporter != "" && exporter != "otlp":
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: set it to otlp or none", exporter)
	case text == "":
		text = defaultEndpoint + "/v1/traces"
	}
	protocol := value("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = value("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: set it to http/protobuf, and the endpoint to the collector's port for that, which is 4318 as a rule", protocol)
	}
	at, err := url.Parse(text)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("%s names no address: set it to the collector's, http://HOST:4318 as a rule", name)
	}
	return at, nil
}
