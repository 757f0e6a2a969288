package scale

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A fleet is bridges over simulated seconds: what they have not read waits in
// the order in which it came.
type fleet struct {
	config   Config
	capacity float64 // records a second of one instance
	listed   []kafka.Partition

	now      int       // seconds since the start
	arrived  []float64 // records of each second
	read     float64   // records that were handed on
	readAt   []float64 // of each second: how many were by then
	head     int       // second of the oldest record that waits
	headLeft float64   // records of that second that wait

	set      int64
	ready    []int // second from which each instance reads
	sharing  int   // second from which nobody reads, while the group shares its partitions
	late     float64
	changes  []int
	greatest int64
}

// What a bridge takes in the cloud is not known here; these are cautious.
const (
	startSeconds = 30 // from the change of the pool to the first record
	shareSeconds = 8  // while the group shares its partitions
	lakeSeconds  = 60 // until what was handed on is committed
)

func newFleet(config Config, capacity float64, partitions int) *fleet {
	f := &fleet{config: config, capacity: capacity, set: 1, ready: []int{0}, sharing: -shareSeconds}
	for number := range partitions {
		f.listed = append(f.listed, kafka.Partition{Topic: "passenger_flow", Number: int32(number)})
	}
	return f
}

// second lets one second pass in which so many records come.
func (f *fleet) second(records float64) {
	f.arrived = append(f.arrived, records)
	if len(f.arrived) == 1 {
		f.headLeft = records
	}
	room := 0.0
	if f.now < f.sharing || f.now >= f.sharing+shareSeconds {
		for _, from := range f.ready {
			if f.now >= from {
				room += f.capacity
			}
		}
	}
	for f.head <= f.now {
		took := min(room, f.headLeft)
		if age := f.now - f.head; age > 10 {
			f.late += took
		}
		f.read, f.headLeft, room = f.read+took, f.headLeft-took, room-took
		if f.headLeft > 0 || f.head == f.now {
			break
		}
		f.head++
		f.headLeft = f.arrived[f.head]
	}
	f.readAt = append(f.readAt, f.read)
	if f.now++; f.now%60 == 0 {
		f.check()
	}
}

// check is what the function does each minute.
func (f *fleet) check() {
	want, _ := f.config.decide(f.standing(), f.set, time.Unix(int64(f.now)+1_800_000_000, 0))
	if want == f.set {
		return
	}
	f.changes = append(f.changes, f.now)
	for int64(len(f.ready)) < want {
		f.ready = append(f.ready, f.now+startSeconds)
		f.sharing = f.now + startSeconds
	}
	if int64(len(f.ready)) > want {
		f.ready = f.ready[:want]
		f.sharing = f.now
	}
	f.set, f.greatest = want, max(f.greatest, want)
}

// standing is what Kafka tells at this moment.
func (f *fleet) standing() (s standing) {
	s.partitions = int64(len(f.listed))
	committed := 0.0
	if f.now > lakeSeconds {
		committed = f.readAt[f.now-1-lakeSeconds]
	}
	total, oldest := 0.0, -1
	since := func(window time.Duration) (records float64) {
		for _, n := range f.arrived[max(0, f.now-int(window.Seconds())):] {
			records += n
		}
		return records / window.Seconds()
	}
	for second, n := range f.arrived {
		if total += n; oldest < 0 && total > committed {
			oldest = second
		}
	}
	long, short := since(f.config.IdleAfter), since(f.config.LagPerInstance)
	s.rate, s.recent = max(long, short), long > 0
	if oldest >= 0 {
		s.waiting = f.listed
		lag := time.Duration(f.now-oldest) * time.Second
		s.lag = min(lag.Truncate(f.config.LagPerInstance), time.Duration(f.config.MaxInstances-1)*f.config.LagPerInstance)
	}
	return s
}

func (f *fleet) String() string {
	return fmt.Sprintf("%d changes, %d instances at most, %d at the end, %.2f %% of %.3g records later than 10 s",
		len(f.changes), f.greatest, f.set, 100*f.late/max(f.read, 1), f.read)
}

func simulated(most int64) Config {
	return Config{MinInstances: 1, MaxInstances: most, IdleAfter: 15 * time.Minute, LagPerInstance: 2 * time.Minute, RatePerInstance: 100_000}
}

// At a rate that goes on, the pool finds its size within half an hour, keeps it,
// and nothing waits.
func TestSimulation_RateThatGoesOn(t *testing.T) {
	for _, c := range []struct {
		rate       float64
		partitions int
	}{{10, 36}, {10e3, 36}, {100e3, 36}, {150e3, 36}, {1e6, 36}, {10e6, 240}} {
		t.Run(fmt.Sprint(c.rate), func(t *testing.T) {
			f := newFleet(simulated(int64(c.partitions)), 120_000, c.partitions)
			for range 3 * 3600 {
				f.second(c.rate)
			}
			t.Log(f)
			if n := len(f.changes); n > 0 && f.changes[n-1] > 45*60 {
				t.Errorf("the pool changes after %d minutes: %v", f.changes[n-1]/60, f)
			}
			if waits := f.now - 1 - f.head; waits > 1 {
				t.Errorf("records wait for %d s: %v", waits, f)
			}
		})
	}
}

// Over days with two rush hours, few records are late, and the pool follows
// without going up and down.
func TestSimulation_Days(t *testing.T) {
	f := newFleet(simulated(36), 120_000, 36)
	for second := range 2 * 86400 {
		hour := float64(second%86400) / 3600
		rush := math.Exp(-math.Pow(hour-8, 2)/2) + math.Exp(-math.Pow(hour-18, 2)/4)
		f.second(20_000 + 800_000*rush)
	}
	t.Log(f)
	if f.late > 0.02*f.read || len(f.changes) > 2*4*12 {
		t.Errorf("%v", f)
	}
}

// A pile of records is worked off, and the pool is small again.
func TestSimulation_Burst(t *testing.T) {
	f := newFleet(simulated(36), 120_000, 36)
	for second := range 2 * 3600 {
		records := 1000.0
		if second == 600 {
			records = 100e6
		}
		f.second(records)
	}
	t.Log(f)
	if waits := f.now - 1 - f.head; waits > 1 || f.set != 1 {
		t.Errorf("records wait for %d s: %v", waits, f)
	}
}
