package cost_test

import (
	"math"
	"testing"

	"github.com/stationflow/stationflow/internal/cost"
)

// The page costs by how long somebody looks, little while nothing comes, and
// nothing where it is not deployed.
func TestModel_ThePageCostsWhileSomebodyLooks(t *testing.T) {
	page := func(records, hours float64) float64 {
		w := cost.DefaultWorkload(records)
		w.PageHours = hours
		return bill(t, cost.ListPrices(), w, false).Components[cost.Page]
	}
	for records, most := range map[float64]float64{0: 0.2, 1: 2.5, 20: 3.7, 100: 3.9, 1000: 15} {
		if got := page(records, 8); got <= 0 || got > most {
			t.Errorf("at %v records a second it costs %.2f, want at most %v", records, got, most)
		}
		if got := page(records, 24) / page(records, 8); math.Abs(got-3) > 1e-9 {
			t.Errorf("at %v records a second the whole day costs %.3f times what 8 hours do", records, got)
		}
		if got := page(records, 0); got != 0 {
			t.Errorf("at %v records a second it costs %.2f where it is not deployed", records, got)
		}
	}
}
