package view

import (
	"fmt"
	"net/url"
	"testing"
)

// BenchmarkAnswer answers a question about 28 of 90 days of 20 stations, with
// comparison.
func BenchmarkAnswer(b *testing.B) {
	m := &marts{}
	for ago := range Days {
		for hour := int64(5); hour < 24; hour++ {
			for n := range 20 {
				station := fmt.Sprintf("Station %02d", n)
				m.entered(ago, hour, station, 100)
				for _, direction := range []string{"North", "South", "East", "West"} {
					m.arrivals = append(m.arrivals, arrivals{place: at(ago, hour, station), Direction: text(direction), Arrivals: 6, Scheduled: 6, OnTime: 5, MinutesLate: float(9)})
					m.late = append(m.late, late{place: at(ago, hour, station), Direction: text(direction), Train: fmt.Sprint(direction, hour), Late: 1, Scheduled: 1, MinutesLate: float(9)})
				}
			}
		}
	}
	s := New(Config{from: m, Moment: func() Moment { return Moment{At: now} }})
	if err := s.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Answer(url.Values{"range": {"28d"}}); err != nil {
			b.Fatal(err)
		}
	}
}
