package dashboard

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/page"
	"github.com/stationflow/stationflow/internal/status"
)

// How late a hop may be before it is called behind. Events shall reach staging
// within seconds and prod_data within 90 s, the minute between two scheduled
// runs included.
const (
	maxLagAge    = 10 * time.Second
	maxFreshness = 10 * time.Second
	maxRun       = 60 * time.Second
	maxLate      = 15 * time.Second // a scheduled run that has not begun
)

// health judges each hop at the time now. Times in notes are in now's zone.
func (p *Pipeline) health(s *page.Snapshot, now time.Time) map[Hop]Health {
	return map[Hop]Health{
		Kafka:         p.kafkaHealth(),
		Bridge:        p.bridgeHealth(now),
		Transport:     p.transportHealth(),
		Ingest:        p.ingestHealth(),
		Staging:       p.stagingHealth(),
		TransformRuns: p.Transform.health(now),
		Prod:          snapshotHealth(s, p.Transform.nothingNew(), now),
	}
}

func (p *Pipeline) kafkaHealth() Health {
	flow := p.Flows[Kafka]
	if flow.Fault != "" {
		return healthOf(Failing, flow.Fault, cmp.Or(flow.Remedy, "Start the broker, or correct KAFKA_BOOTSTRAP_SERVERS and the credentials."))
	}
	if flow.Records == 0 {
		remedy := "Send events to the topics, or start with --simulate."
		if p.Simulation != nil {
			remedy = "The simulator's first events come within seconds."
		}
		return healthOf(NothingYet, "No record has been appended.", remedy)
	}
	return p.moving(flow, "appended")
}

// maxWake is how long a record may wait for a bridge that sleeps: until the next
// check, within a minute, and for the start.
const maxWake = 2 * time.Minute

func (p *Pipeline) bridgeHealth(now time.Time) Health {
	flow := p.Flows[Bridge]
	switch {
	case flow.Fault == "" && !flow.Asleep.IsZero():
		return flow.asleep(now)
	case flow.Fault != "":
		return healthOf(Failing, flow.fault(), cmp.Or(flow.Remedy, "The bridge's /status names the partition and what it waits for."))
	case flow.Held != "":
		return healthOf(Behind, flow.Held, "Nothing here can end it: see to the producer. More CPU does not help.")
	case flow.Waiting.late() && p.Flows[Transport].Fault != "":
		return healthOf(Behind, flow.Waiting.sentence(), "It catches up once "+p.name(Transport)+" works again.")
	case flow.Waiting.late() && flow.stands():
		return healthOf(Behind, flow.Waiting.sentence(), "Nothing is published at all: the bridge's /status names the partition and what it waits for.")
	case flow.Waiting.late():
		return healthOf(Behind, flow.Waiting.sentence(), "It catches up once the load falls or the transport takes more; more CPU helps.")
	case flow.Records == 0:
		return healthOf(NothingYet, "No record has been published.", "")
	}
	return p.moving(flow, "published")
}

// asleep judges a hop that does not run because nothing comes.
func (f *Flow) asleep(now time.Time) Health {
	since := "Asleep since " + clock(f.Asleep, now)
	switch {
	case f.Waiting == nil || f.Waiting.Records == 0:
		return healthOf(Idle, since+", wakes when a record comes.", "")
	case f.Waiting.Age > maxWake:
		return healthOf(Behind, since+", though "+f.Waiting.sentence(), "The check should have woken it: see in the log how it ended (pool checked, scale failed).")
	}
	return healthOf(Idle, since+"; "+f.Waiting.sentence()+" The next check, within a minute, wakes it.", "")
}

func (p *Pipeline) transportHealth() Health {
	flow := p.Flows[Transport]
	switch {
	case p.DeadLetters > 0:
		buried := status.Buried(p.DeadLetters, p.ForeignLetters)
		if flow.Fault != "" {
			buried = buried.And(healthOf(Failing, flow.fault(), flow.Remedy))
		}
		return buried
	case flow.Fault != "":
		return healthOf(Failing, flow.fault(), cmp.Or(flow.Remedy, "Deliveries are tried again; the log has each failure."))
	case flow.Waiting.late():
		return healthOf(Behind, flow.Waiting.sentence(), "It catches up once ingest answers faster; see whether ingest fails or the warehouse is busy.")
	case flow.Records == 0:
		return healthOf(NothingYet, "No batch has been delivered.", "")
	}
	return p.moving(flow, "delivered")
}

func (p *Pipeline) ingestHealth() Health {
	flow := p.Flows[Ingest]
	if flow.NoBatch > 0 {
		foreign := healthOf("", plural(flow.NoBatch, "delivery was of a message that is not a batch, and was refused.", "deliveries were of messages that are not batches, and were refused."),
			"No record is lost by that: find who publishes them.")
		return p.ingested(flow).And(foreign)
	}
	return p.ingested(flow)
}

