package system

import (
	"net/http"

	"github.com/stationflow/stationflow/internal/observe"
)

// observed serves /metrics and /healthz of the whole system before the page.
// The metrics are those that a bridge and the functions serve where they run as
// processes of their own, and what the page shows.
func (s *System) observed(page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", page)
	if s.collector != nil {
		mux.Handle("GET /trace/", s.collector.RecordHandler())
	}
	shown := observe.Pipeline(s.dashboard.Status)
	mux.Handle("GET /metrics", observe.Metrics(func() []observe.Gatherer {
		all := []observe.Gatherer{shown, s.counts.Gatherer()}
		if s.bridges != nil {
			all = append(all, s.bridges.gatherers()...)
		}
		return all
	}))
	mux.Handle("GET /healthz", observe.Health(func() []string { return observe.Failing(s.dashboard.Status()) }))
	return mux
}

// gatherers are those of the bridges that run.
func (b *bridges) gatherers() (all []observe.Gatherer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.running {
		all = append(all, one.Gatherer())
	}
	return all
}
