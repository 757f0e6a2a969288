package dashboard

import "time"

// A Status is the document of /api/pipeline, which the page and the terminal
// show. Null stands for what is not known or has not happened; durations are
// in seconds.
type Status struct {
	At         time.Time   `json:"at"`
	Overall    Health      `json:"overall"`
	Hops       []HopStatus `json:"hops"` // in the order of the flow
	Snapshot   int64       `json:"snapshot"`
	WaitingFor string      `json:"waiting_for"` // empty once there are figures

	Simulation *SimulationStatus `json:"simulation"` // null where the stations are real

	Alerts []AlertStatus `json:"alerts"` // that are open, the newest first

	Canaries   []CanaryStatus `json:"canaries"`    // the last ones, by hop
	CanaryNote string         `json:"canary_note"` // the same in a sentence; "" for none

	RateWindow       float64         `json:"rate_window_seconds"`
	Valid            int64           `json:"valid"`
	Quarantined      int64           `json:"quarantined"`
	QuarantinedShare *float64        `json:"quarantined_share"` // of valid and quarantined, tombstones left out
	Refused          RefusedStatus   `json:"refused"`           // lately
	NewFields        string          `json:"new_fields"`        // that have no column, in a sentence; "" for none
	StagingRows      *int64          `json:"staging_rows"`
	Freshness        FreshnessStatus `json:"freshness"`
	DeadLetters      int64           `json:"dead_letters"`
	Transform        TransformStatus `json:"transform"`
	Bill             *BillStatus     `json:"bill"`
}

// A HopStatus is one hop.
type HopStatus struct {
	Hop  Hop    `json:"hop"`
	Name string `json:"name"`
	Health
	Records   int64      `json:"records"` // that have passed; of prod the rows of the dashboard tables
	PerSecond *float64   `json:"per_second"`
	Waiting   *LagStatus `json:"waiting"`
	Retries   *int64     `json:"retries"`
	Failures  *int64     `json:"failures"`
}

// A LagStatus is what waits in front of a hop.
type LagStatus struct {
	Records int64   `json:"records"`
	Seconds float64 `json:"seconds"` // the age of the oldest
}

// A FreshnessStatus is the time from Kafka to staging.
type FreshnessStatus struct {
	Records int64    `json:"records"`
	P50     *float64 `json:"p50_seconds"`
	P99     *float64 `json:"p99_seconds"`
}

// A TransformStatus is the transform with its last run.
type TransformStatus struct {
	RunningSince *time.Time      `json:"running_since"`
	LastFinished *time.Time      `json:"last_finished"`
	LastTook     *float64        `json:"last_took_seconds"`
	LastStatus   *string         `json:"last_status"` // ok or failed
	Next         *time.Time      `json:"next"`
	Changed      int64           `json:"changed"` // models that the last run built again
	Models       []ModelStatus   `json:"models"`
	TestsRun     int64           `json:"tests_run"`
	Findings     []FindingStatus `json:"findings"`
}

// A ModelStatus is one model of the last run.
type ModelStatus struct {
	Name   string  `json:"name"`
	Status string  `json:"status"`
	Took   float64 `json:"took_seconds"`
	Rows   *int64  `json:"rows"` // of the table as last read; null for a view
	Error  string  `json:"error"`
}

// A FindingStatus is one test of the last run that found something.
type FindingStatus struct {
	Test   string `json:"test"`
	Status string `json:"status"`
	Rows   int64  `json:"rows"`
	Error  string `json:"error"`
}

// Status describes the pipeline and the snapshot now, from memory.
func (d *Dashboard) Status() Status {
	return statusOf(d.pipeline(), d.last.Load(), d.now().In(d.location))
}

// statusOf describes the pipeline and the snapshot at the time now; times are
// in now's zone.
func statusOf(p Pipeline, s *snapshot, now time.Time) Status {
	judged := p.health(s, now)
	v := Status{
		At:          now,
		Overall:     overall(judged, p.name),
		Snapshot:    s.number,
		WaitingFor:  waitingFor(&p, s, now),
		Simulation:  p.Simulation.status(now),
		Alerts:      p.alertsStatus(now),
		Canaries:    canaryStatus(p.Canaries, now),
		CanaryNote:  canaryNote(p.Canaries, now),
		RateWindow:  p.RateWindow.Seconds(),
		Valid:       p.Valid,
		Quarantined: p.Quarantined,
		StagingRows: p.StagingRows,
		Refused:     p.Refused.status(),
		NewFields:   newFields(p.NewFields, now),
		DeadLetters: p.DeadLetters,
		Transform:   p.Transform.status(s, now),
		Bill:        p.Bill.status(),
	}
	if all := p.Valid + p.Quarantined; all > 0 {
		v.QuarantinedShare = new(float64(max(p.Quarantined-p.Tombstones, 0)) / float64(all))
	}
	if v.Freshness.Records = p.Freshness.Records; p.Freshness.Records > 0 {
		v.Freshness.P50 = new(p.Freshness.P50.Seconds())
		v.Freshness.P99 = new(p.Freshness.P99.Seconds())
	}
	for _, hop := range hops {
		flow := p.flow(hop, s)
		v.Hops = append(v.Hops, HopStatus{
			Hop: hop, Name: p.name(hop), Health: judged[hop],
			Records: flow.Records, PerSecond: flow.PerSecond, Waiting: flow.Waiting.status(),
			Retries: flow.Retries, Failures: flow.Failures,
		})
	}
	return v
}

// flow is what passed a hop; that of the last two is read elsewhere.
func (p *Pipeline) flow(hop Hop, s *snapshot) Flow {
	switch hop {
	case TransformRuns:
		return Flow{Records: int64(len(p.Transform.Models)), Waiting: p.Transform.Waiting, Failures: &p.Transform.Failures}
	case Prod:
		return Flow{Records: int64(len(s.rows))}
	}
	return p.Flows[hop]
}

// name is what people call a hop.
func (p *Pipeline) name(hop Hop) string {
	switch hop {
	case Kafka:
		return "Kafka"
	case Bridge:
		return "Bridge"
	case Transport:
		if p.TransportName != "" {
			return p.TransportName
		}
		return "Transport"
	case Ingest:
		return "Ingest"
	case Staging:
		return "Staging"
	case TransformRuns:
		return "Transform"
	}
	return "Prod"
}

func (l *Lag) status() *LagStatus {
	if l == nil {
		return nil
	}
	return &LagStatus{Records: l.Records, Seconds: l.Age.Seconds()}
}

func (t *Transform) status(s *snapshot, now time.Time) TransformStatus {
	v := TransformStatus{
		RunningSince: timeIn(now.Location(), t.RunningSince),
		LastFinished: timeIn(now.Location(), t.LastFinished),
		Next:         timeIn(now.Location(), t.Next),
		Changed:      t.Changed,
		TestsRun:     t.TestsRun,
		Models:       []ModelStatus{},
		Findings:     []FindingStatus{},
	}
	if v.LastFinished != nil {
		v.LastTook = new(t.LastTook.Seconds())
		v.LastStatus = new("ok")
		if t.LastFailure != "" {
			v.LastStatus = new("failed")
		}
	}
	for _, m := range t.Models {
		one := ModelStatus{Name: m.Name, Status: m.Status, Took: m.Took.Seconds(), Error: m.Error}
		if rows, isTable := s.sizes[m.Name]; isTable {
			one.Rows = &rows
		}
		v.Models = append(v.Models, one)
	}
	for _, f := range t.Findings {
		v.Findings = append(v.Findings, FindingStatus(f))
	}
	return v
}
