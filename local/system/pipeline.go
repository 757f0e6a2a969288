package system

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/pubsub"
	"github.com/stationflow/stationflow/local/telemetry"
)

// pipeline is the state that the strip on the page shows. It is put together
// from what every part counts for itself, without a query.
func (s *System) pipeline() dashboard.Pipeline {
	figures := s.watcher.Figures()
	valid, quarantined := s.held()
	staging := valid + quarantined
	p := dashboard.Pipeline{
		Produced:    s.broker.produced(),
		Published:   s.kept.valid + s.kept.quarantined,
		Valid:       valid,
		Quarantined: quarantined,
		StagingRows: &staging,
		Freshness:   dashboard.Freshness{Records: figures.Recent, P50: figures.P50, P99: figures.P99},
		Faults:      map[dashboard.Stage]string{},
	}
	if figures.Failing != "" {
		p.Faults[dashboard.Ingest] = figures.Failing
	}
	s.addBridge(&p)
	s.addDeliveries(&p)
	s.addTransform(&p, figures.Transform)
	return p
}

func (s *System) addBridge(p *dashboard.Pipeline) {
	if s.bridge == nil {
		return
	}
	b := s.bridge.Snapshot()
	p.Published += b.Records
	p.BridgeLag = dashboard.Lag{Records: b.LagRecords(), Age: b.Lag()}
	p.Retries += b.Retries
	for _, one := range b.Partitions {
		if one.Stuck {
			p.Faults[dashboard.Bridge] = one.Problem
		}
	}
}

func (s *System) addDeliveries(p *dashboard.Pipeline) {
	if s.pubsub == nil {
		return
	}
	ingest := s.subscription(s.deployment.IngestSubscription)
	p.Retries += ingest.Failed
	p.IngestLag = dashboard.Lag{Records: max(p.Published-p.Valid-p.Quarantined, 0), Age: ingest.OldestUnacked}
	if ingest.Outstanding == 0 {
		p.IngestLag = dashboard.Lag{}
	}
	p.DeadLetters = s.subscription(s.deployment.DeadLetterSubscription).Outstanding
}

func (s *System) addTransform(p *dashboard.Pipeline, last telemetry.Transform) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Transform = dashboard.Transform{RunningSince: s.running, LastFinished: last.At, LastTook: last.Took, LastFailure: s.failure}
	if last.Status == "failed" && s.failure == "" { // triggered by somebody else
		p.Transform.LastFailure = "a model or a test failed; the log says which"
	}
	if s.scheduler != nil {
		p.Transform.Next = s.scheduler.Next()
	}
}

func (s *System) subscription(name string) pubsub.SubscriptionStats {
	for _, one := range s.pubsub.Stats().Subscriptions {
		if strings.HasSuffix(one.Name, "/"+name) {
			return one
		}
	}
	return pubsub.SubscriptionStats{}
}

// held counts the rows in staging, those of an earlier run included.
func (s *System) held() (valid, quarantined int64) {
	valid, quarantined = s.appended()
	return s.kept.valid + valid, s.kept.quarantined + quarantined
}

// appended counts the rows that the warehouse took since the start.
func (s *System) appended() (valid, quarantined int64) {
	tables := s.warehouse.Appended()
	for _, topic := range event.Topics() {
		valid += tables[s.Endpoints.StagingDataset+"."+topic].Rows
	}
	return valid, tables[s.Endpoints.StagingDataset+".quarantine"].Rows
}

// keepPageFresh reads the tables when a transform has changed them, whoever
// triggered it, and now and then besides.
func (s *System) keepPageFresh(ctx context.Context) {
	for {
		if err := s.dashboard.Refresh(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the page could not read the dashboard tables", "error", err.Error())
		}
		select {
		case <-s.refresh:
		case <-time.After(5 * time.Minute):
		case <-ctx.Done():
			return
		}
	}
}

// A signal is given at most once until it is taken.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) Signal() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// transformFinished has the page read the tables again.
func (s *System) transformFinished(telemetry.Transform) { s.refresh.Signal() }

// triggering notes that the scheduler's attempt begins.
func (s *System) triggering() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = time.Now()
}

// triggered notes how the scheduler's attempt ended.
func (s *System) triggered(err error) {
	s.mu.Lock()
	s.running, s.failure = time.Time{}, ""
	if err != nil {
		s.failure = err.Error()
		s.log.Error("the transform failed", "error", err.Error())
	}
	s.mu.Unlock()
}

// ingested waits until so many records are in staging or quarantine.
func (s *System) ingested(ctx context.Context, n int64) error {
	for {
		valid, quarantined := s.appended()
		if valid+quarantined >= n {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %d records to arrive in staging: %w", n, err)
		}
	}
}

// delivered waits, as long as ctx lets it and eight seconds at most, until
// every message was acknowledged or given up.
func (s *System) delivered(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	for s.subscription(s.deployment.IngestSubscription).Outstanding > 0 && pause(ctx, 20*time.Millisecond) == nil {
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
