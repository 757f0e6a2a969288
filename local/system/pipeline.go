package system

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/pubsub"
	"github.com/stationflow/stationflow/local/telemetry"
)

// pipeline is the state that the page and the terminal show. It is put
// together from what every part counts for itself, without a query.
func (s *System) pipeline() dashboard.Pipeline {
	figures, now := s.watcher.Figures(), s.read()
	staging := now.ingested()
	p := dashboard.Pipeline{
		TransportName: s.transportName(),
		RateWindow:    telemetry.RateWindow,
		Valid:         now.valid,
		Quarantined:   max(now.quarantined-s.kept.surplus-figures.Surplus, 0),
		Tombstones:    s.kept.tombstones + figures.Tombstones,

		Refused:     s.refused.now(),
		StagingRows: &staging,
		Freshness:   dashboard.Freshness{Records: figures.Recent, P50: figures.P50, P99: figures.P99},
		Transform:   s.transform(figures, now),
		Bill:        s.bill(),
		Alerts:      s.alerts.now(s.alertTime()),
	}
	letters := s.subscription(s.deployment.DeadLetterSubscription)
	if p.DeadLetters = letters.Outstanding; p.DeadLetters > 0 {
		p.ForeignLetters = s.pubsub.Untyped(letters.Name)
	}
	for _, hop := range []string{"staging", "lake", "marts"} {
		if c, known := figures.Canaries[hop]; known {
			p.Canaries = append(p.Canaries, dashboard.Canary{Hop: hop, At: c.At, Took: c.Age})
		}
	}
	for _, f := range figures.NewFields {
		p.NewFields = append(p.NewFields, dashboard.NewField(f))
	}
	if at := s.simulated.at.Load(); at != nil {
		p.Simulation = &dashboard.Simulation{At: *at, Pace: s.options.pace(), Laps: int(s.simulated.laps.Load())}
	}
	p.Flows = map[dashboard.Hop]dashboard.Flow{
		dashboard.Kafka:     s.kafkaFlow(now),
		dashboard.Bridge:    s.bridgeFlow(now),
		dashboard.Transport: s.transportFlow(now, figures.Failing > 0),
		dashboard.Ingest:    s.ingestFlow(now, figures),
		dashboard.Staging:   s.stagingFlow(now),
	}
	return p
}

// kafkaFlow is what the topics hold.
func (s *System) kafkaFlow(now reading) dashboard.Flow {
	flow := dashboard.Flow{Records: now.kafka.produced, PerSecond: perSecond(&s.rates.produced)}
	if wrong := s.broker.trouble.Load(); wrong != nil {
		flow.Fault, flow.Remedy = wrong.fault, wrong.remedy
	}
	return flow
}

// transportName is what people call the way from the bridge to ingest.
func (s *System) transportName() string {
	if s.options.Transport == "http" {
		return "HTTP"
	}
	return "Pub/Sub"
}

// failing says why batches fail, while some do.
func failing(figures telemetry.Figures) string {
	switch figures.Failing {
	case 0:
		return ""
	case 1:
		return "A batch fails: " + figures.Cause
	}
	return "Batches fail, the last one: " + figures.Cause
}

// patience is how long a bridge that cannot be asked may leave records alone,
// and for how long a program that was there may be silent.
const patience = 10 * time.Second

// bridgeFlow is what the bridge published.
func (s *System) bridgeFlow(now reading) dashboard.Flow {
	flow := dashboard.Flow{Records: now.published, PerSecond: perSecond(&s.rates.published), Waiting: &dashboard.Lag{Records: now.kafka.waiting}}
	still := s.rates.published.Still(time.Now())
	if now.kafka.waiting > 0 { // those that the bridge has not read have no age: they wait at least since it last moved
		flow.Waiting.Age = max(now.bridge.Lag(), still)
	}
	if silent := now.unanswered; silent.failure != "" {
		if silent.lasts() || now.kafka.waiting > 0 && still > patience { // one at another address goes on
			flow.Fault = "No answer at " + s.inquiry.url + ": " + silent.failure
			flow.Remedy = silent.remedy("Start it in another shell: `. " + s.environ + "; bin/bridge`.")
		}
		return flow
	}
	if s.bridges != nil {
		flow.Asleep = s.bridges.asleep()
	}
	if why := s.checkFails(); why != "" {
		flow.Fault = "Nothing looks whether it shall run: " + why
		flow.Remedy = "The bridge stays as it is, asleep or awake, until a check succeeds; there is one each minute."
		return flow
	}
	flow.Held = held(now.bridge)
	var stuck int64
	for _, one := range now.bridge.Partitions {
		if one.Stuck {
			stuck++
			flow.Fault = one.Topic + ": " + one.Problem
		}
	}
	for _, one := range now.bridge.Unread {
		if one.Stuck {
			stuck++
			flow.Fault = one.Topic + ": " + one.Problem
			flow.Remedy = "The other topics are read. This one is, too, as soon as it exists and the bridge's user may read it: nothing need be restarted."
		}
	}
	if !now.bridge.Joined && now.bridge.Trouble != "" && now.kafka.waiting > 0 && still > patience {
		flow.Fault = "It is not in the consumer group: " + now.bridge.Trouble
	}
	flow.Failures = &stuck
	if s.options.Transport != "http" { // over HTTP an attempt is the transport's
		flow.Retries = &now.bridge.Retries
	}
	return flow
}

