package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/page"
)

var evening = time.Date(2026, 11, 22, 19, 30, 0, 0, time.FixedZone("network", 3600))

// well is a pipeline in which every hop keeps up; change alters it.
func well(change func(*Pipeline)) Pipeline {
	p := Pipeline{
		TransportName: "Pub/Sub", RateWindow: 30 * time.Second,
		Flows: map[Hop]Flow{
			Kafka:     {Records: 100, PerSecond: new(10.0)},
			Bridge:    {Records: 90, PerSecond: new(9.0), Waiting: &Lag{Records: 10, Age: time.Second}},
			Transport: {Records: 82, PerSecond: new(8.2), Waiting: &Lag{Records: 8, Age: time.Second}},
			Ingest:    {Records: 82, PerSecond: new(8.2)},
			Staging:   {Records: 82, PerSecond: new(8.2)},
		},
		Valid: 80, Quarantined: 2, StagingRows: new(int64(82)),
		Freshness: Freshness{Records: 80, P50: time.Second, P99: 2 * time.Second},
		Transform: Transform{LastFinished: evening.Add(-30 * time.Second), LastTook: time.Second, Changed: 1, Next: evening.Add(30 * time.Second)},
	}
	if change != nil {
		change(&p)
	}
	return p
}

// on changes the flow of a hop.
func on(hop Hop, change func(*Flow)) func(*Pipeline) {
	return func(p *Pipeline) {
		flow := p.Flows[hop]
		change(&flow)
		p.Flows[hop] = flow
	}
}

func waits(records int64, age time.Duration) func(*Flow) {
	return func(f *Flow) { f.Waiting = &Lag{records, age} }
}

func fails(why string) func(*Flow) { return func(f *Flow) { f.Fault = why } }
func nothing(f *Flow)              { *f = Flow{} }
func sleeps(f *Flow)               { f.Asleep = evening.Add(-30 * time.Minute) }
func still(f *Flow)                { f.PerSecond, f.Waiting = new(0.0), nil }

// fresh is a snapshot read and computed a moment ago.
func fresh() *page.Snapshot {
	return &page.Snapshot{Rows: []Row{{ComputedAt: evening.Add(-30 * time.Second)}}, ReadAt: evening}
}

