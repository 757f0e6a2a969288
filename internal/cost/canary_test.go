package cost_test

import (
	"testing"

	"github.com/stationflow/stationflow/internal/cost"
)

// What was promised holds with everything that is optional deployed, and a
// canary costs next to nothing while the bridge sleeps.
func TestModel_LimitsHoldWithEverythingDeployed(t *testing.T) {
	for records, most := range map[float64]float64{0: 5, 1: 85, 20: 120, 100: 150, 1000: 500} {
		w := cost.DefaultWorkload(records)
		without := bill(t, cost.ListPrices(), w, false).TotalUSDMonth
		w.Canaries = true
		canary := bill(t, cost.ListPrices(), w, false)
		if more := canary.TotalUSDMonth - without; more <= 0 || more > 4 || records == 0 && more > 0.4 {
			t.Errorf("at %v records a second canaries cost %.2f", records, more)
		}
		if got := canary.Components[cost.Canary]; got <= 0 {
			t.Errorf("canaries are no line of the bill: %.2f", got)
		}
		w.Alerts, w.PageHours = true, 8
		all := bill(t, cost.ListPrices(), w, false)
		if all.TotalUSDMonth > most {
			t.Errorf("%v records a second cost %.2f with all, and %v at most were promised", records, all.TotalUSDMonth, most)
		}
		t.Logf("%v: %.2f, of them %.2f for the page", records, all.TotalUSDMonth, all.Components[cost.Page])
	}
}
