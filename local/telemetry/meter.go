package telemetry

import (
	"sort"
	"sync"
	"time"
)

// RateWindow is how far back a rate looks.
const RateWindow = 30 * time.Second

// history is how long a Meter remembers: longer than a transform runs, and
// than the window of the quarantine's alert.
const history = 20 * time.Minute

// A Meter turns a count that somebody reads now and then into a rate. It is
// safe for concurrent use; the zero value has read nothing.
type Meter struct {
	mu       sync.Mutex
	readings []reading // within history, oldest first
	moved    time.Time // when it last moved, or had no cause to
}

type reading struct {
	at    time.Time
	count int64
}

// Note records what the count is at a time that never lies before the last.
func (m *Meter) Note(at time.Time, count int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.readings); n == 0 || m.readings[n-1].count != count {
		m.moved = at
	}
	if drop := m.until(at.Add(-history)); drop > len(m.readings)/2 { // let go of the memory behind
		m.readings = append([]reading(nil), m.readings[drop:]...)
	}
	m.readings = append(m.readings, reading{at, count})
}

// until counts the readings at or before a time. The lock is held.
func (m *Meter) until(at time.Time) int {
	return sort.Search(len(m.readings), func(i int) bool { return m.readings[i].at.After(at) })
}

// PerSecond is the mean over RateWindow up to the last reading, or since the
// first one while that is less long ago. It is false before the second
// reading. A count that falls, as that of a topic does when records expire,
// makes no negative rate.
func (m *Meter) PerSecond() (rate float64, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.readings) < 2 {
		return 0, false
	}
	last := m.readings[len(m.readings)-1]
	first := m.readings[max(m.until(last.at.Add(-RateWindow))-1, 0)]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0, false
	}
	return max(float64(last.count-first.count), 0) / took, true
}

// At is what the count was at a time: the last reading not after it, or the
// first there is.
func (m *Meter) At(at time.Time) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.readings) == 0 {
		return 0
	}
	return m.readings[max(m.until(at)-1, 0)].count
}

// Within is by how much the count rose within a time up to the last reading; 0
// where it fell.
func (m *Meter) Within(window time.Duration) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.readings) == 0 {
		return 0
	}
	last := m.readings[len(m.readings)-1]
	return max(last.count-m.readings[max(m.until(last.at.Add(-window))-1, 0)].count, 0)
}

// Since is when the count was first read above a value, as far back as the
// meter remembers; zero when it was not.
func (m *Meter) Since(value int64) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.readings {
		if one.count > value {
			return one.at
		}
	}
	return time.Time{}
}

// Rest records that at a time there was nothing that could move the count.
func (m *Meter) Rest(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moved = at
}

// Still is for how long, at a time, the count has not moved although it could;
// 0 before the first reading.
func (m *Meter) Still(at time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.moved.IsZero() {
		return 0
	}
	return max(at.Sub(m.moved), 0)
}
