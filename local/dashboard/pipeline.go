package dashboard

import "time"

// A Pipeline is the state of everything between Kafka and prod_data at one
// moment, as whoever runs the system sees it. The zero value means that
// nothing has happened yet. Counts are of Kafka records, since the system
// started, and never fall.
type Pipeline struct {
	Produced    int64 // appended to the six topics
	Published   int64 // handed to the transport by the bridge
	Valid       int64 // accepted by ingest and durable; a redelivered record counts again
	Quarantined int64 // refused by ingest and kept with a reason; likewise

	// StagingRows is how many rows the staging tables hold, quarantine and
	// duplicates included; nil while unknown.
	StagingRows *int64

	BridgeLag Lag // in Kafka, not yet published
	IngestLag Lag // published, not yet acknowledged by ingest

	Freshness Freshness

	Retries     int64 // deliveries that had to be repeated
	DeadLetters int64 // batches given up after the last attempt, that wait to be replayed

	Transform Transform

	// Faults holds one sentence for each stage whose last attempt failed; a
	// stage that works again is taken out.
	Faults map[Stage]string
}

// A Lag is what waits in front of a stage.
type Lag struct {
	Records int64
	Age     time.Duration // of the oldest record that waits; 0 when none does
}

// Freshness is how long records took from the append to Kafka until they were
// durable in staging, over the last minute.
type Freshness struct {
	Records  int64 // how many were measured; 0: no record became durable
	P50, P99 time.Duration
}

// Transform is the state of the scheduled transform.
type Transform struct {
	RunningSince time.Time // zero while none runs

	// The last run that ended. LastFinished is zero before the first.
	LastFinished time.Time
	LastTook     time.Duration
	LastFailure  string // what failed, in one sentence; "" for success

	Next time.Time // the next scheduled run; zero when none is scheduled
}

// A Stage is one step of the pipeline, in the order of the flow.
type Stage string

const (
	Kafka         Stage = "kafka"     // the topics
	Bridge        Stage = "bridge"    // Kafka to Pub/Sub
	Ingest        Stage = "ingest"    // Pub/Sub to lake and staging
	Staging       Stage = "staging"   // staging_data
	TransformRuns Stage = "transform" // staging_data to prod_data
)

// stages are all stages in the order of the flow.
var stages = [...]Stage{Kafka, Bridge, Ingest, Staging, TransformRuns}
