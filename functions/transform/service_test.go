package transform

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
)

func post(s http.Handler, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/transform", strings.NewReader(body)))
	return recorder
}

func success() *run.Report { return &run.Report{RunID: "r", Status: "success"} }

func TestServeHTTP_AnswersWhatBecameOfTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		method, body string
		run          func(context.Context, time.Time) *run.Report
		status       int
	}{
		"empty body":      {"POST", "", func(context.Context, time.Time) *run.Report { return success() }, 200},
		"empty object":    {"POST", " {}\n", func(context.Context, time.Time) *run.Report { return success() }, 200},
		"get":             {"GET", "", nil, 405},
		"put":             {"PUT", "{}", nil, 405},
		"no object":       {"POST", "[]", nil, 400},
		"null":            {"POST", "null", nil, 400},
		"no JSON":         {"POST", "{", nil, 400},
		"unknown setting": {"POST", `{"full": true}`, nil, 400},
		"long body":       {"POST", "{" + strings.Repeat(" ", maxBody) + "}", nil, 400},
		"failed":          {"POST", "", func(context.Context, time.Time) *run.Report { return run.Failed("no") }, 500},
		"panic":           {"POST", "", func(context.Context, time.Time) *run.Report { panic("oops") }, 500},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewService(c.run, time.Minute)
			recorder := httptest.NewRecorder()
			s.ServeHTTP(recorder, httptest.NewRequest(c.method, "/transform", strings.NewReader(c.body)))
			var report run.Report
			if err := json.Unmarshal(recorder.Body.Bytes(), &report); err != nil || recorder.Code != c.status {
				t.Errorf("got %d %s (%v), want %d and a report", recorder.Code, recorder.Body, err, c.status)
			}
			if report.OK() != (c.status == 200) {
				t.Errorf("status %d with a report that says %q", recorder.Code, report.Status)
			}
		})
	}
}

func TestService_SharesTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs, atOnce atomic.Int32
		s := NewService(func(context.Context, time.Time) *run.Report {
			if atOnce.Add(1) > 1 {
				t.Error("two runs at a time")
			}
			defer atOnce.Add(-1)
			runs.Add(1)
			time.Sleep(10 * time.Second)
			return success()
		}, 240*time.Second)

		started := time.Now()
		answered := make(chan time.Duration, 30)
		var calls sync.WaitGroup
		call := func() {
			if code := post(s, "").Code; code != http.StatusOK {
				t.Errorf("got %d", code)
			}
			answered <- time.Since(started)
		}
		calls.Go(call)
		time.Sleep(time.Second)
		for range 20 { // while the first run is in progress
			calls.Go(call)
		}
		time.Sleep(10 * time.Second)
		for range 5 { // while the second is
			calls.Go(call)
		}
		calls.Wait()
		close(answered)
		counts := map[time.Duration]int{}
		for at := range answered {
			counts[at]++
		}
		if runs.Load() != 3 || counts[10*time.Second] != 1 || counts[20*time.Second] != 20 || counts[30*time.Second] != 5 {
			t.Errorf("%d runs answered at %v; want 1 call after 10 s, 20 after 20 s and 5 after 30 s", runs.Load(), counts)
		}
	})
}

func TestService_GivesUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		s := NewService(func(context.Context, time.Time) *run.Report {
			runs.Add(1)
			time.Sleep(time.Hour)
			return success()
		}, 240*time.Second)
		go post(s, "")
		synctest.Wait()
		start := time.Now()
		if code := post(s, "").Code; code != http.StatusConflict || time.Since(start) != 240*time.Second {
			t.Errorf("got %d after %v, want 409 after 240 s", code, time.Since(start))
		}
		time.Sleep(time.Hour)
		if code := post(s, "").Code; code != http.StatusOK || runs.Load() != 2 {
			t.Errorf("got %d from run %d, want 200 from the second", code, runs.Load())
		}
	})
}

// The one whose call starts the run may leave: the others still get it.
func TestService_OutlivesTheCallThatStartedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewService(func(ctx context.Context, _ time.Time) *run.Report {
			time.Sleep(10 * time.Second)
			if ctx.Err() != nil {
				t.Error("the run ended with its caller")
			}
			return success()
		}, time.Minute)
		ctx, leave := context.WithCancel(t.Context())
		go s.Run(ctx)
		synctest.Wait()
		waiting, leaveToo := context.WithCancel(t.Context())
		go s.Run(waiting)
		go func() {
			if report := s.Run(t.Context()); report == nil {
				t.Error("no report")
			}
		}()
		synctest.Wait()
		leave()
		leaveToo()
		time.Sleep(time.Minute)
	})
}

// A call that joins a run does not inherit the patience of one that has left.
func TestService_ACallThatLeftShortensNoOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 240 * time.Second
		var until []time.Time
		s := NewService(func(_ context.Context, u time.Time) *run.Report {
			until = append(until, u)
			time.Sleep(10 * time.Minute)
			return success()
		}, wait)
		go s.Run(t.Context())
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		go s.Run(ctx)
		synctest.Wait()
		leave()
		time.Sleep(9 * time.Minute)
		joined := time.Now()
		if s.Run(t.Context()) == nil || len(until) != 2 || !until[1].Equal(joined.Add(wait)) {
			t.Errorf("the runs wait for others until %v, want the second until %v", until, joined.Add(wait))
		}
	})
}

func TestFromEnv_ExcludeCanBeEmptied(t *testing.T) {
	variables := map[string]string{"GOOGLE_CLOUD_PROJECT": "p"}
	exclude := func() string {
		t.Helper()
		config, err := FromEnv(func(name string) string { return variables[name] })
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(config.Exclude, ",")
	}
	if got := exclude(); got != "tag:deep" {
		t.Errorf("not set: %q", got)
	}
	variables["TRANSFORM_EXCLUDE"] = "tag:slow"
	if got := exclude(); got != "tag:slow" {
		t.Errorf("set: %q", got)
	}
	variables["TRANSFORM_EXCLUDE"] = " "
	if got := exclude(); got != "" {
		t.Errorf("blank: %q", got)
	}
	delete(variables, "TRANSFORM_EXCLUDE")
	t.Setenv("TRANSFORM_EXCLUDE", "")
	if got := exclude(); got != "" {
		t.Errorf("set to nothing: %q", got)
	}
}
