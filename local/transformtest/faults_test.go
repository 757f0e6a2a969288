package transformtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/staged"
)

// A proxy stands in front of the warehouse and lets a test disturb requests.
type proxy struct {
	url string
	// disturb answers a request itself, before or after it is forwarded, when
	// it returns true; forward sends it on and returns the warehouse's answer.
	disturb atomic.Pointer[func(w http.ResponseWriter, r *http.Request, body string, forward func()) bool]
}

// throughProxy has the system's next transform reach the warehouse through a
// proxy.
func (s *system) throughProxy() *proxy {
	s.t.Helper()
	target, err := url.Parse(s.config.Warehouse.RESTEndpoint)
	check(s.t, err)
	p := &proxy{}
	forwarder := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if disturb := p.disturb.Load(); disturb != nil && (*disturb)(w, r, string(body), func() { forwarder.ServeHTTP(httptest.NewRecorder(), r) }) {
			return
		}
		forwarder.ServeHTTP(w, r)
	}))
	s.t.Cleanup(server.Close)
	p.url = server.URL
	s.config.Warehouse.RESTEndpoint = server.URL
	return p
}

func (p *proxy) set(disturb func(w http.ResponseWriter, r *http.Request, body string, forward func()) bool) {
	p.disturb.Store(&disturb)
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error": {"code": %d, "message": "disturbed", "errors": [{"reason": %q, "message": "disturbed"}]}}`, status, reason)
}

// publishes reports whether a request is the transaction that publishes.
func publishes(body string) bool {
	return strings.Contains(body, "set holder = '', interrupted = false")
}

func TestFaults_RefusedRequestsAreSentAgain(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(11, staged.Within(noon.Add(-5*time.Hour), noon))
	p := s.throughProxy()
	s.restart()
	var requests, away, tooMany atomic.Int32
	p.set(func(w http.ResponseWriter, r *http.Request, _ string, _ func()) bool {
		switch requests.Add(1) % 80 {
		case 35:
			away.Add(1)
			refuse(w, http.StatusServiceUnavailable, "backendError")
		case 75:
			tooMany.Add(1)
			refuse(w, http.StatusTooManyRequests, "rateLimitExceeded")
		default:
			return false
		}
		return true
	})
	for range 2 {
		before := [2]int32{away.Load(), tooMany.Load()}
		s.Append(noon, g.Records(60)...)
		s.run()
		s.verify("with refused requests")
		if away.Load() == before[0] || tooMany.Load() == before[1] {
			t.Error("no request was refused for each of both reasons")
		}
	}
}

// The warehouse has published, and the answer was lost.
func TestFaults_LostAnswerOfThePublishingTransaction(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(12, staged.Within(noon.Add(-5*time.Hour), noon))
	s.Append(noon, g.Records(60)...)
	s.run()
	p := s.throughProxy()
	s.restart()
	var lost atomic.Int32
	p.set(func(w http.ResponseWriter, r *http.Request, body string, forward func()) bool {
		if !publishes(body) || lost.Add(1) > 1 {
			return false
		}
		forward()
		refuse(w, http.StatusServiceUnavailable, "backendError")
		return true
	})
	s.Append(noon, g.Records(20)...)
	s.run()
	s.verify("after the lost answer")
	if lost.Load() < 2 {
		t.Error("the transaction was not sent again")
	}
}

func TestFaults_OutageKeepsWhatIsPublished(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{"while building": "train_movements_hourly__next", "while publishing": "set holder = '', interrupted = false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, noon)
			g := staged.NewGenerator(13, staged.Within(noon.Add(-5*time.Hour), noon))
			s.Append(noon, g.Records(100)...)
			s.run()
			before := s.published()
			p := s.throughProxy()
			s.config.Statement, s.config.Lease = 10*time.Second, time.Second
			s.restart()
			var out atomic.Bool
			p.set(func(w http.ResponseWriter, r *http.Request, body string, _ func()) bool {
				if strings.Contains(body, last) {
					out.Store(true)
				}
				if out.Load() {
					refuse(w, http.StatusServiceUnavailable, "backendError")
				}
				return out.Load()
			})
			s.Append(noon, g.Records(50)...)
			if report := s.transform.Run(t.Context()); report.OK() || !out.Load() {
				t.Errorf("the run ended with %q, and the warehouse was away: %v", report.Status, out.Load())
			}
			if after := s.published(); after != before {
				t.Error("the published tables changed")
			}
			p.set(func(http.ResponseWriter, *http.Request, string, func()) bool { return false })
			s.run()
			s.verify("after the outage")
		})
	}
}

// published is the contents of all tables that readers see.
func (s *system) published() string {
	s.t.Helper()
	var all []string
	for _, model := range []string{
		"incidents_hourly", "incident_dashboard", "train_movements_hourly", "train_dashboard", "passenger_flow_hourly", "passenger_flow_dashboard",
		"ticket_validations_hourly", "ticket_dashboard", "equipment_failures_hourly", "equipment_failure_dashboard",
	} {
		all = append(all, s.contents(model))
	}
	return strings.Join(all, "\n--\n")
}

// child runs the transform in a process of its own.
func (s *system) child(lease string) *exec.Cmd {
	s.t.Helper()
	command := exec.Command(built.Program(s.t, "stationflow"), "transform")
	command.Env = append(os.Environ(), "GOOGLE_CLOUD_PROJECT="+project, "STAGING_DATASET="+staged.Staging, "PROD_DATASET="+prod,
		"BIGQUERY_EMULATOR_HOST="+s.config.Warehouse.RESTEndpoint, "STATION_TIMEZONE="+s.config.Location.String(), "TRANSFORM_LEASE="+lease)
	return command
}

