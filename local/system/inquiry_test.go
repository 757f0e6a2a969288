package system

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/local/endpoints"
	"github.com/stationflow/stationflow/local/telemetry"
)

func TestInquiry(t *testing.T) {
	t.Parallel()
	replies := func(code int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for name, test := range map[string]struct {
		url, failure string
		published    int64
	}{
		"a bridge":       {replies(200, `{"joined": true, "partitions": [{"topic": "t", "published_offset": 3}]}`), "", 3},
		"nobody":         {away.URL, "connection refused", 0},
		"something else": {replies(200, "<html>"), "no bridge's status", 0},
		"a failure":      {replies(503, ""), "it answered 503 Service Unavailable", 0},
	} {
		got := newInquiry(test.url, nil).ask(t.Context())
		var published int64
		for _, one := range got.bridge.Partitions {
			published += one.Published
		}
		if !strings.Contains(got.failure, test.failure) || (got.failure == "") != (test.failure == "") || published != test.published {
			t.Errorf("%s: %+v, want the failure %q and %d published", name, got, test.failure, test.published)
		}
	}
}

// A bridge that cannot be asked is a fault once records wait for it and none
// moves, for one at another address moves them; or once it has answered before.
// Who has one that is frozen is not told to start one.
func TestBridgeFlow_Away(t *testing.T) {
	t.Parallel()
	const start, goOn = ". here/environment; bin/bridge", "let it go on if it was stopped"
	const gone = "connection refused"
	for name, test := range map[string]struct {
		failure string
		known   bool
		waiting int64
		still   time.Duration
		fault   string
		remedy  string
	}{
		"gone":                {gone, false, 3544, time.Minute, "No answer at http://b/status: connection refused", start},
		"gone a moment ago":   {gone, true, 3544, time.Second, "", ""},
		"not needed":          {gone, false, 0, time.Minute, "", ""},
		"it was there":        {gone, true, 0, time.Minute, "No answer at http://b/status: connection refused", start},
		"frozen":              {"none within 2s", true, 3544, time.Minute, "No answer at http://b/status: none within 2s", goOn},
		"frozen, nothing new": {"none within 2s", true, 0, time.Minute, "No answer at http://b/status: none within 2s", goOn},
		"there":               {"", true, 3544, time.Minute, "", ""},
	} {
		s := &System{inquiry: newInquiry("http://b/status", nil), environ: "here/environment"}
		silent := silence{failure: test.failure, known: test.known, since: time.Now().Add(-test.still)}
		r := reading{unanswered: silent, kafka: progress{waiting: test.waiting}, bridge: bridge.Snapshot{Joined: test.failure == ""}}
		s.rates.published.Note(time.Now().Add(-test.still), 0)
		s.rates.published.Note(time.Now(), 0)
		got := s.bridgeFlow(r)
		if got.Fault != test.fault || got.Waiting.Records != test.waiting || !strings.Contains(got.Remedy, test.remedy) || (got.Remedy == "") != (got.Fault == "") {
			t.Errorf("%s: %+v, want the fault %q with the remedy %q", name, got, test.fault, test.remedy)
		}
		if test.remedy == goOn && strings.Contains(got.Remedy, "bin/bridge") {
			t.Errorf("%s: the remedy is %q", name, got.Remedy)
		}
	}
}

// A transaction that is open for long is what the page names, not a lack of
// CPU.
func TestBridgeFlow_OpenTransaction(t *testing.T) {
	t.Parallel()
	open := func(d time.Duration) []bridge.PartitionStatus {
		return []bridge.PartitionStatus{{Topic: "incidents", Partition: 4, Open: &bridge.OpenTransaction{Offset: 41, Offsets: 7, For: d}}}
	}
	s := &System{}
	got := s.bridgeFlow(reading{bridge: bridge.Snapshot{Joined: true, Partitions: open(time.Minute)}})
	if want := "A transaction is open in incidents/4 since offset 41: what follows, 7 offsets so far, can be read once"; !strings.HasPrefix(got.Held, want) {
		t.Errorf("%q, want %q", got.Held, want)
	}
	if got := s.bridgeFlow(reading{bridge: bridge.Snapshot{Joined: true, Partitions: open(time.Second)}}); got.Held != "" {
		t.Errorf("%q after a second", got.Held)
	}
}

// A server counts as there as long as it answers, whatever that is; what it
// serves is not called. One that is frozen is told from one that is gone.
func TestProbe(t *testing.T) {
	t.Parallel()
	frozen := make(chan struct{})
	called := make(chan string, 9)
	var freeze atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.RequestURI }))
	server.Config.ConnState = func(net.Conn, http.ConnState) {
		if freeze.Load() {
			<-frozen
		}
	}
	server.Start()
	p := newProbe(200*time.Millisecond, serverAnswers(server.URL))
	if first := p.silence(); first.failure == "" || first.known || first.lasts() {
		t.Errorf("before anything was asked: %+v", first)
	}
	p.look(t.Context())
	if now := p.silence(); now.failure != "" || !now.known || len(called) > 0 {
		t.Errorf("a server that is there: %+v, and %d calls", now, len(called))
	}
	freeze.Store(true)
	http.DefaultClient.CloseIdleConnections()
	p.look(t.Context())
	if now := p.silence(); now.failure != "none within 200ms" || !now.known || strings.Contains(now.remedy("Start the functions."), "Start the functions.") {
		t.Errorf("a frozen one: %+v", now)
	}
	close(frozen)
	server.Close()
	p.look(t.Context())
	if now := p.silence(); now.failure != refusedConnection || now.remedy("Start the functions.") != "Start the functions." || now.lasts() {
		t.Errorf("one that is gone: %+v", now)
	}
	p.last.Store(&silence{failure: refusedConnection, known: true, since: time.Now().Add(-time.Minute)})
	p.look(t.Context())
	if now := p.silence(); !now.lasts() {
		t.Errorf("one that is gone for long: %+v", now)
	}
}

