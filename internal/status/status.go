// Package status is the state of a pipeline, as the page serves it at
// /api/pipeline and as `stationflow status` shows it. Null stands for what is
// not known or has not happened; durations are in seconds. Fields may be added.
package status

import "time"

// A Status is the whole.
type Status struct {
	At         time.Time  `json:"at"`
	Overall    Health     `json:"overall"`
	Hops       []OfHop    `json:"hops"` // in the order of the flow
	Snapshot   int64      `json:"snapshot"`
	View       int64      `json:"view"`        // counts readings of the typed marts
	ComputedAt *time.Time `json:"computed_at"` // of the newest figures
	WaitingFor string     `json:"waiting_for"` // empty once there are figures
	CountNote  string     `json:"count_note"`  // why hops count more records than Kafka; "" where none does
	TimeZone   string     `json:"time_zone"`   // of all times: the network's

	Simulation *Simulation `json:"simulation"` // null where the stations are real

	Alerts []Alert `json:"alerts"` // that are open, the newest first

	Canaries   []Canary `json:"canaries"`    // the last ones, by hop
	CanaryNote string   `json:"canary_note"` // the same in a sentence; "" for none

	RateWindow       float64   `json:"rate_window_seconds"`
	Valid            int64     `json:"valid"`
	Quarantined      int64     `json:"quarantined"`
	QuarantinedShare *float64  `json:"quarantined_share"` // of valid and quarantined, tombstones left out
	Refused          Refused   `json:"refused"`           // lately
	NewFields        string    `json:"new_fields"`        // that have no column, in a sentence; "" for none
	StagingRows      *int64    `json:"staging_rows"`
	Freshness        Freshness `json:"freshness"`
	DeadLetters      int64     `json:"dead_letters"`
	Transform        Transform `json:"transform"`
	Bill             *Bill     `json:"bill"`
}

// Time is a moment in a time zone; nil for the zero time, which is one that is
// not known or has not been.
func Time(location *time.Location, at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.In(location)
	return &at
}

// A Hop is one step on the way from Kafka to prod_data.
type Hop string

// The hops, in the order of the flow.
const (
	Kafka         Hop = "kafka"     // the topics
	Bridge        Hop = "bridge"    // Kafka to the transport
	Transport     Hop = "transport" // Pub/Sub or HTTP, to ingest
	Ingest        Hop = "ingest"    // decodes, validates, refuses
	Staging       Hop = "staging"   // the lake and staging_data
	TransformRuns Hop = "transform" // staging_data to prod_data
	Prod          Hop = "prod"      // prod_data, as the page reads it
)

// A State says how a hop does. The words are those of the page.
type State string

// The states.
const (
	NothingYet State = "nothing yet" // nothing has ever come here
	Flowing    State = "flowing"     // records pass, in time
	Idle       State = "idle"        // there is nothing to do
	Behind     State = "behind"      // what waits is too old
	Failing    State = "failing"     // it does not work, or a person is needed
)

// A Health is a state with the reason and what to do about it, one sentence
// each; both are empty for what flows.
type Health struct {
	State  State  `json:"state"`
	Note   string `json:"note"`
	Remedy string `json:"remedy"`
}

// OfHop is the state of one hop.
type OfHop struct {
	Hop  Hop    `json:"hop"`
	Name string `json:"name"`
	Health
	Records   int64    `json:"records"` // that have passed; of what Unit says
	Unit      string   `json:"unit"`    // records, models or rows
	PerSecond *float64 `json:"per_second"`
	Waiting   *Lag     `json:"waiting"`
	Retries   *int64   `json:"retries"`
	Failures  *int64   `json:"failures"`
}

// A Lag is what waits in front of a hop.
type Lag struct {
	Records int64   `json:"records"`
	Seconds float64 `json:"seconds"` // the age of the oldest
}

// A Freshness is the time from Kafka to staging.
type Freshness struct {
	Records int64    `json:"records"`
	P50     *float64 `json:"p50_seconds"`
	P99     *float64 `json:"p99_seconds"`
}

