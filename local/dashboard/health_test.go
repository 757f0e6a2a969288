package dashboard

import (
	"strings"
	"testing"
	"time"
)

var evening = time.Date(2026, 11, 22, 19, 30, 0, 0, time.FixedZone("network", 3600))

// well is a pipeline in which every stage keeps up; change alters it.
func well(change func(*Pipeline)) Pipeline {
	p := Pipeline{
		Produced: 100, Published: 90, Valid: 80, Quarantined: 2, StagingRows: new(int64(82)),
		BridgeLag: Lag{Records: 10, Age: time.Second},
		IngestLag: Lag{Records: 8, Age: time.Second},
		Freshness: Freshness{Records: 80, P50: time.Second, P99: 2 * time.Second},
		Transform: Transform{LastFinished: evening.Add(-30 * time.Second), LastTook: time.Second, Next: evening.Add(30 * time.Second)},
	}
	change(&p)
	return p
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Pipeline)
		stage  Stage
		want   State
		note   string // part of it
	}{
		"records appended":       {func(*Pipeline) {}, Kafka, OK, ""},
		"nothing appended":       {func(p *Pipeline) { p.Produced = 0 }, Kafka, NothingYet, "no record"},
		"bridge keeps up":        {func(*Pipeline) {}, Bridge, OK, ""},
		"nothing published":      {func(p *Pipeline) { p.Published = 0 }, Bridge, NothingYet, "no record"},
		"bridge never published": {func(p *Pipeline) { p.Published, p.BridgeLag.Age = 0, time.Minute }, Bridge, Behind, "60 s"},
		"bridge at the limit":    {func(p *Pipeline) { p.BridgeLag.Age = 10 * time.Second }, Bridge, OK, ""},
		"bridge late":            {func(p *Pipeline) { p.BridgeLag = Lag{1_234_567, 11 * time.Second} }, Bridge, Behind, "1,234,567 records wait, the oldest for 11 s"},
		"one record late":        {func(p *Pipeline) { p.BridgeLag = Lag{1, 5 * time.Minute} }, Bridge, Behind, "1 record waits, the oldest for 5 min"},
		"bridge fault":           {func(p *Pipeline) { p.Faults = map[Stage]string{Bridge: "topic gone"} }, Bridge, Failing, "topic gone"},
		"ingest keeps up":        {func(*Pipeline) {}, Ingest, OK, ""},
		"nothing ingested":       {func(p *Pipeline) { p.Valid, p.Quarantined = 0, 0 }, Ingest, NothingYet, "no record"},
		"only quarantine":        {func(p *Pipeline) { p.Valid = 0 }, Ingest, OK, ""},
		"ingest late":            {func(p *Pipeline) { p.IngestLag.Age = time.Minute }, Ingest, Behind, "8 records wait"},
		"dead letter":            {func(p *Pipeline) { p.DeadLetters = 1 }, Ingest, Failing, "1 batch waits in the dead letter"},
		"rows in staging":        {func(*Pipeline) {}, Staging, OK, ""},
		"rows unknown":           {func(p *Pipeline) { p.StagingRows = nil }, Staging, NothingYet, "no row"},
		"no rows":                {func(p *Pipeline) { p.StagingRows = new(int64(0)) }, Staging, NothingYet, "no row"},
		"rows come late":         {func(p *Pipeline) { p.Freshness.P99 = 30 * time.Second }, Staging, Behind, "30 s"},
		"late but long ago":      {func(p *Pipeline) { p.Freshness = Freshness{P99: 30 * time.Second} }, Staging, OK, ""},
		"transform in time":      {func(*Pipeline) {}, TransformRuns, OK, ""},
		"no run yet":             {func(p *Pipeline) { p.Transform.LastFinished = time.Time{} }, TransformRuns, NothingYet, "no run"},
		"last run failed":        {func(p *Pipeline) { p.Transform.LastFailure = "model x failed" }, TransformRuns, Failing, "model x failed"},
		"first run failed":       {func(p *Pipeline) { p.Transform = Transform{LastFailure: "no warehouse"} }, TransformRuns, Failing, "no warehouse"},
		"run overdue":            {func(p *Pipeline) { p.Transform.Next = evening.Add(-20 * time.Second) }, TransformRuns, Behind, "20 s late"},
		"overdue but running": {func(p *Pipeline) {
			p.Transform.Next = evening.Add(-20 * time.Second)
			p.Transform.RunningSince = p.Transform.Next
		}, TransformRuns, OK, ""},
		"run takes long":    {func(p *Pipeline) { p.Transform.RunningSince = evening.Add(-90 * time.Second) }, TransformRuns, Behind, "running for 90 s"},
		"nothing scheduled": {func(p *Pipeline) { p.Transform.Next = time.Time{} }, TransformRuns, OK, ""},
	} {
		p := well(test.change)
		got := p.health(evening)[test.stage]
		if got.State != test.want || !strings.Contains(got.Note, test.note) || (got.State == OK) != (got.Note == "") {
			t.Errorf("%s: %s is %+v, want %s with a note that has %q", name, test.stage, got, test.want, test.note)
		}
	}
}

