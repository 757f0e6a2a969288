package bridgetest

import (
	"math"
	"testing"

	"github.com/stationflow/stationflow/functions/scale"
	"github.com/stationflow/stationflow/internal/cost"
)

// The bill takes the bridge to stay and to run each day for as long as the check
// has it.
func TestSleep_CostsWhatTheCheckDecides(t *testing.T) {
	config, err := scale.FromEnv(func(name string) string {
		return map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "SCALE_POOL": poolName}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	daily := config.DailyRun.Hours() / 24
	for _, rate := range []float64{0, 1.0 / 3600, 1} {
		items, err := cost.ListPrices().Model(cost.DefaultWorkload(rate))
		if err != nil {
			t.Fatal(err)
		}
		want := cost.Month * (1 - math.Exp(-rate*config.IdleAfter.Seconds())*(1-daily))
		for _, item := range items {
			if item.Price == "run_pool_cpu_second" && math.Abs(item.Amount-want) > 1 {
				t.Errorf("at %g records a second the bill has %.0f s of the bridge, want %.0f", rate, item.Amount, want)
			}
		}
	}
}
