package dashboard

import "time"

// hops are all hops in the order of the flow.
var hops = [...]Hop{Kafka, Bridge, Transport, Ingest, Staging, TransformRuns, Prod}

// A Pipeline is the state of everything between Kafka and prod_data at one
// moment, as the person who runs the system sees it. The zero value means that
// nothing has happened yet. Counts of records never fall, but for Kafka's when
// records expire.
type Pipeline struct {
	// TransportName is what the page calls the transport.
	TransportName string

	// Flows says what passed each hop up to Staging; the others have
	// Transform and the snapshot. A hop that is missing has passed nothing.
	Flows map[Hop]Flow

	// Simulation is the time of the stations; nil where they are real.
	Simulation *Simulation

	// Alerts are those that are open, the newest first.
	Alerts []Alert

	// Canaries are the last ones, by hop; none where none are sent.
	Canaries []Canary

	// RateWindow is what the flows' rates are means over.
	RateWindow time.Duration

	Valid       int64 // accepted by ingest and durable; a redelivered record counts again
	Quarantined int64 // refused by ingest and kept with a reason; likewise
	Tombstones  int64 // of the quarantined: null values, which are nobody's fault

	// Refused is what was lately quarantined, where it is much.
	Refused Refused

	// NewFields are those of events that have no column, the first first.
	NewFields []NewField

	// StagingRows is how many rows the staging tables hold, quarantine and
	// duplicates included; nil while unknown.
	StagingRows *int64

	Freshness Freshness

	DeadLetters    int64    // batches given up after the last attempt, that wait to be sent again
	ForeignLetters []string // the ids of those that are not batches

	Transform Transform

	Bill *Bill // nil while unknown
}

// A NewField is a field that producers send and that has no column.
type NewField struct {
	Topic, Name string
	Since       time.Time
	Records     int64 // that had it
}

// A Flow is what passes one hop.
type Flow struct {
	Records   int64    // that have passed
	PerSecond *float64 // nil while unknown

	Waiting  *Lag   // in front of the hop; nil where nothing waits or nobody can tell
	Retries  *int64 // attempts that failed and were made again; nil where there are none to make
	Failures *int64 // what was given up or needs a person; nil where nothing can be
	NoBatch  int64  // of the failures, those of messages that are not batches

	Asleep time.Time // since when it does not run, because nothing comes; zero while it runs

	Held   string // why records that are there cannot pass yet, through no fault of the hop; "" when they can
	Fault  string // why the last attempt failed; "" once one worked
	Remedy string // what to do about the fault; "" leaves that to the page
}

// A Lag is what waits in front of a hop.
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
	Remedy       string // where it is another than to wait for the next run
	Changed      int64  // models that it built again; 0: there was nothing new
	Models       []Model
	TestsRun     int64
	Findings     []Finding

	Waiting  *Lag  // rows in staging, but for quarantine, that came after the last run began; nil while unknown
	Failures int64 // runs that failed

	Next time.Time // the next scheduled run; zero when none is scheduled
}

// A Model is what became of one model in a run.
type Model struct {
	Name   string
	Status string // created, replaced, unchanged, failed or skipped
	Took   time.Duration
	Error  string // "" unless it failed or was skipped
}

// A Finding is a test that found rows which must not be, or could not run.
type Finding struct {
	Test   string
	Status string // failed or warned
	Rows   int64
	Error  string
}