// Every hop reaches every state that it can be in.
func TestHealth(t *testing.T) {
	t.Parallel()
	reached := map[Hop]map[State]bool{}
	for name, test := range map[string]struct {
		hop    Hop
		change func(*Pipeline)
		want   State
		note   string // part of it
	}{
		"records appended":  {Kafka, nil, Flowing, ""},
		"nothing appended":  {Kafka, on(Kafka, nothing), NothingYet, "No record"},
		"appending stopped": {Kafka, on(Kafka, still), Idle, "No record was appended for 30 s"},
		"rate unknown":      {Kafka, on(Kafka, func(f *Flow) { f.PerSecond = nil }), Flowing, ""},
		"broker away":       {Kafka, on(Kafka, fails("connection refused")), Failing, "connection refused"},

		"bridge keeps up":        {Bridge, nil, Flowing, ""},
		"nothing published":      {Bridge, on(Bridge, nothing), NothingYet, "No record"},
		"bridge never published": {Bridge, on(Bridge, func(f *Flow) { f.Records, f.Waiting = 0, &Lag{3, time.Minute} }), Behind, "60 s"},
		"bridge at the limit":    {Bridge, on(Bridge, waits(10, 10*time.Second)), Flowing, ""},
		"bridge late":            {Bridge, on(Bridge, waits(1_234_567, 11*time.Second)), Behind, "1,234,567 records wait, the oldest for 11 s"},
		"one record late":        {Bridge, on(Bridge, waits(1, 5*time.Minute)), Behind, "1 record waits, the oldest for 5 min"},
		"bridge idle":            {Bridge, on(Bridge, still), Idle, "No record was published"},
		"still, but some wait":   {Bridge, on(Bridge, func(f *Flow) { f.PerSecond = new(0.0) }), Flowing, ""},
		"late and standing":      {Bridge, func(p *Pipeline) { on(Bridge, still)(p); on(Bridge, waits(3, time.Minute))(p) }, Behind, "3 records wait"},
		"asleep":                 {Bridge, func(p *Pipeline) { on(Bridge, still)(p); on(Bridge, sleeps)(p) }, Idle, "Asleep since 19:00:00, wakes when a record comes."},
		"about to wake":          {Bridge, func(p *Pipeline) { on(Bridge, waits(1, time.Minute))(p); on(Bridge, sleeps)(p) }, Idle, "Asleep since 19:00:00; 1 record waits, the oldest for 60 s. The next check, within a minute, wakes it."},
		"asleep and late":        {Bridge, func(p *Pipeline) { on(Bridge, waits(1, 3*time.Minute))(p); on(Bridge, sleeps)(p) }, Behind, "Asleep since 19:00:00, though 1 record waits"},
		"asleep, no check":       {Bridge, func(p *Pipeline) { on(Bridge, fails("no check."))(p); on(Bridge, sleeps)(p) }, Failing, "no check"},
		"open transaction":       {Bridge, on(Bridge, func(f *Flow) { f.Held = "A transaction is open." }), Behind, "A transaction is open."},
		"bridge fault":           {Bridge, on(Bridge, fails("topic gone.")), Failing, "topic gone; 10 records wait, the oldest for 1 s."},

		"transport keeps up":    {Transport, nil, Flowing, ""},
		"nothing delivered":     {Transport, on(Transport, nothing), NothingYet, "No batch"},
		"transport idle":        {Transport, on(Transport, still), Idle, "delivered"},
		"transport late":        {Transport, on(Transport, waits(8, time.Minute)), Behind, "8 records wait"},
		"transport fault":       {Transport, on(Transport, fails("unavailable")), Failing, "unavailable"},
		"dead letter":           {Transport, func(p *Pipeline) { p.DeadLetters = 1 }, Failing, "1 batch waits in the dead letter"},
		"a foreign message":     {Transport, func(p *Pipeline) { p.DeadLetters, p.ForeignLetters = 1, []string{"m1"} }, Failing, "1 message that is not a batch waits in the dead letter"},
		"both":                  {Transport, func(p *Pipeline) { on(Transport, fails("no answer."))(p); p.DeadLetters = 1 }, Failing, "1 batch waits in the dead letter. no answer; 8 records wait, the oldest for 1 s."},
		"dead letters, nothing": {Transport, func(p *Pipeline) { on(Transport, nothing)(p); p.DeadLetters = 2 }, Failing, "2 batches wait"},

		"ingest keeps up":  {Ingest, nil, Flowing, ""},
		"nothing ingested": {Ingest, on(Ingest, nothing), NothingYet, "No record"},
		"ingest idle":      {Ingest, on(Ingest, still), Idle, "ingested"},
		"only quarantine":  {Ingest, func(p *Pipeline) { p.Valid = 0 }, Flowing, ""},
		"ingest fault":     {Ingest, on(Ingest, fails("warehouse away")), Failing, "warehouse away"},

		"rows in staging": {Staging, nil, Flowing, ""},
		"warehouse away":  {Staging, on(Staging, func(f *Flow) { still(f); f.Fault = "BigQuery does not answer." }), Failing, "BigQuery does not answer."},
		"rows unknown":    {Staging, func(p *Pipeline) { p.StagingRows = nil }, NothingYet, "No row"},
		"no rows":         {Staging, func(p *Pipeline) { p.StagingRows = new(int64(0)) }, NothingYet, "No row"},
		"staging idle":    {Staging, on(Staging, still), Idle, "written"},
		"rows come late": {Staging, func(p *Pipeline) {
			p.Freshness.P99 = 30 * time.Second
			on(Transport, waits(8, 9500*time.Millisecond))(p)
		}, Behind, "30 s"},
		"caught up":         {Staging, func(p *Pipeline) { p.Freshness.P99 = 30 * time.Second }, Flowing, ""},
		"late but long ago": {Staging, func(p *Pipeline) { p.Freshness = Freshness{P99: 30 * time.Second} }, Flowing, ""},

		"transform in time": {TransformRuns, nil, Flowing, ""},
		"no run yet":        {TransformRuns, func(p *Pipeline) { p.Transform.LastFinished = time.Time{} }, NothingYet, "No run"},
		"nothing new":       {TransformRuns, func(p *Pipeline) { p.Transform.Changed = 0 }, Idle, "nothing new"},
		"last run failed":   {TransformRuns, func(p *Pipeline) { p.Transform.LastFailure = "model x failed" }, Failing, "model x failed"},
		"first run failed":  {TransformRuns, func(p *Pipeline) { p.Transform = Transform{LastFailure: "no warehouse"} }, Failing, "no warehouse"},
		"run overdue":       {TransformRuns, func(p *Pipeline) { p.Transform.Next = evening.Add(-20 * time.Second) }, Behind, "20 s late"},
		"overdue but running": {TransformRuns, func(p *Pipeline) {
			p.Transform.Next = evening.Add(-20 * time.Second)
			p.Transform.RunningSince = p.Transform.Next
		}, Flowing, ""},
		"run takes long":    {TransformRuns, func(p *Pipeline) { p.Transform.RunningSince = evening.Add(-90 * time.Second) }, Behind, "Running for 90 s"},
		"nothing scheduled": {TransformRuns, func(p *Pipeline) { p.Transform.Next = time.Time{} }, Flowing, ""},
	} {
		p := well(test.change)
		got := p.health(fresh(), evening)[test.hop]
		check(t, name, test.hop, got, test.want, test.note)
		if reached[test.hop] == nil {
			reached[test.hop] = map[State]bool{}
		}
		reached[test.hop][test.want] = true
	}
	for hop, cannot := range map[Hop]State{Kafka: Behind, Bridge: "", Transport: "", Ingest: Behind, Staging: "", TransformRuns: ""} {
		for _, state := range []State{Failing, Behind, Flowing, NothingYet, Idle} {
			if state != cannot && !reached[hop][state] {
				t.Errorf("no case has %s %s", hop, state)
			}
		}
	}
}

