package dashboard

import "time"

// strip is the document of /api/pipeline. Null stands for what is not known
// or has not happened; durations are in seconds.
type strip struct {
	At         time.Time        `json:"at"`
	Overall    Health           `json:"overall"`
	Stages     map[Stage]Health `json:"stages"`
	Figures    Health           `json:"figures"` // of the snapshot that is served
	Snapshot   int64            `json:"snapshot"`
	WaitingFor string           `json:"waiting_for"` // empty once there are figures

	Produced    int64  `json:"produced"`
	Published   int64  `json:"published"`
	Valid       int64  `json:"valid"`
	Quarantined int64  `json:"quarantined"`
	StagingRows *int64 `json:"staging_rows"`

	Lag struct {
		Records int64   `json:"records"`
		Seconds float64 `json:"seconds"`
	} `json:"lag"` // both hops together, the older age
	Freshness struct {
		Records int64    `json:"records"`
		P50     *float64 `json:"p50_seconds"`
		P99     *float64 `json:"p99_seconds"`
	} `json:"freshness"`
	Retries     int64 `json:"retries"`
	DeadLetters int64 `json:"dead_letters"`

	Transform struct {
		RunningSince *time.Time `json:"running_since"`
		LastFinished *time.Time `json:"last_finished"`
		LastTook     *float64   `json:"last_took_seconds"`
		LastStatus   *string    `json:"last_status"` // ok or failed
		Next         *time.Time `json:"next"`
	} `json:"transform"`
}

// stripOf describes the pipeline and the snapshot at the time now; times are
// in now's zone.
func stripOf(p Pipeline, s *snapshot, now time.Time) strip {
	judged, figures := p.health(now), s.health()
	v := strip{
		At:          now,
		Overall:     overall(judged, figures),
		Stages:      judged,
		Figures:     figures,
		Snapshot:    s.number,
		WaitingFor:  waitingFor(&p, s, now),
		Produced:    p.Produced,
		Published:   p.Published,
		Valid:       p.Valid,
		Quarantined: p.Quarantined,
		StagingRows: p.StagingRows,
		Retries:     p.Retries,
		DeadLetters: p.DeadLetters,
	}
	v.Lag.Records = p.BridgeLag.Records + p.IngestLag.Records
	v.Lag.Seconds = max(p.BridgeLag.Age, p.IngestLag.Age).Seconds()
	if v.Freshness.Records = p.Freshness.Records; p.Freshness.Records > 0 {
		v.Freshness.P50 = new(p.Freshness.P50.Seconds())
		v.Freshness.P99 = new(p.Freshness.P99.Seconds())
	}
	v.Transform.RunningSince = timeIn(now.Location(), p.Transform.RunningSince)
	v.Transform.Next = timeIn(now.Location(), p.Transform.Next)
	if v.Transform.LastFinished = timeIn(now.Location(), p.Transform.LastFinished); v.Transform.LastFinished != nil {
		v.Transform.LastTook = new(p.Transform.LastTook.Seconds())
		v.Transform.LastStatus = new("ok")
		if p.Transform.LastFailure != "" {
			v.Transform.LastStatus = new("failed")
		}
	}
	return v
}
