package transformtest

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/staged"
)

// A table that is made anew is published outside of the transaction: nobody
// else may get the lease meanwhile, however long that takes.
func TestFaults_LeaseIsKeptWhileATableIsMadeAnew(t *testing.T) {
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
		if strings.Contains(body, "create or replace table") && strings.Contains(body, "`incident_dashboard`") {
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
