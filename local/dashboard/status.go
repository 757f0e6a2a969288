package dashboard

import (
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/page"
	"github.com/stationflow/stationflow/internal/status"
)

// What the page and the terminal show, and its states and hops, in the words
// of package status.
type (
	Status           = status.Status
	HopStatus        = status.OfHop
	LagStatus        = status.Lag
	FreshnessStatus  = status.Freshness
	TransformStatus  = status.Transform
	ModelStatus      = status.Model
	FindingStatus    = status.Finding
	AlertStatus      = status.Alert
	CanaryStatus     = status.Canary
	BillStatus       = status.Bill
	BilledComponent  = status.BilledComponent
	SimulationStatus = status.Simulation
	RefusedStatus    = status.Refused
	RefusalsStatus   = status.Refusals
	Health           = status.Health
	State            = status.State
	Hop              = status.Hop
)

// The states and the hops.
const (
	NothingYet = status.NothingYet
	Flowing    = status.Flowing
	Idle       = status.Idle
	Behind     = status.Behind
	Failing    = status.Failing

	Kafka         = status.Kafka
	Bridge        = status.Bridge
	Transport     = status.Transport
	Ingest        = status.Ingest
	Staging       = status.Staging
	TransformRuns = status.TransformRuns
	Prod          = status.Prod
)

// state describes the pipeline and the snapshot now, from memory.
func (d *Dashboard) state(s *page.Snapshot) Status {
	return statusOf(d.pipeline(), s, *d.sizes.Load(), d.Now().In(d.Location))
}

// statusOf describes the pipeline and the snapshot at the time now; times are
// in now's zone. sizes are the rows of each table.
func statusOf(p Pipeline, s *page.Snapshot, sizes map[string]int64, now time.Time) Status {
	judged := p.health(s, now)
	v := Status{
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
		Transform:   p.Transform.status(sizes, now),
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
			Records: flow.Records, Unit: unit(hop), PerSecond: flow.PerSecond, Waiting: flow.Waiting.status(),
			Retries: flow.Retries, Failures: flow.Failures,
		})
	}
	v.Overall, v.CountNote = status.Overall(v.Hops), status.CountNote(v.Hops)
	return v
}

// flow is what passed a hop; that of the last two is read elsewhere.
func (p *Pipeline) flow(hop Hop, s *page.Snapshot) Flow {
	switch hop {
	case TransformRuns:
		return Flow{Records: int64(len(p.Transform.Models)), Waiting: p.Transform.Waiting, Failures: &p.Transform.Failures}
	case Prod:
		return Flow{Records: int64(len(s.Rows))}
	}
	return p.Flows[hop]
}

// unit is what a hop counts.
func unit(hop Hop) string {
	switch hop {
	case TransformRuns:
		return status.Models
	case Prod:
		return status.Rows
	}
	return status.Records
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

func (t *Transform) status(sizes map[string]int64, now time.Time) TransformStatus {
	v := TransformStatus{
		RunningSince: status.Time(now.Location(), t.RunningSince),
		LastFinished: status.Time(now.Location(), t.LastFinished),
		Next:         status.Time(now.Location(), t.Next),
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
		if rows, isTable := sizes[m.Name]; isTable {
			one.Rows = &rows
		}
		v.Models = append(v.Models, one)
	}
	for _, f := range t.Findings {
		v.Findings = append(v.Findings, FindingStatus(f))
	}
	return v
}

func healthOf(state State, note, remedy string) Health {
	if note != "" && !strings.ContainsAny(note[len(note)-1:], ".!?") { // others' errors are not sentences
		note += "."
	}
	return Health{State: state, Note: note, Remedy: remedy}
}
