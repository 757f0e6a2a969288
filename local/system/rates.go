package system

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/local/pubsub"
	"github.com/stationflow/stationflow/local/telemetry"
)

// readEvery is how often the counts are read that rates are made of.
const readEvery = time.Second

// billEvery is how many readings there are for one of what is paid for.
const billEvery = 10

// rates are how fast records pass.
type rates struct {
	produced, published, ingested telemetry.Meter
	valid                         telemetry.Meter // of ingested what a transform reads

	// settled is how many more records were published than ingested when
	// last nothing was on the way: dead letters, less what was delivered
	// twice. They do not wait.
	settled atomic.Int64
}

// A reading is how far everything was at one moment. It is read against the
// flow, so that no hop is ahead of the one before it.
type reading struct {
	arrivals
	bridge     bridge.Snapshot // as far as it could be asked
	unanswered silence         // of a bridge elsewhere
	published  int64
	kafka      progress
}

// arrivals are what the bridge's transport has, and what is behind it.
type arrivals struct {
	valid, quarantined int64 // rows in staging
	ingest             pubsub.SubscriptionStats
}

func (a *arrivals) ingested() int64 { return a.valid + a.quarantined }

func (s *System) arrived() (a arrivals) {
	a.valid, a.quarantined = s.held()
	a.ingest = s.subscription(s.deployment.IngestSubscription)
	return a
}

func (s *System) read() reading {
	r := reading{arrivals: s.arrived()}
	switch {
	case s.bridges != nil:
		r.bridge = s.bridges.Snapshot()
	case s.inquiry != nil:
		last := s.inquiry.answer()
		if r.bridge, r.unanswered = last.bridge, last.silence; r.unanswered.failure == "" {
			r.arrivals = last.arrivals
		}
	}
	r.kafka = s.broker.offsets().progress(r.bridge.Partitions)
	if r.published = r.kafka.passed; s.bridges != nil { // which knows what it buried, and counts on over expired records
		r.published = s.kept.valid + s.kept.quarantined + r.bridge.Records
	}
	return r
}

// readRates reads the counts every second until ctx is done.
func (s *System) readRates(ctx context.Context) {
	for n := 0; ; n++ {
		now := time.Now()
		s.note(now, s.read())
		s.refused.note(now, s.accepted())
		if n%billEvery == 0 {
			s.readBill()
		}
		if pause.For(ctx, readEvery) != nil {
			return
		}
	}
}

func (s *System) note(now time.Time, r reading) {
	s.rates.produced.Note(now, r.kafka.produced)
	s.rates.published.Note(now, r.published)
	s.rates.ingested.Note(now, r.ingested())
	s.rates.valid.Note(now, r.valid)
	if r.kafka.waiting == 0 {
		s.rates.published.Rest(now)
	}
	if r.ingest.Outstanding == 0 {
		s.rates.settled.Store(r.published - r.ingested())
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