// The worst state is the whole's, and of equals the one first in the flow.
func TestOverall(t *testing.T) {
	t.Parallel()
	fine := Health{State: OK}
	for name, test := range map[string]struct {
		change  func(*Pipeline)
		figures Health
		want    Health
	}{
		"well":            {func(*Pipeline) {}, fine, Health{OK, "every stage keeps up"}},
		"starting":        {func(p *Pipeline) { p.Transform.LastFinished = time.Time{} }, fine, Health{NothingYet, "transform: no run has finished yet"}},
		"late and new":    {func(p *Pipeline) { p.Transform.LastFinished, p.BridgeLag.Age = time.Time{}, time.Minute }, fine, Health{Behind, "bridge: 10 records wait, the oldest for 60 s"}},
		"late and broken": {func(p *Pipeline) { p.BridgeLag.Age, p.Transform.LastFailure = time.Minute, "no" }, fine, Health{Failing, "transform: no"}},
		"unread":          {func(*Pipeline) {}, Health{Failing, "no answer"}, Health{Failing, "dashboard: no answer"}},
	} {
		p := well(test.change)
		if got := overall(p.health(evening), test.figures); got != test.want {
			t.Errorf("%s: overall is %+v, want %+v", name, got, test.want)
		}
	}
}

func TestWaitingFor(t *testing.T) {
	t.Parallel()
	utc := evening.Add(40 * time.Second).UTC() // shown in the network's zone
	for name, test := range map[string]struct {
		pipeline Pipeline
		rows     []Row
		want     string
	}{
		"figures": {Pipeline{}, make([]Row, 1), ""},
		"nothing": {Pipeline{Transform: Transform{Next: utc}}, nil,
			"Waiting for the first events: the simulator's arrive within seconds, others when a producer writes to Kafka. The next transform starts at 19:30:40."},
		"on the way":        {Pipeline{Produced: 1}, nil, "The first events are on their way to staging. No transform is scheduled: POST /transform runs one."},
		"in staging":        {Pipeline{Produced: 1, StagingRows: new(int64(1)), Transform: Transform{RunningSince: utc}}, nil, "Events are in staging; the first transform turns them into figures. A transform has been running since 19:30:40."},
		"transform failed":  {Pipeline{Produced: 1, StagingRows: new(int64(1)), Transform: Transform{LastFinished: utc, LastFailure: "no", Next: utc}}, nil, "The last transform failed. The next transform starts at 19:30:40."},
		"transformed, none": {Pipeline{Produced: 1, StagingRows: new(int64(1)), Transform: Transform{LastFinished: utc, Next: utc}}, nil, "The dashboard tables hold no figures yet. The next transform starts at 19:30:40."},
	} {
		if got := waitingFor(&test.pipeline, &snapshot{rows: test.rows}, evening); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
