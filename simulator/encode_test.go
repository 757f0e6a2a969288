package simulator

import (
	"reflect"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
)

// The encoding alone of one event, the longest.
func BenchmarkEncode(b *testing.B) {
	number, due := "N0601", time.Date(2026, 11, 22, 6, 1, 0, 0, time.UTC)
	e := &event.TrainMovement{ID: "arr-000001", Station: "Station A", Timestamp: due.Add(50 * time.Second), Passengers: 14,
		DockNumber: 1, WagonCount: 9, Direction: "North", TrainNumber: &number, ScheduledTimestamp: &due}
	l := layoutOf(reflect.TypeOf(e).Elem(), false)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = l.encode(buffer[:0], reflect.ValueOf(e).Elem())
	}
}