// checkFails says why the last check failed; "" when it did not.
func (s *System) checkFails() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unchecked
}

// held names the transaction that has been open for longest, once that is
// longer than anybody needs to be told of.
func held(b bridge.Snapshot) (why string) {
	longest := patience
	for _, one := range b.Partitions {
		if one.Open != nil && one.Open.For > longest {
			longest = one.Open.For
			why = upper(one.Open.In(one.Topic, one.Partition)) + "."
		}
	}
	return why
}

// upper begins a sentence.
func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// ingestFlow is what the functions made durable.
func (s *System) ingestFlow(now reading, figures telemetry.Figures) dashboard.Flow {
	failures := figures.Failures + figures.NoBatch
	flow := dashboard.Flow{Records: now.ingested(), PerSecond: perSecond(&s.rates.ingested), Failures: &failures, NoBatch: figures.NoBatch, Fault: failing(figures), Remedy: s.afterFailure()}
	if fault, remedy := s.functionsSilent(); fault != "" {
		flow.Fault, flow.Remedy = fault, remedy
	}
	return flow
}

// stagingFlow is what is in the staging tables.
func (s *System) stagingFlow(now reading) dashboard.Flow {
	flow := dashboard.Flow{Records: now.ingested(), PerSecond: perSecond(&s.rates.ingested)}
	flow.Fault, flow.Remedy = s.warehouseSilent()
	return flow
}

// transportFlow is what was delivered to ingest. Over HTTP the bridge
// delivers by itself: what waits, waits in front of the bridge. What ingest
// itself reports is not the transport's fault.
func (s *System) transportFlow(now reading, ingestFails bool) dashboard.Flow {
	flow := dashboard.Flow{Records: now.ingested(), PerSecond: perSecond(&s.rates.ingested)}
	url := s.Endpoints.Functions + "/ingest"
	if s.options.Transport == "http" {
		if now.unanswered.failure == "" {
			flow.Retries, flow.Failures = &now.bridge.Retries, &now.bridge.DeadLetteredBatches
			flow.Fault, flow.Remedy = undelivered(now.bridge, url), s.afterFailure()
		}
		return flow
	}
	flow.Retries, flow.Failures = &now.ingest.Failed, &now.ingest.DeadLettered
	flow.Waiting = &dashboard.Lag{}
	if now.ingest.Outstanding > 0 {
		waiting := now.ingest.Outstanding // a batch has a record at least
		if s.bridges != nil {             // of one elsewhere only commitments may be known, which come late
			waiting = max(waiting, now.published-now.ingested()-s.rates.settled.Load())
		}
		flow.Waiting = &dashboard.Lag{Records: waiting, Age: now.ingest.OldestUnacked}
		if now.ingest.Failing.Messages > 0 && !ingestFails {
			flow.Fault, flow.Remedy = undeliverable(now.ingest, url), s.afterFailure()
		}
	}
	return flow
}

// undeliverable says why Pub/Sub cannot deliver some messages, and how often it
// has tried.
func undeliverable(ingest pubsub.SubscriptionStats, url string) string {
	failing := ingest.Failing
	attempts := fmt.Sprintf("attempt %d of %d", failing.Attempts, failing.Of)
	switch {
	case strings.Contains(failing.Cause, "connection refused"):
		return "No answer from " + url + ": connection refused; " + attempts + " failed."
	case failing.Messages == 1:
		return "1 message is not taken by " + url + ", " + attempts + " failed: " + failing.Cause
	}
	return fmt.Sprintf("%d messages are not taken by %s, %s of one of them failed: %s", failing.Messages, url, attempts, failing.Cause)
}

