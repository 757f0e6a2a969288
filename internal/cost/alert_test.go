package cost_test

import (
	"testing"

	"github.com/stationflow/stationflow/internal/cost"
)

// What the system may cost a month holds with the function alert, which costs
// nothing where it is not deployed.
func TestModel_AlertStaysWithinTheBill(t *testing.T) {
	for records, most := range map[float64]float64{0: 5, 1: 85, 20: 120, 100: 150, 1000: 500} {
		for _, transport := range []string{cost.OverPubSub, cost.OverHTTP} {
			w := cost.DefaultWorkload(records)
			w.Transport = transport
			if without := bill(t, cost.ListPrices(), w, false); without.Components[cost.Alert] != 0 {
				t.Errorf("%v records a second over %s: %v without it", records, transport, without.Components[cost.Alert])
			}
			w.Alerts = true
			got := bill(t, cost.ListPrices(), w, false)
			if usd := got.Components[cost.Alert]; got.TotalUSDMonth > most || usd <= 0 {
				t.Errorf("%v records a second over %s: %.2f in all, %.2f for alerts; want at most %v", records, transport, got.TotalUSDMonth, usd, most)
			}
			t.Logf("%v over %s: %.2f, of them %.2f for alerts", records, transport, got.TotalUSDMonth, got.Components[cost.Alert])
		}
	}
}

// To merge the lake's files costs next to nothing while nothing comes, little
// beside the rest otherwise, and nothing where it is not deployed.
func TestModel_CompactIsCheap(t *testing.T) {
	for records, most := range map[float64]float64{0: 0.2, 1: 0.5, 20: 1, 100: 2, 1000: 10} {
		w := cost.DefaultWorkload(records)
		with := bill(t, cost.ListPrices(), w, false).Components[cost.Compact]
		w.Compacts = false
		if without := bill(t, cost.ListPrices(), w, false).Components[cost.Compact]; with <= 0 || with > most || without != 0 {
			t.Errorf("%v records a second: %.2f, want at most %v, and %.2f without it", records, with, most, without)
		}
	}
}
