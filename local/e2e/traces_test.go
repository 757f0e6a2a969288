package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/internal/waterfall"
	"github.com/stationflow/stationflow/local/tracestest"
)

const (
	producersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	producersSpan  = "00f067aa0ba902b7"
)

// sendTraced sends a record that names its producer's span, and one whose header
// is no traceparent.
func (l *local) sendTraced() message {
	l.t.Helper()
	header := func(value string) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: "traceparent", Value: []byte(value)}}
	}
	sent := goodEvents(l.t, 2)[:2]
	sent[0].headers = header("00-" + producersTrace + "-" + producersSpan + "-01")
	sent[1].headers = header("00-what")
	send(l.t, producer(l.t, l.Kafka), sent)
	l.awaitRows(2)
	return sent[0]
}

// checkSpans follows a record from its producer's span to the objects, the rows
// and the models.
func checkSpans(topic string, spans []waterfall.Span) error {
	find := func(name string, also func(waterfall.Span) bool) (found []waterfall.Span) {
		for _, s := range spans {
			if s.Name == name && s.Error == "" && also(s) {
				found = append(found, s)
			}
		}
		return found
	}
	any := func(waterfall.Span) bool { return true }
	within := func(above waterfall.Span) func(waterfall.Span) bool {
		return func(s waterfall.Span) bool { return s.TraceID == above.TraceID && s.Parent == above.ID }
	}
	written := map[string]int{}
	for _, batch := range find("batch "+topic, any) {
		if !slices.ContainsFunc(batch.Links, func(l waterfall.Link) bool { return l.TraceID == producersTrace && l.SpanID == producersSpan }) {
			continue
		}
		for _, ingest := range find("ingest "+topic, within(batch)) {
			written["append rows"] += len(find("append rows", within(ingest)))
			written["write object"] += len(find("write object", within(ingest)))
		}
	}
	if written["append rows"] == 0 || written["write object"] == 0 {
		return fmt.Errorf("of the record's batches %v are known", written)
	}
	for _, run := range find("transform", any) {
		models := 0
		for _, s := range spans {
			if within(run)(s) && strings.HasPrefix(s.Name, "model ") && s.Attributes["stationflow.status"] != "" {
				models++
			}
		}
		if models > 0 && len(find("publish", within(run))) == 1 {
			return nil
		}
	}
	return fmt.Errorf("no run with models and a publication is known")
}

// The programs that are deployed send their spans to any collector, over http
// as well, and what the bridge has not sent it sends when it stops.
func TestFaults_TracesOfThePrograms(t *testing.T) {
	t.Parallel()
	collector := tracestest.Start(t)
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	system := up(t, nil, "--transport", "http", "--without", "bridge", "--without", "functions", "--functions", "http://"+address)
	traced := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_BSP_SCHEDULE_DELAY=3600000"}
	start(t, append(system.environment(traced...), "PORT="+port, "FUNCTION_HOST="+host), "functions")
	bridge := start(t, append(system.environment(traced...), "BRIDGE_ADDR="+strings.TrimPrefix(system.Bridge, "http://"),
		"BRIDGE_TRANSPORT=http", "BRIDGE_HTTP_URL="+system.Functions+"/ingest", "BRIDGE_LAKE_AGE=1s"), "bridge")
	sent := system.sendTraced()
	eventually(t, "the files are written", func() error {
		if len(system.objects("raw/")) == 0 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	system.transform()
	bridge.stop()
	eventually(t, "the record's spans have come", func() error {
		var spans []waterfall.Span
		for _, one := range collector.Traces() {
			spans = append(spans, one.Spans...)
		}
		return checkSpans(sent.topic, spans)
	})
	for _, one := range collector.Traces() {
		for _, s := range one.Spans {
			if !strings.HasPrefix(s.Service, "stationflow-") {
				t.Errorf("span %s is of %q", s.Name, s.Service)
			}
		}
	}
}
