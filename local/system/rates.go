package system

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/local/telemetry"
)

// readEvery is how often the counts are read that rates are made of.
const readEvery = time.Second

// rates are how fast records pass.
type rates struct {
	produced, published, ingested telemetry.Meter

	// settled is how many more records were published than ingested when
	// last nothing was on the way: dead letters, less what was delivered
	// twice. They do not wait.
	settled atomic.Int64
}

// readRates reads the counts every second until ctx is done.
func (s *System) readRates(ctx context.Context) {
	for {
		s.readCounts(time.Now())
		if pause.For(ctx, readEvery) != nil {
			return
		}
	}
}

func (s *System) readCounts(now time.Time) {
	published := s.published()
	valid, quarantined := s.held()
	s.rates.produced.Note(now, s.broker.produced())
	s.rates.published.Note(now, published)
	s.rates.ingested.Note(now, valid+quarantined)
	if s.subscription(s.deployment.IngestSubscription).Outstanding == 0 {
		s.rates.settled.Store(published - valid - quarantined)
	}
}

// perSecond is the rate of a meter; nil while there is none.
func perSecond(meter *telemetry.Meter) *float64 {
	rate, known := meter.PerSecond()
	if !known {
		return nil
	}
	return &rate
}