// A remedy helps against what is wrong: it is the hop's own where it has one,
// and advice about load is for load alone.
func TestHealth_Remedy(t *testing.T) {
	t.Parallel()
	mended := func(f *Flow) { f.Fault, f.Remedy = "It is wrong.", "Mend it." }
	for name, test := range map[string]struct {
		hop    Hop
		change func(*Pipeline)
		want   string // part of it
		not    string
	}{
		"Kafka's own":             {Kafka, on(Kafka, mended), "Mend it.", "Start the broker"},
		"the bridge's own":        {Bridge, on(Bridge, mended), "Mend it.", "/status"},
		"the functions' own":      {Ingest, on(Ingest, mended), "Mend it.", "the log has each failure"},
		"the warehouse's own":     {Staging, on(Staging, mended), "Mend it.", "delivered again"},
		"records pass, too few":   {Bridge, on(Bridge, waits(10, time.Minute)), "more CPU helps", "/status"},
		"no record passes":        {Bridge, func(p *Pipeline) { on(Bridge, still)(p); on(Bridge, waits(10, time.Minute))(p) }, "/status", "CPU"},
		"a transaction keeps all": {Bridge, on(Bridge, func(f *Flow) { f.Held = "A transaction is open." }), "More CPU does not help.", "catches up"},
	} {
		p := well(test.change)
		got := p.health(fresh(), evening)[test.hop].Remedy
		if !strings.Contains(got, test.want) || strings.Contains(got, test.not) {
			t.Errorf("%s: the remedy is %q, want one with %q and without %q", name, got, test.want, test.not)
		}
	}
}

// A state has a reason unless all is well, and what is wrong has a remedy.
func check(t *testing.T, name string, hop Hop, got Health, want State, note string) {
	t.Helper()
	bad := want == Failing || want == Behind
	if got.State != want || !strings.Contains(got.Note, note) || (want == Flowing) != (got.Note == "") || bad && got.Remedy == "" {
		t.Errorf("%s: %s is %+v, want %s with a note that has %q, and a remedy if it is bad", name, hop, got, want, note)
	}
}

// What ingest refused is told of although it works.
func TestHealth_NoBatch(t *testing.T) {
	t.Parallel()
	for change, want := range map[*func(*Flow)]Health{
		new(func(f *Flow) { f.NoBatch = 17 }): {State: Flowing, Note: "17 deliveries were of messages that are not batches, and were refused.", Remedy: "No record is lost by that: find who publishes them."},
		new(func(f *Flow) { f.NoBatch, f.Fault = 1, "The warehouse is away" }): {State: Failing, Note: "The warehouse is away. 1 delivery was of a message that is not a batch, and was refused.",
			Remedy: "Nothing is lost: the batch is delivered again; the log has each failure (batch failed).\nNo record is lost by that: find who publishes them."},
	} {
		p := well(on(Ingest, *change))
		if got := p.health(fresh(), evening)[Ingest]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestHealth_Prod(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*page.Snapshot)
		changed int64 // models of the last run
		want    State
		note    string
	}{
		"new":        {func(*page.Snapshot) {}, 1, Flowing, ""},
		"none":       {func(s *page.Snapshot) { s.Rows = nil }, 0, NothingYet, "no figures"},
		"old":        {func(s *page.Snapshot) { s.Rows[0].ComputedAt = evening.Add(-3 * time.Hour) }, 0, Idle, "3 h"},
		"unread":     {func(s *page.Snapshot) { s.Failure = "no answer" }, 0, Failing, "no answer"},
		"never read": {func(s *page.Snapshot) { *s = page.Snapshot{Failure: "no answer"} }, 0, Failing, "no answer"},
	} {
		s := fresh()
		test.change(s)
		p := well(func(p *Pipeline) { p.Transform.Changed = test.changed })
		check(t, name, Prod, p.health(s, evening)[Prod], test.want, test.note)
	}
}

