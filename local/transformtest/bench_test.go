package transformtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/staged"
)

// BenchmarkRun measures a run with 120 new rows, over 10,000 and 60,000 rows
// of staging that lie in 15 days or, the hardest case, all in one. Metrics: the slowest
// model, and all tests together, in ms.
func BenchmarkRun(b *testing.B) {
	now := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	for _, rows := range []int{10_000, 60_000} {
		for _, days := range []int{15, 1} {
			b.Run(fmt.Sprintf("rows=%d/days=%d", rows, days), func(b *testing.B) {
				s := start(b, time.UTC, now)
				s.config.Exclude = []string{"tag:deep"} // as in production
				s.restart()
				g := staged.NewGenerator(5, staged.Within(now.Add(-time.Duration(days)*24*time.Hour+time.Hour), now))
				arrived := now.Add(-2 * time.Hour)
				s.Append(arrived, g.Records(rows)...)
				s.run()
				g.Moments = staged.Within(now.Add(-time.Hour), now)
				s.Append(arrived.Add(time.Hour), g.Records(120)...)
				s.run()
				models := map[string]int64{}
				var slowest, tests int64
				b.ResetTimer()
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					s.Append(arrived.Add(time.Hour+time.Duration(i)*time.Minute), g.Records(120)...)
					b.StartTimer()
					report := s.run()
					rest := report.TookMS
					for _, model := range report.Models {
						models[model.Name] += model.TookMS
						slowest = max(slowest, model.TookMS)
						rest -= model.TookMS
					}
					tests += rest
				}
				b.StopTimer()
				b.ReportMetric(float64(slowest), "slowest-model-ms")
				b.ReportMetric(float64(tests)/float64(b.N), "tests-ms")
				for name, took := range models {
					if mean := took / int64(b.N); mean > 0 {
						b.Logf("%-32s %4d ms", name, mean)
					}
				}
			})
		}
	}
}

// BenchmarkIdle measures a run without new rows over 60,000 rows of staging.
func BenchmarkIdle(b *testing.B) {
	now := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	s := start(b, time.UTC, now)
	s.Append(now.Add(-2*time.Hour), staged.NewGenerator(5, staged.Within(now.Add(-15*24*time.Hour), now)).Records(60_000)...)
	s.run()
	for b.Loop() {
		if report := s.run(); report.RowsNew != 0 {
			b.Fatalf("%+v", report)
		}
	}
}