func (p *Pipeline) ingested(flow Flow) Health {
	switch {
	case flow.Fault != "":
		return healthOf(Failing, flow.Fault, cmp.Or(flow.Remedy, "Nothing is lost: the batch is delivered again; the log has each failure (batch failed)."))
	case flow.Records == 0:
		return healthOf(NothingYet, "No record has been ingested.", "")
	}
	return p.moving(flow, "ingested")
}

func (p *Pipeline) stagingHealth() Health {
	flow := p.Flows[Staging]
	switch {
	case flow.Fault != "":
		return healthOf(Failing, flow.Fault, cmp.Or(flow.Remedy, "Nothing is lost: what comes is delivered again until it can be written."))
	case p.Freshness.Records > 0 && p.Freshness.P99 > maxFreshness && p.oldest() > maxFreshness: // else it has caught up
		return healthOf(Behind, "The slowest records took "+seconds(p.Freshness.P99)+" to get here.", "Look at the hops before: the oldest record waits at one of them.")
	case p.StagingRows == nil || *p.StagingRows == 0:
		return healthOf(NothingYet, "No row has been written.", "")
	}
	return p.moving(flow, "written")
}

// oldest is how old, about, the oldest record is on its way to staging.
func (p *Pipeline) oldest() (age time.Duration) {
	for _, flow := range p.Flows {
		if flow.Waiting != nil {
			age += flow.Waiting.Age
		}
	}
	return age
}

// moving tells flowing from idle.
func (p *Pipeline) moving(flow Flow, verb string) Health {
	if flow.PerSecond != nil && *flow.PerSecond == 0 && (flow.Waiting == nil || flow.Waiting.Records == 0) {
		return healthOf(Idle, "No record was "+verb+" for "+seconds(p.RateWindow)+".", "")
	}
	return Health{State: Flowing}
}

func (t *Transform) health(now time.Time) Health {
	running := !t.RunningSince.IsZero()
	overdue := now.Sub(t.Next)
	switch {
	case t.LastFailure != "":
		return healthOf(Failing, t.LastFailure, cmp.Or(t.Remedy, "prod_data keeps its last good figures; the log has the statement, and the next run tries again."))
	case running && now.Sub(t.RunningSince) > maxRun:
		return healthOf(Behind, "Running for "+seconds(now.Sub(t.RunningSince))+".", "See in the log which model takes long, or keep fewer days in staging.")
	case !running && !t.Next.IsZero() && overdue > maxLate:
		return healthOf(Behind, "The scheduled run is "+seconds(overdue)+" late.", "See whether the machine is overloaded; POST /transform runs one now.")
	case t.LastFinished.IsZero():
		return healthOf(NothingYet, "No run has finished.", "")
	case t.nothingNew():
		return healthOf(Idle, "The last run found nothing new.", "")
	}
	return Health{State: Flowing}
}

// nothingNew reports whether the last run found nothing to do.
func (t *Transform) nothingNew() bool { return !t.LastFinished.IsZero() && t.Changed == 0 }

// snapshotHealth judges the snapshot itself.
func snapshotHealth(s *page.Snapshot, nothingNew bool, now time.Time) Health {
	switch {
	case s.Failure != "":
		return healthOf(Failing, "The figures could not be read again: "+s.Failure, "What is shown is the last that was read; see whether BigQuery answers.")
	case len(s.Rows) == 0:
		return healthOf(NothingYet, "There are no figures.", "")
	case nothingNew:
		return healthOf(Idle, "The figures have not changed for "+seconds(now.Sub(s.ComputedAt()))+".", "")
	}
	return Health{State: Flowing}
}

// fault is why the last attempt failed, and what waits for the next one.
func (f *Flow) fault() string {
	if f.Waiting == nil || f.Waiting.Records == 0 {
		return f.Fault
	}
	return strings.TrimSuffix(f.Fault, ".") + "; " + f.Waiting.sentence()
}

// stands reports whether nothing at all passes.
func (f *Flow) stands() bool { return f.PerSecond != nil && *f.PerSecond == 0 }

// late reports whether what waits is too old.
func (l *Lag) late() bool { return l != nil && l.Age > maxLagAge }

func (l *Lag) sentence() string {
	return plural(l.Records, "record waits", "records wait") + ", the oldest for " + seconds(l.Age) + "."
}

// waitingFor says what has to happen before there are figures; "" when there
// are some. Times are in now's zone.
func waitingFor(p *Pipeline, s *page.Snapshot, now time.Time) string {
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
	case len(s.Rows) > 0:
		return ""
	case p.Flows[Kafka].Records == 0:
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
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f h", d.Hours())
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
