// Package observe serves a process's figures at /metrics, for Prometheus, and
// its health at /healthz. What the functions do is counted from the lines that
// they log, as the cloud's log-based metrics are: the functions themselves stay
// free of it, and both count the same.
package observe

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Gatherer gives metrics.
type Gatherer = prometheus.Gatherer

// Functions counts what functions log. It is safe for concurrent use.
type Functions struct {
	registry *prometheus.Registry

	batches, records, refused, failures, transforms, audits *prometheus.CounterVec
	freshness, transformTook                                prometheus.Histogram
	transformed                                             prometheus.Gauge
	checks, alerts                                          prometheus.Counter

	mu      sync.Mutex
	failing string // why the last batch failed; "" once one was taken
	failed  time.Time
	broken  string // why the last transform failed; "" once one succeeded
}

// NewFunctions returns counts of nothing.
func NewFunctions() *Functions {
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, least float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(least, 2, 14)})
	}
	f := &Functions{
		registry:      prometheus.NewRegistry(),
		batches:       vec("ingest_batches_total", "Batches whose records were decided about.", "topic"),
		records:       vec("ingest_records_total", "Records that were decided about; a redelivered one counts again.", "topic"),
		refused:       vec("ingest_refused_records_total", "Records that went to quarantine, tombstones left out.", "topic"),
		failures:      vec("ingest_failures_total", "Deliveries that ingest did not take.", "cause"),
		freshness:     histogram("ingest_freshness_seconds", "From Kafka's timestamp of a batch's oldest record to durable, for each batch.", 0.05),
		transforms:    vec("transform_runs_total", "Runs of the transform that ended.", "status"),
		transformTook: histogram("transform_run_seconds", "How long runs of the transform took.", 0.1),
		transformed: prometheus.NewGauge(prometheus.GaugeOpts{Name: "transform_last_success_timestamp_seconds",
			Help: "When the last run of the transform succeeded."}),
		audits: vec("audit_runs_total", "Audits that ended.", "complete"),
		checks: counter("scale_checks_total", "Checks of how many bridges shall run."),
		alerts: counter("alert_told_total", "Alerts that were told."),
	}
	f.registry.MustRegister(f.batches, f.records, f.refused, f.failures, f.freshness, f.transforms, f.transformTook, f.transformed, f.audits, f.checks, f.alerts)
	return f
}

// Gatherer gives the counts.
func (f *Functions) Gatherer() Gatherer { return f.registry }

// failingFor is for how long a batch that failed makes the functions unwell
// when no other was taken since: longer than the pause before the next attempt.
const failingFor = 10 * time.Minute

// Unhealthy says what fails, one sentence each.
func (f *Functions) Unhealthy() (reasons []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != "" && time.Since(f.failed) < failingFor {
		reasons = append(reasons, "ingest takes no batch: "+f.failing)
	}
	if f.broken != "" {
		reasons = append(reasons, f.broken)
	}
	return reasons
}

// Handler returns a handler of log lines that counts those it knows and passes
// every line on.
func (f *Functions) Handler(next slog.Handler) slog.Handler { return handler{next, f} }

type handler struct {
	slog.Handler
	to *Functions
}

func (h handler) Handle(ctx context.Context, line slog.Record) error {
	h.to.note(line)
	return h.Handler.Handle(ctx, line)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.to}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name), h.to} }

// note counts a line. The messages are those that Terraform's log-based metrics
// filter by.
func (f *Functions) note(line slog.Record) {
	of := attributes{line}
	switch line.Message {
	case "batch ingested":
		topic := of.text("topic")
		f.batches.WithLabelValues(topic).Inc()
		f.records.WithLabelValues(topic).Add(of.number("records"))
		f.refused.WithLabelValues(topic).Add(of.number("refused"))
		if oldest := of.number("oldest_kafka_ms"); oldest > 0 {
			f.freshness.Observe(max(of.number("durable_ms")-oldest, 0) / 1000)
		}
		f.set(&f.failing, "")
	case "batch archived", "batch passed over":
		f.set(&f.failing, "")
	case "batch failed":
		f.failures.WithLabelValues(of.text("cause")).Inc()
		if of.text("cause") != "no_batch" { // which is its sender's fault
			f.set(&f.failing, of.text("error"))
		}
	case "transform finished":
		status := of.text("status")
		f.transforms.WithLabelValues(status).Inc()
		f.transformTook.Observe(of.number("took_ms") / 1000)
		if status == "success" {
			f.transformed.SetToCurrentTime()
			f.set(&f.broken, "")
		} else {
			f.set(&f.broken, "the last transform failed: the log says which model or test")
		}
	case "audit finished":
		f.audits.WithLabelValues(of.text("complete")).Inc()
	case "pool checked":
		f.checks.Inc()
	case "alert told":
		f.alerts.Inc()
	}
}

func (f *Functions) set(what *string, to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *what = to; what == &f.failing && to != "" {
		f.failed = time.Now()
	}
}

// attributes are those of a line.
type attributes struct{ slog.Record }

func (a attributes) find(name string) (found slog.Value) {
	a.Attrs(func(one slog.Attr) bool {
		if one.Key == name {
			found = one.Value.Resolve()
		}
		return one.Key != name
	})
	return found
}

// text is an attribute as text, "" where the line has none.
func (a attributes) text(name string) string {
	if v := a.find(name); v.Any() != nil {
		return v.String()
	}
	return ""
}

func (a attributes) number(name string) float64 {
	switch v := a.find(name); v.Kind() {
	case slog.KindInt64:
		return float64(v.Int64())
	case slog.KindUint64:
		return float64(v.Uint64())
	case slog.KindFloat64:
		return v.Float64()
	}
	return 0
}

// Metrics serves what the gatherers give when it is asked. One that fails keeps
// the others from nothing.
func Metrics(gatherers func() []Gatherer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := prometheus.Gatherers(gatherers())
		promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
	})
}

// Health answers 200, or 503 with the reasons, as the bridge's /healthz does.
func Health(unhealthy func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reasons := unhealthy()
		code, said := http.StatusOK, "ok"
		if len(reasons) > 0 {
			code, said = http.StatusServiceUnavailable, "failing"
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(struct { // an error means that the client went away
			Status  string   `json:"status"`
			Reasons []string `json:"reasons,omitempty"`
		}{said, reasons})
	})
}