// A Transform is the transform with its last run.
type Transform struct {
	RunningSince *time.Time `json:"running_since"`
	LastFinished *time.Time `json:"last_finished"`
	LastTook     *float64   `json:"last_took_seconds"`
	LastStatus   *string    `json:"last_status"` // ok or failed
	Next         *time.Time `json:"next"`
	Changed      int64      `json:"changed"` // models that the last run built again
	Models       []Model    `json:"models"`
	TestsRun     int64      `json:"tests_run"`
	Findings     []Finding  `json:"findings"`
}

// A Model is one model of the last run.
type Model struct {
	Name   string  `json:"name"`
	Status string  `json:"status"`
	Took   float64 `json:"took_seconds"`
	Rows   *int64  `json:"rows"` // of the table as last read; null for a view
	Error  string  `json:"error"`
}

// A Finding is one test of the last run that found something.
type Finding struct {
	Test   string `json:"test"`
	Status string `json:"status"`
	Rows   int64  `json:"rows"`
	Error  string `json:"error"`
}

// An Alert is what people were told, and that has not ended.
type Alert struct {
	Key      string    `json:"key"`
	Text     string    `json:"text"`
	Topic    string    `json:"topic"`
	Severity string    `json:"severity"`
	Station  string    `json:"station"`
	Place    string    `json:"place"`
	BeganAt  time.Time `json:"began_at"`
	EndsAt   time.Time `json:"ends_at"`
	Age      float64   `json:"age_seconds"`
	Told     bool      `json:"told"`
	Trouble  string    `json:"trouble"` // why a channel does not take it; "" where none has failed
}

// A Canary is the last one that has arrived at a hop.
type Canary struct {
	Hop  string  `json:"hop"`          // staging, lake or marts
	Age  float64 `json:"age_seconds"`  // since it was sent
	Took float64 `json:"took_seconds"` // of these, until it had arrived
}

// A Bill is what a month would cost if all went on as it does.
type Bill struct {
	Over                 float64           `json:"over_seconds"`
	RecordsPerSecond     float64           `json:"records_per_second"`
	USDMonth             float64           `json:"usd_month"`
	USDPerMillionRecords *float64          `json:"usd_per_million_records"` // null while no records come
	Components           []BilledComponent `json:"components"`
}

// A BilledComponent is one line of a bill.
type BilledComponent struct {
	Name     string  `json:"name"`
	USDMonth float64 `json:"usd_month"`
}

// A Simulation is the time of simulated stations.
type Simulation struct {
	At   time.Time `json:"at"`
	Pace float64   `json:"pace"`
	Laps int       `json:"laps"`
	Note string    `json:"note"`
}

// Refused is what was lately refused.
type Refused struct {
	Window float64    `json:"window_seconds"`
	Note   string     `json:"note"` // with Remedy empty while little is refused
	Remedy string     `json:"remedy"`
	Topics []Refusals `json:"topics"`
}

// Refusals are one topic of which much is refused.
type Refusals struct {
	Topic   string  `json:"topic"`
	Refused int64   `json:"refused"`
	Records int64   `json:"records"`
	Share   float64 `json:"share"`
	Reason  string  `json:"reason"`
}

// worst are the states from the one that most needs attention on; the whole
// is in the worst state of its hops. While some hop flows, one that has seen
// nothing yet is about to.
var worst = [...]State{Failing, Behind, Flowing, NothingYet, Idle}

// Overall is the worst of the hops, and of equals the first of the flow.
func Overall(hops []OfHop) Health {
	for _, state := range worst {
		for i := range hops {
			hop := &hops[i]
			rests := hop.Hop == TransformRuns || hop.Hop == Prod // flowing means that the last run had work; records may long have stopped
			if hop.State != state || state == Flowing && rests {
				continue
			}
			h := hop.Health
			switch state {
			case Flowing:
				h.Note = "Every hop keeps up."
			case Idle:
				h.Note = "Nothing comes, and nothing waits."
			default:
				h.Note = hop.Name + ": " + h.Note
			}
			return h
		}
	}
	return Health{State: NothingYet}
}