// What has answered before the first question, and then does not, is silent:
// the first question may come after it was frozen.
func TestProbe_Answered(t *testing.T) {
	t.Parallel()
	p := newProbe(time.Second, func(context.Context) error { return syscall.ECONNREFUSED }).answered()
	if first := p.silence(); first.failure != "" || !first.known {
		t.Errorf("before anything was asked: %+v", first)
	}
	p.look(t.Context())
	if now := p.silence(); now.failure != refusedConnection || !now.known {
		t.Errorf("after the first question: %+v", now)
	}
}

// A long statement excuses a warehouse that gives no answer, but not when the
// last run failed, too.
func TestTransforming(t *testing.T) {
	t.Parallel()
	var s System
	if s.transforming() {
		t.Error("nothing runs")
	}
	s.triggering()
	if !s.transforming() {
		t.Error("a run has begun")
	}
	s.failure = "reading the lease: context deadline exceeded"
	if s.transforming() {
		t.Error("the last run failed")
	}
}

// Functions that are dead, and a warehouse that is away, are faults of their
// hops although nothing comes, and although records came just now.
func TestFlows_Silent(t *testing.T) {
	t.Parallel()
	silent := func(failure string, ago time.Duration) *probe {
		p := newProbe(time.Second, nil)
		p.last.Store(&silence{failure: failure, known: true, since: time.Now().Add(-ago)})
		return p
	}
	s := &System{Endpoints: endpoints.Endpoints{Functions: "http://f"}}
	s.functions, s.answers = silent(refusedConnection, 15*time.Second), silent("none within 10s", 15*time.Second)
	ingest, staging := s.ingestFlow(reading{}, telemetry.Figures{}), s.stagingFlow(reading{})
	if ingest.Fault != "No answer from http://f: connection refused." || !strings.Contains(ingest.Remedy, "Start the functions") {
		t.Errorf("ingest is %+v", ingest)
	}
	if staging.Fault != "BigQuery does not answer: none within 10s." || staging.Remedy == "" {
		t.Errorf("staging is %+v", staging)
	}
	s.functions, s.answers = nil, silent("", time.Hour)
	if ingest, staging := s.ingestFlow(reading{}, telemetry.Figures{}), s.stagingFlow(reading{}); ingest.Fault != "" || staging.Fault != "" {
		t.Errorf("what answers is at fault: %+v, %+v", ingest, staging)
	}
}

// What waits a moment after a long silence has not waited for all of it.
func TestNote_SilenceIsNoDelay(t *testing.T) {
	t.Parallel()
	s, now := &System{}, time.Now()
	for ago := 10 * time.Minute; ago > 0; ago -= time.Second {
		s.note(now.Add(-ago), reading{published: 5, kafka: progress{produced: 5, passed: 5}})
	}
	r := reading{published: 5, kafka: progress{produced: 6, passed: 5, waiting: 1}}
	s.note(now, r)
	if got := s.bridgeFlow(r).Waiting; got.Records != 1 || got.Age > 5*time.Second {
		t.Errorf("%+v, want 1 record that waits since a second", got)
	}
}

// The port of a bridge that is run elsewhere is told although it may run
// already.
func TestChoosePorts_Elsewhere(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	var port int
	if _, err := fmt.Sscanf(taken.URL, "http://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	only := func(name string) bool { return name == "bridge" }
	nobody := func(string) bool { return false }
	if got, err := choosePorts(port-2, only, only); err != nil || got["bridge"] != host(taken.URL) {
		t.Errorf("%v, %v; want the bridge at %s", got, err, host(taken.URL))
	}
	if _, err := choosePorts(port-2, only, nobody); err == nil {
		t.Error("a port in use was chosen")
	}
}
