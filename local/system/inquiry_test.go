package system

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/bridge"
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
// moves; one at another address moves them.
func TestBridgeFlow_Away(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unanswered string
		waiting    int64
		still      time.Duration
		fault      string
	}{
		"gone":              {"connection refused", 3544, time.Minute, "No answer at http://b/status: connection refused"},
		"gone a moment ago": {"connection refused", 3544, time.Second, ""},
		"not needed":        {"connection refused", 0, time.Minute, ""},
		"there":             {"", 3544, time.Minute, ""},
	} {
		s := &System{inquiry: newInquiry("http://b/status", nil), environ: "here/environment"}
		r := reading{unanswered: test.unanswered, kafka: progress{waiting: test.waiting}, bridge: bridge.Snapshot{Joined: test.unanswered == ""}}
		s.rates.published.Note(time.Now().Add(-test.still), 0)
		s.rates.published.Note(time.Now(), 0)
		got := s.bridgeFlow(r)
		if got.Fault != test.fault || (got.Remedy == "") != (got.Fault == "") || got.Waiting.Records != test.waiting {
			t.Errorf("%s: %+v, want the fault %q", name, got, test.fault)
		}
		if test.fault != "" && !strings.Contains(got.Remedy, ". here/environment; bin/bridge") {
			t.Errorf("%s: the remedy is %q", name, got.Remedy)
		}
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
