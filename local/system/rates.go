package system

import (
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/bridge"
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

// perSecond is the rate of a meter; nil while there is none.
func perSecond(meter *telemetry.Meter) *float64 {
	rate, known := meter.PerSecond()
	if !known {
		return nil
	}
	return &rate
}
