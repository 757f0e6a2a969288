package lake

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
)

func TestByHour_KeepsEveryRowInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		rows := make([]event.Row, random.IntN(60))
		for i := range rows {
			at := time.Date(1969, 12, 31, 22, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(5*3600)) * time.Second)
			rows[i] = event.Row{event.IntValue(int64(i)), event.TimeValue(at.UnixMicro())}
		}
		seen := make(map[int64]bool)
		starts := make(map[time.Time]bool)
		for _, h := range ByHour(rows, 1) {
			if starts[h.Start] || h.Start.Truncate(time.Hour) != h.Start {
				t.Fatalf("hour %v comes twice or is none", h.Start)
			}
			starts[h.Start] = true
			last := int64(-1)
			for _, row := range h.Rows {
				if row[1].Time().Truncate(time.Hour) != h.Start || row[0].Int() <= last || seen[row[0].Int()] {
					t.Fatalf("row %d of %v in hour %v", row[0].Int(), row[1].Time(), h.Start)
				}
				last = row[0].Int()
				seen[last] = true
			}
		}
		if len(seen) != len(rows) {
			t.Fatalf("%d of %d rows are left", len(seen), len(rows))
		}
	}
}
