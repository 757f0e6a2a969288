package system

import (
	"context"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/local/traces"
)

// mostSpans is how many spans are kept: some minutes of simulated stations, in
// some 20 MB.
const mostSpans = 20_000

// traceSettings are what has every part send its spans here, where --traces asks
// for that. Otherwise they do as OpenTelemetry's variables of the user say.
func (s *System) traceSettings(r *env.Reader) []string {
	if !s.options.Traces {
		return nil
	}
	settings := []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.Endpoints.Traces, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=", "OTEL_TRACES_EXPORTER=otlp", "OTEL_SDK_DISABLED=false",
	}
	if r.String("OTEL_BSP_SCHEDULE_DELAY", "") == "" {
		settings = append(settings, "OTEL_BSP_SCHEDULE_DELAY=500") // milliseconds: people wait for it
	}
	return settings
}

// startTraces takes spans.
func (s *System) startTraces(context.Context) error {
	s.collector = traces.New(mostSpans)
	server, err := serveHTTP(host(s.Endpoints.Traces), s.collector)
	if err != nil {
		return err
	}
	s.started("traces", closeServer(server))
	return nil
}

// tracer returns the one of a part, which is closed with the system.
func (s *System) tracer(part string) *tracing.Tracer {
	t := tracing.FromEnv(s.getenv, part, s.log)
	s.started("tracer", func(context.Context) error { t.Close(closeTime / 25); return nil })
	return t
}