// The worst state is the whole's, and of equals the one first in the flow.
func TestOverall(t *testing.T) {
	t.Parallel()
	allStill := func(p *Pipeline) {
		for _, hop := range []Hop{Kafka, Bridge, Transport, Ingest, Staging} {
			on(hop, still)(p)
		}
		p.Transform.Changed = 0
	}
	for name, test := range map[string]struct {
		change func(*Pipeline)
		shown  *page.Snapshot
		state  State
		note   string
	}{
		"well":            {nil, fresh(), Flowing, "Every hop keeps up."},
		"idle":            {allStill, &page.Snapshot{Rows: make([]Row, 1)}, Idle, "Nothing comes, and nothing waits."},
		"starting":        {func(p *Pipeline) { p.Transform.LastFinished = time.Time{} }, fresh(), Flowing, "Every hop keeps up."},
		"nothing came":    {func(p *Pipeline) { allStill(p); p.Transform.LastFinished = time.Time{} }, &page.Snapshot{}, NothingYet, "Transform: No run has finished."},
		"late and new":    {func(p *Pipeline) { p.Transform.LastFinished = time.Time{}; on(Bridge, waits(10, time.Minute))(p) }, fresh(), Behind, "Bridge: 10 records wait, the oldest for 60 s."},
		"late and broken": {func(p *Pipeline) { on(Bridge, waits(10, time.Minute))(p); p.Transform.LastFailure = "no" }, fresh(), Failing, "Transform: no."},
		"two broken":      {func(p *Pipeline) { on(Ingest, fails("no"))(p); p.DeadLetters = 3 }, fresh(), Failing, "Pub/Sub: 3 batches wait in the dead letter."},
		"unread":          {nil, &page.Snapshot{Failure: "no answer"}, Failing, "Prod: The figures could not be read again: no answer."},
	} {
		p := well(test.change)
		got := statusOf(p, test.shown, nil, evening).Overall
		if got.State != test.state || got.Note != test.note {
			t.Errorf("%s: overall is %+v, want %s: %s", name, got, test.state, test.note)
		}
	}
}

func TestWaitingFor(t *testing.T) {
	t.Parallel()
	some := map[Hop]Flow{Kafka: {Records: 1}}
	utc := evening.Add(40 * time.Second).UTC() // shown in the network's zone
	for name, test := range map[string]struct {
		pipeline Pipeline
		rows     []Row
		want     string
	}{
		"figures": {Pipeline{}, make([]Row, 1), ""},
		"nothing": {Pipeline{Transform: Transform{Next: utc}}, nil,
			"Waiting for the first events: the simulator's arrive within seconds, others when a producer writes to Kafka. The next transform starts at 19:30:40."},
		"on the way":        {Pipeline{Flows: some}, nil, "The first events are on their way to staging. No transform is scheduled: POST /transform runs one."},
		"in staging":        {Pipeline{Flows: some, StagingRows: new(int64(1)), Transform: Transform{RunningSince: utc}}, nil, "Events are in staging; the first transform turns them into figures. A transform has been running since 19:30:40."},
		"transform failed":  {Pipeline{Flows: some, StagingRows: new(int64(1)), Transform: Transform{LastFinished: utc, LastFailure: "no", Next: utc}}, nil, "The last transform failed. The next transform starts at 19:30:40."},
		"transformed, none": {Pipeline{Flows: some, StagingRows: new(int64(1)), Transform: Transform{LastFinished: utc, Next: utc}}, nil, "The dashboard tables hold no figures yet. The next transform starts at 19:30:40."},
	} {
		if got := waitingFor(&test.pipeline, &page.Snapshot{Rows: test.rows}, evening); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Who simulates is not told to.
func TestHealth_NothingYetWhileSimulating(t *testing.T) {
	t.Parallel()
	p := Pipeline{Flows: map[Hop]Flow{Kafka: {}}}
	if got := p.kafkaHealth(); got.State != NothingYet || !strings.Contains(got.Remedy, "--simulate") {
		t.Errorf("%+v", got)
	}
	p.Simulation = &Simulation{}
	if got := p.kafkaHealth(); got.State != NothingYet || strings.Contains(got.Remedy, "--simulate") {
		t.Errorf("while it simulates: %+v", got)
	}
}
