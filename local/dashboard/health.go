package dashboard

import (
	"fmt"
	"strconv"
	"time"
)

// A State says how a stage does. The words are those of the page.
type State string

const (
	OK         State = "ok"
	NothingYet State = "nothing yet"
	Behind     State = "behind"
	Failing    State = "failing"
)

// How late a stage may be before it is called behind. Events shall reach
// staging within seconds and prod_data within 90 s, the minute between two
// scheduled runs included.
const (
	maxLagAge    = 10 * time.Second
	maxFreshness = 10 * time.Second
	maxRun       = 60 * time.Second
	maxLate      = 15 * time.Second // a scheduled run that has not begun
)

// A Health is the state of a stage with the reason; Note is empty when there
// is nothing to say.
type Health struct {
	State State  `json:"state"`
	Note  string `json:"note"`
}

// health judges each stage at the time now. Times in notes are in now's zone.
func (p *Pipeline) health(now time.Time) map[Stage]Health {
	judged := map[Stage]Health{
		Kafka:         p.kafkaHealth(),
		Bridge:        p.bridgeHealth(),
		Ingest:        p.ingestHealth(),
		Staging:       p.stagingHealth(),
		TransformRuns: p.Transform.health(now),
	}
	for stage, fault := range p.Faults {
		judged[stage] = Health{Failing, fault}
	}
	return judged
}

func (p *Pipeline) kafkaHealth() Health {
	if p.Produced == 0 {
		return Health{NothingYet, "no record appended yet"}
	}
	return Health{State: OK}
}

func (p *Pipeline) bridgeHealth() Health {
	switch {
	case p.BridgeLag.Age > maxLagAge:
		return p.BridgeLag.health()
	case p.Published == 0:
		return Health{NothingYet, "no record published yet"}
	}
	return Health{State: OK}
}

func (p *Pipeline) ingestHealth() Health {
	switch {
	case p.DeadLetters > 0:
		return Health{Failing, plural(p.DeadLetters, "batch waits", "batches wait") + " in the dead letter to be replayed"}
	case p.IngestLag.Age > maxLagAge:
		return p.IngestLag.health()
	case p.Valid+p.Quarantined == 0:
		return Health{NothingYet, "no record ingested yet"}
	}
	return Health{State: OK}
}

func (p *Pipeline) stagingHealth() Health {
	switch {
	case p.Freshness.Records > 0 && p.Freshness.P99 > maxFreshness:
		return Health{Behind, "the slowest records took " + seconds(p.Freshness.P99) + " to get here"}
	case p.StagingRows == nil || *p.StagingRows == 0:
		return Health{NothingYet, "no row written yet"}
	}
	return Health{State: OK}
}

func (t *Transform) health(now time.Time) Health {
	running := !t.RunningSince.IsZero()
	overdue := now.Sub(t.Next)
	switch {
	case t.LastFailure != "":
		return Health{Failing, t.LastFailure}
	case running && now.Sub(t.RunningSince) > maxRun:
		return Health{Behind, "running for " + seconds(now.Sub(t.RunningSince))}
	case !running && !t.Next.IsZero() && overdue > maxLate:
		return Health{Behind, "the scheduled run is " + seconds(overdue) + " late"}
	case t.LastFinished.IsZero():
		return Health{NothingYet, "no run has finished yet"}
	}
	return Health{State: OK}
}

func (l Lag) health() Health {
	return Health{Behind, plural(l.Records, "record waits", "records wait") + ", the oldest for " + seconds(l.Age)}
}

// overall is the worst of the stages, and of reading the figures.
func overall(judged map[Stage]Health, figures Health) Health {
	all := make([]Health, 0, len(stages)+1)
	for _, stage := range stages {
		all = append(all, named(string(stage), judged[stage]))
	}
	all = append(all, named("dashboard", figures))
	for _, state := range []State{Failing, Behind, NothingYet} {
		for _, h := range all {
			if h.State == state {
				return h
			}
		}
	}
	return Health{OK, "every stage keeps up"}
}

func named(name string, h Health) Health {
	h.Note = name + ": " + h.Note
	return h
}

// health judges the snapshot itself.
func (s *snapshot) health() Health {
	switch {
	case s.failure != "":
		return Health{Failing, "the figures could not be read anew: " + s.failure}
	case len(s.rows) == 0:
		return Health{NothingYet, "no figures yet"}
	}
	return Health{State: OK}
}

// waitingFor says what has to happen before there are figures; "" when there
// are some. Times are in now's zone.
func waitingFor(p *Pipeline, s *snapshot, now time.Time) string {
	t := &p.Transform
	var next string
	switch {
	case !t.RunningSince.IsZero():
		next = "A transform has been running since " + clock(t.RunningSince, now) + "."
	case !t.Next.IsZero():
		next = "The next transform starts at " + clock(t.Next, now) + "."
	default:
		next = "No transform is scheduled: POST /transform runs one."
	}
	switch {
	case len(s.rows) > 0:
		return ""
	case p.Produced == 0:
		return "Waiting for the first events: the simulator's arrive within seconds, others when a producer writes to Kafka. " + next
	case p.StagingRows == nil || *p.StagingRows == 0:
		return "The first events are on their way to staging. " + next
	case t.LastFinished.IsZero():
		return "Events are in staging; the first transform turns them into figures. " + next
	case t.LastFailure != "":
		return "The last transform failed. " + next
	}
	return "The dashboard tables hold no figures yet. " + next
}

func clock(at, now time.Time) string { return at.In(now.Location()).Format(time.TimeOnly) }

// seconds writes a duration as the page does.
func seconds(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// plural writes how many there are, thousands apart.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

func grouped(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
