package observe

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stationflow/stationflow/internal/status"
)

// Pipeline gives the state of a pipeline, as the page shows it.
func Pipeline(now func() status.Status) Gatherer {
	registry := prometheus.NewRegistry()
	registry.MustRegister(pipeline(now))
	return registry
}

type pipeline func() status.Status

var states = []status.State{status.NothingYet, status.Flowing, status.Idle, status.Behind, status.Failing}

// Describe announces nothing: which hops there are is not known before.
func (pipeline) Describe(chan<- *prometheus.Desc) {}

// Collect reads the status.
func (p pipeline) Collect(to chan<- prometheus.Metric) {
	now := p()
	gauge := func(name, help string, value float64, labels []string, values ...string) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, value, values...)
	}
	hop := []string{"hop"}
	for _, h := range now.Hops {
		for _, state := range states {
			is := 0.0
			if h.State == state {
				is = 1
			}
			gauge("pipeline_hop_state", "1 for the state that the hop is in.", is, []string{"hop", "state"}, string(h.Hop), string(state))
		}
		gauge("pipeline_hop_records", "Records that have passed the hop; of prod the rows of the dashboard tables.", float64(h.Records), hop, string(h.Hop))
		if h.Waiting != nil {
			gauge("pipeline_waiting_records", "Records that wait in front of the hop.", float64(h.Waiting.Records), hop, string(h.Hop))
			gauge("pipeline_waiting_seconds", "Age of the oldest of them.", h.Waiting.Seconds, hop, string(h.Hop))
		}
	}
	gauge("pipeline_dead_letters", "Batches that were given up and wait to be sent again.", float64(now.DeadLetters), nil)
	gauge("pipeline_open_alerts", "Alerts that are open.", float64(len(now.Alerts)), nil)
}

// Failing are the reasons for which the whole is not well: a sentence for each
// hop that fails.
func Failing(now status.Status) (reasons []string) {
	for _, hop := range now.Hops {
		if hop.State == status.Failing {
			reasons = append(reasons, hop.Name+": "+hop.Note)
		}
	}
	return reasons
}
