package system

import (
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/endpoints"
	"github.com/stationflow/stationflow/local/pubsub"
	"github.com/stationflow/stationflow/local/telemetry"
	"github.com/stationflow/stationflow/terraform"
)

// The page names the first thing that went wrong, in one sentence.
func TestWhyFailed(t *testing.T) {
	t.Parallel()
	model := func(status, err string) telemetry.Model {
		return telemetry.Model{Name: "m", Status: status, Error: err}
	}
	for name, test := range map[string]struct {
		run  telemetry.Transform
		want string
	}{
		"nothing known":   {telemetry.Transform{}, ""},
		"all well":        {telemetry.Transform{Models: []telemetry.Model{model("replaced", "")}}, ""},
		"a model":         {telemetry.Transform{Models: []telemetry.Model{model("skipped", "x failed"), model("failed", "division by zero")}}, "division by zero"},
		"without a cause": {telemetry.Transform{Models: []telemetry.Model{model("failed", "")}}, "Model m failed."},
		"a test":          {telemetry.Transform{Found: []telemetry.Finding{{Test: "a", Status: "warned"}, {Test: "b", Status: "failed", Rows: 1}}}, "Test b failed."},
		"only a warning":  {telemetry.Transform{Found: []telemetry.Finding{{Test: "a", Status: "warned"}}}, ""},
	} {
		if got := whyFailed(test.run); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	for batches, want := range map[int64]string{0: "", 1: "A batch fails: why", 2: "Batches fail, the last one: why"} {
		if got := failing(telemetry.Figures{Failing: batches, Cause: "why"}); got != want {
			t.Errorf("%d batches: %q, want %q", batches, got, want)
		}
	}
}

// What waits for the transform are the good rows that came after the last run
// began, since the first of them came.
func TestTransform_Waiting(t *testing.T) {
	t.Parallel()
	s, now := &System{refresh: newSignal()}, time.Now()
	var last reading
	for ago := 60; ago >= 0; ago-- {
		last = reading{arrivals: arrivals{valid: 100, quarantined: 5}}
		if ago <= 30 {
			last.quarantined = 14
		}
		if ago <= 20 {
			last.valid = 108
		}
		s.note(now.Add(-time.Duration(ago)*time.Second), last)
	}
	s.transformFinished(telemetry.Transform{At: now.Add(-39 * time.Second), Took: time.Second, Status: "success"})
	got := s.transform(telemetry.Figures{}, last).Waiting
	if got == nil || got.Records != 8 || got.Age.Round(time.Second) != 20*time.Second {
		t.Errorf("%+v, want 8 rows, the oldest of 20 s ago", got)
	}
	s.transformFinished(telemetry.Transform{At: now, Status: "success"})
	if got := s.transform(telemetry.Figures{}, last).Waiting; got == nil || *got != (dashboard.Lag{}) {
		t.Errorf("%+v after a run that read all, want nothing", got)
	}
}

// A run that fails, or hangs, because the functions or the warehouse give no
// answer is no model's fault.
func TestTransform_WithoutAnswer(t *testing.T) {
	t.Parallel()
	silent := func(failure string) *probe {
		p := newProbe(time.Second, nil)
		p.last.Store(&silence{failure: failure, since: time.Now().Add(-time.Hour), known: true})
		return p
	}
	for name, test := range map[string]struct {
		s            *System
		want, remedy string
	}{
		"functions are frozen":      {&System{functions: silent("none within 2s"), running: time.Now().Add(-2 * time.Minute)}, "No answer from http://f: none within 2s.", "need not be started"},
		"functions are gone":        {&System{functions: silent(refusedConnection), failure: "Post: connection refused"}, "No answer from http://f: connection refused.", "Start the functions"},
		"BigQuery is away":          {&System{answers: silent("none within 10s"), running: time.Now().Add(-2 * time.Minute)}, "BigQuery does not answer: none within 10s.", "the next run catches up"},
		"all answer":                {&System{functions: silent(""), answers: silent(""), failure: "a model failed"}, "a model failed", ""},
		"away, and nothing was run": {&System{functions: silent(refusedConnection)}, "", ""},
	} {
		test.s.Endpoints.Functions = "http://f"
		got := test.s.transform(telemetry.Figures{}, reading{})
		if got.LastFailure != test.want || !strings.Contains(got.Remedy, test.remedy) || test.remedy == "" && got.Remedy != "" {
			t.Errorf("%s: %q, %q; want %q, %q", name, got.LastFailure, got.Remedy, test.want, test.remedy)
		}
	}
}

// A topic that cannot be read is no partition's trouble.
func TestBridgeFlow_UnreadTopic(t *testing.T) {
	t.Parallel()
	now := reading{bridge: bridge.Snapshot{Joined: true, Unread: []bridge.UnreadTopic{{Topic: "incidents", Problem: "there is no such topic", Stuck: true}}}}
	got := (&System{}).bridgeFlow(now)
	if got.Fault != "incidents: there is no such topic" || !strings.Contains(got.Remedy, "as soon as it exists") {
		t.Errorf("%+v", got)
	}
}

// What keeps Pub/Sub from delivering is its fault while something waits, unless
// ingest itself tells of it.
func TestTransportFlow_Unreachable(t *testing.T) {
	t.Parallel()
	const refused = `Post "http://f/ingest": dial tcp: connect: connection refused`
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		t.Fatal(err)
	}
	failing := func(messages int64, attempts int, cause string) pubsub.Failing {
		return pubsub.Failing{Messages: messages, Attempts: attempts, Of: deployment.PushMaxDeliveryAttempts, Cause: cause}
	}
	for name, test := range map[string]struct {
		waiting     int64
		failing     pubsub.Failing
		ingestFails bool
		want        string
	}{
		"well":          {3, pubsub.Failing{}, false, ""},
		"away":          {3, failing(3, 2, refused), false, "No answer from http://f/ingest: connection refused; attempt 2 of 100 failed."},
		"one refused":   {3, failing(1, 7, "push endpoint answered 422"), false, "1 message is not taken by http://f/ingest, attempt 7 of 100 failed: push endpoint answered 422"},
		"refused":       {3, failing(3, 7, "push endpoint answered 404"), false, "3 messages are not taken by http://f/ingest, attempt 7 of 100 of one of them failed: push endpoint answered 404"},
		"ingest fails":  {3, failing(1, 1, "push endpoint answered 500"), true, ""},
		"nothing waits": {0, pubsub.Failing{}, false, ""},
	} {
		s := &System{Endpoints: endpoints.Endpoints{Functions: "http://f"}, options: Options{Without: []string{"functions"}}, deployment: deployment}
		got := s.transportFlow(reading{arrivals: arrivals{ingest: pubsub.SubscriptionStats{Outstanding: test.waiting, Failing: test.failing}}}, test.ingestFails)
		if got.Fault != test.want || got.Fault != "" && !strings.Contains(got.Remedy, "After attempt 100, some 15 hours after the first, a message is a dead letter") {
			t.Errorf("%s: %+v, want the fault %q and what comes after it", name, got, test.want)
		}
	}
}

func TestUndelivered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		partition bridge.PartitionStatus
		want      string
	}{
		"well":           {bridge.PartitionStatus{InFlight: 1}, ""},
		"functions away": {bridge.PartitionStatus{InFlight: 1, Problem: "dial tcp: connection refused"}, "No answer from http://f/ingest: connection refused."},
		"refused":        {bridge.PartitionStatus{InFlight: 1, Problem: "500"}, "No batch is taken by http://f/ingest: 500"},
		"not a post":     {bridge.PartitionStatus{Problem: "the topic is gone"}, ""},
	} {
		if got := undelivered(bridge.Snapshot{Partitions: []bridge.PartitionStatus{test.partition}}, "http://f/ingest"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