func TestFaults_KilledRunIsCaughtUpByTheNext(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"while building": "train_movements_hourly__next", "while publishing": "set holder = '', interrupted = false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, time.Now())
			g := staged.NewGenerator(14, staged.Within(s.now.Add(-30*time.Hour), s.now))
			s.Append(s.now, g.Records(100)...)
			s.run()
			before := s.published()
			direct := s.config
			p := s.throughProxy()
			reached, killed := make(chan struct{}), make(chan struct{})
			var once sync.Once
			p.set(func(w http.ResponseWriter, r *http.Request, body string, _ func()) bool {
				if strings.Contains(body, at) {
					once.Do(func() { close(reached) })
				}
				select {
				case <-reached:
					<-killed
					return true
				default:
					return false
				}
			})
			s.Append(s.now, g.Records(50)...)
			command := s.child("2s")
			check(t, command.Start())
			<-reached
			check(t, command.Process.Kill())
			_ = command.Wait()
			close(killed)
			if after := s.published(); after != before {
				t.Error("the published tables changed")
			}
			s.config = direct
			s.restart()
			s.run() // once the lease has expired
			s.verify("after the kill")
		})
	}
}

func TestFaults_TriggersInSeveralProcesses(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, time.Now())
	g := staged.NewGenerator(15, staged.Within(s.now.Add(-30*time.Hour), s.now))
	s.Append(s.now, g.Records(100)...)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if out, err := s.child("30s").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	s.verify("after three at once")
	if token := s.Query("select token from prod_data.transform_lease")[0][0].(int64); token > 3 {
		t.Errorf("the lease was taken %d times by three runs", token)
	}
}

// A run that stalls loses its lease; when it comes back it publishes nothing.
func TestFaults_StalledRunPublishesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(16, staged.Within(noon.Add(-5*time.Hour), noon))
	s.Append(noon, g.Records(100)...)
	s.run()
	direct := s.config
	p := s.throughProxy()
	s.config.Lease, s.config.Statement = time.Second, 5*time.Minute
	s.restart()
	stalled := s.transform
	reached, resume := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.set(func(w http.ResponseWriter, r *http.Request, body string, _ func()) bool {
		if publishes(body) {
			once.Do(func() { close(reached) })
		}
		select {
		case <-reached:
			<-resume // every request of that process, those that renew the lease too
		default:
		}
		return false
	})
	s.Append(noon, g.Records(50)...)
	report := make(chan *run.Report)
	go func() { report <- stalled.Run(t.Context()) }()
	<-reached
	s.config = direct
	s.restart()
	s.Append(noon.Add(time.Minute), g.Records(50)...)
	s.run()
	s.verify("while the first run stalls")
	before := s.published()
	close(resume)
	if got := <-report; got.OK() || !strings.Contains(got.Message, "another run has taken over") {
		t.Errorf("the stalled run says %+v", got)
	}
	if after := s.published(); after != before {
		t.Error("the stalled run published")
	}
	s.Append(noon.Add(2*time.Minute), g.Records(50)...)
	s.run()
	s.verify("after it came back")
}

func TestFaults_RunElsewhereTakesTooLong(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(17, staged.Within(noon.Add(-5*time.Hour), noon))
	s.Append(noon, g.Records(50)...)
	s.run()
	s.Query("update prod_data.transform_lease set holder = 'other', expires_at = timestamp_add(current_timestamp(), interval 1 hour) where true")
	s.config.Wait = time.Second
	s.restart()
	call := func() int {
		recorder := httptest.NewRecorder()
		s.transform.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/transform", nil))
		return recorder.Code
	}
	if code := call(); code != http.StatusOK {
		t.Errorf("got %d, want 200: there is nothing new", code)
	}
	s.Append(noon, g.Records(50)...)
	if code := call(); code != http.StatusConflict {
		t.Errorf("got %d, want 409", code)
	}
	s.Query("update prod_data.transform_lease set expires_at = current_timestamp() where true")
	if code := call(); code != http.StatusOK {
		t.Errorf("got %d, want 200 after the lease expired", code)
	}
	s.verify("after the other run")
}

// A view shows the rows of the table behind it, so when its test fails the
// table is held back, and with it all that shows its rows.
func TestRun_FailingTestHoldsBackWhatDependsOnIt(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(18, staged.Within(noon.Add(-5*time.Hour), noon))
	s.Append(noon, g.Records(200)...)
	s.run()
	before := map[string]string{}
	for _, table := range []string{"incidents_hourly", "incident_dashboard", "train_dashboard"} {
		before[table] = s.contents(table)
	}
	s.restartWith(t, map[string]string{"tests/never.sql": "select * from {{ ref('incidents_hourly') }}"})
	s.Append(noon, g.Records(200)...)
	for range 2 {
		report := s.transform.Run(t.Context())
		held := statuses(report, "held", "skipped")
		for _, name := range []string{"incidents_hourly", "incident_dashboard", "station_hours", "train_dashboard"} {
			if !slices.Contains(held, name) {
				t.Errorf("held back: %v, want %s too", held, name)
			}
		}
	}
	for table, contents := range before {
		if s.contents(table) != contents {
			t.Errorf("%s was published", table)
		}
	}
	s.restartWith(t, nil)
	s.run()
	s.verify("without the test")
}