// afterFailure says what becomes of a batch that ingest did not take, and what
// a person can do.
func (s *System) afterFailure() string {
	d := s.deployment
	looks := ""
	if s.options.without("functions") {
		looks = "See whether the functions run there. "
	}
	if s.options.Transport == "http" {
		return looks + "The bridge tries again as long as the function is away. A batch that it goes on refusing becomes a dead letter, which is seen by: stationflow deadletters list"
	}
	return looks + fmt.Sprintf("Others are delivered meanwhile. A message that was answered 422 is not a batch of ours: find who publishes to %s. "+
		"After attempt %d, some %.0f hours after the first, a message is a dead letter, which is seen by: stationflow deadletters list",
		d.RecordsTopic, d.PushMaxDeliveryAttempts, d.RetriesTake().Hours())
}

// undelivered says why the bridge's posts to the function fail; "" while none
// does.
func undelivered(b bridge.Snapshot, url string) string {
	for _, one := range b.Partitions {
		if one.Problem != "" && one.InFlight > 0 {
			return refusal(one.Problem, url)
		}
	}
	return ""
}

// refusal says why the function takes no batch.
func refusal(problem, url string) string {
	if strings.Contains(problem, "connection refused") {
		return "No answer from " + url + ": connection refused."
	}
	return "No batch is taken by " + url + ": " + problem
}

// transform is the state of the transform: what the scheduler knows, and what
// the function logged.
func (s *System) transform(figures telemetry.Figures, now reading) dashboard.Transform {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := figures.Transform
	t := dashboard.Transform{
		RunningSince: s.running, LastFinished: last.At, LastTook: last.Took, LastFailure: s.failure,
		Changed: last.Changed, TestsRun: last.Tests, Failures: figures.FailedTransforms,
	}
	for _, m := range last.Models {
		t.Models = append(t.Models, dashboard.Model(m))
	}
	for _, f := range last.Found {
		t.Findings = append(t.Findings, dashboard.Finding(f))
	}
	if last.Status == "failed" {
		t.LastFailure = cmp.Or(whyFailed(last), t.LastFailure, "A model or a test failed; the log says which.")
	}
	if !t.RunningSince.IsZero() || t.LastFailure != "" {
		s.explainByOthers(&t)
	}
	if s.scheduler != nil {
		t.Next = s.scheduler.Next()
	}
	if !s.transformed.at.IsZero() {
		t.Waiting = &dashboard.Lag{Records: max(now.valid-s.transformed.rows, 0)}
		if s.transformed.more.IsZero() {
			s.transformed.more = s.rates.valid.Since(s.transformed.rows)
		}
		if t.Waiting.Records > 0 && !s.transformed.more.IsZero() {
			t.Waiting.Age = max(time.Since(s.transformed.more), 0)
		}
	}
	return t
}

// whyFailed is the first thing that failed in a run.
func whyFailed(run telemetry.Transform) string {
	for _, m := range run.Models {
		if m.Status == "failed" {
			return cmp.Or(m.Error, "Model "+m.Name+" failed.")
		}
	}
	for _, f := range run.Found {
		if f.Status == "failed" {
			return cmp.Or(f.Error, "Test "+f.Test+" failed.")
		}
	}
	return ""
}

// functionsSilent says that the functions give no answer, and what to do; ""
// while they do.
func (s *System) functionsSilent() (fault, remedy string) {
	silent := s.functions.silence()
	if !silent.lasts() {
		return "", ""
	}
	return "No answer from " + s.Endpoints.Functions + ": " + silent.failure + ".",
		silent.remedy("Start the functions there: batches are delivered again until they are taken.")
}

// warehouseSilent says the same of the warehouse.
func (s *System) warehouseSilent() (fault, remedy string) {
	silent := s.answers.silence()
	if !silent.lasts() {
		return "", ""
	}
	return "BigQuery does not answer: " + silent.failure + ".",
		"Nothing is lost: what comes waits until it can be written. See the log; if it stays like this, start the system again."
}

// explainByOthers says of a run that fails, or that does not end, when what it
// needs gives no answer: no model is to blame.
func (s *System) explainByOthers(t *dashboard.Transform) {
	fault, remedy := s.functionsSilent()
	if fault == "" {
		fault, remedy = s.warehouseSilent()
	}
	if fault != "" {
		t.LastFailure, t.Remedy = fault, "prod_data keeps its last good figures, and the next run catches up. "+remedy
	}
}
