package transformtest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

// A table that is made again is published outside of the transaction: nobody
// else may get the lease meanwhile, however long that takes.
func TestFaults_LeaseIsKeptWhileATableIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.Append(noon, staged.NewGenerator(20, staged.Within(noon.Add(-5*time.Hour), noon)).Records(30)...)
	p := s.throughProxy()
	s.config.Lease = time.Second
	s.restart()
	expiry := func() time.Time {
		return s.Query("select expires_at from prod_data.transform_lease")[0][0].(time.Time)
	}
	var once sync.Once
	var renewed atomic.Bool
	p.set(func(_ http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
		if strings.Contains(body, "create or replace table") && strings.Contains(body, "`station_hours`\\npartition") {
			once.Do(func() {
				for before, patience := expiry(), time.Now().Add(10*time.Second); !renewed.Load() && time.Now().Before(patience); {
					renewed.Store(expiry().After(before))
				}
			})
		}
		return false
	})
	s.run()
	if !renewed.Load() {
		t.Error("the lease was not renewed while a table was made")
	}
	s.verify("after a slow publication")
}

// BigQuery cancels one of two transactions that change the lease at once; the
// run that loses waits for the other.
func TestFaults_LeaseThatAnotherRunIsTaking(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.Append(noon, staged.NewGenerator(21, staged.Within(noon.Add(-5*time.Hour), noon)).Records(30)...)
	p := s.throughProxy()
	s.restart()
	var refused atomic.Int32
	p.set(func(w http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
		if !strings.Contains(body, "set token = token + 1") || refused.Add(1) > 4 {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error": {"code": 400, "errors": [{"reason": "invalidQuery"}],
			"message": "Transaction is aborted due to concurrent update against table transform_lease"}}`))
		return true
	})
	s.run()
	s.verify("after the conflict")
	if refused.Load() < 5 {
		t.Error("the lease was not asked for again")
	}
}

// Who interrupts a run need not wait for its lease: the next run gets it at
// once, and catches up with what was left unfinished.
func TestRun_InterruptedGivesTheLeaseBack(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.Append(noon, staged.NewGenerator(22, staged.Within(noon.Add(-5*time.Hour), noon)).Records(30)...)
	p := s.throughProxy()
	s.config.Lease = 10 * time.Minute
	var log bytes.Buffer
	s.config.Log = slog.New(slog.NewTextHandler(&log, nil))
	runner, err := run.New(t.Context(), s.config.Config)
	check(t, err)
	t.Cleanup(func() { check(t, runner.Close()) })
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	p.set(func(_ http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
		if strings.Contains(body, "incident_dashboard__next") {
			interrupt()
		}
		return false
	})
	report, err := runner.Run(ctx, run.Options{})
	if report != nil || !errors.Is(err, run.ErrInterrupted) || !strings.Contains(err.Error(), "nothing was published") {
		t.Fatalf("the run ended with %+v, %v", report, err)
	}
	if log.Len() > 0 {
		t.Errorf("an interrupted run says nothing else, but logged %s", log.String())
	}
	row := s.Query("select holder, interrupted from prod_data.transform_lease")[0]
	if row[0] != "" || row[1] != true {
		t.Fatalf("the lease is %v, want it free and marked as interrupted", row)
	}
	s.restart()
	s.run() // waits for no longer than the test's minute
	s.verify("after an interrupted run")
}

// Who waits for another's lease is told until when.
func TestRun_SaysThatItWaits(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.Append(noon, staged.NewGenerator(23, staged.Within(noon.Add(-5*time.Hour), noon)).Records(30)...)
	s.run()
	s.Query("update prod_data.transform_lease set holder = 'another', expires_at = timestamp_add(current_timestamp(), interval 1 hour) where true")
	runner, err := run.New(t.Context(), s.config.Config)
	check(t, err)
	t.Cleanup(func() { check(t, runner.Close()) })
	var until []time.Time
	_, err = runner.Run(t.Context(), run.Options{Always: true, Until: time.Now().Add(time.Minute), Waiting: func(at time.Time) {
		until = append(until, at)
		s.Query("update prod_data.transform_lease set holder = '' where true")
	}})
	if check(t, err); len(until) != 1 || time.Until(until[0]) < 50*time.Minute {
		t.Errorf("told of a lease until %v, want once and an hour from now", until)
	}
}
