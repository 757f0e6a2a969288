package scale

import (
	"fmt"
	"math"
	"time"
)

// decide returns how many instances there shall be, and why, now that so many
// are set. It depends on nothing else, so that a check that is repeated, or
// that runs at the same time as another, decides alike.
func (c Config) decide(s standing, set int64, now time.Time) (instances int64, why string) {
	instances, why = c.asked(s, now)
	switch {
	case instances == 0 && c.Stays:
		return c.MinInstances, why + ", and SCALE_IDLE is stay"
	case instances == 0:
		return 0, why
	case instances > 1 && s.lag >= c.LagPerInstance:
		instances = max(instances, set) // none goes while the others are behind
	}
	return min(max(instances, c.MinInstances), c.MaxInstances), why
}

// asked is what the records ask for.
func (c Config) asked(s standing, now time.Time) (instances int64, why string) {
	switch {
	case c.behind(s) > max(c.coming(s), 1):
		return c.behind(s), fmt.Sprintf("%d offsets of %d partitions wait, the oldest for more than %v", s.offsets, len(s.waiting), s.lag)
	case c.coming(s) > 1:
		return c.coming(s), fmt.Sprintf("%.0f records come each second", s.rate)
	case len(s.waiting) > 0:
		return 1, fmt.Sprintf("%d offsets of %d partitions wait", s.offsets, len(s.waiting))
	case len(s.unsettled) > 0:
		return 1, fmt.Sprintf("nothing is committed yet for %d partitions, %s among them", len(s.unsettled), s.unsettled[0])
	case s.recent:
		return 1, fmt.Sprintf("a record came within %v", c.IdleAfter)
	case len(s.withheld) > 0:
		return 1, s.withheld[0]
	case sinceMidnight(now) < c.DailyRun:
		return 1, "it runs once a day, so that Kafka keeps the group's commits"
	}
	return 0, fmt.Sprintf("no record came for %v and none waits", c.IdleAfter)
}

// behind is how many instances the lag asks for. More than partitions that wait
// would have nothing to do.
func (c Config) behind(s standing) int64 {
	return min(1+int64(s.lag/c.LagPerInstance), int64(len(s.waiting)))
}

// coming is how many instances the records ask for that come. Without it a rate
// that is too much for one would have a second one only once records wait for
// LagPerInstance, and lose it as soon as they do not.
func (c Config) coming(s standing) int64 {
	return min(int64(math.Ceil(s.rate/c.RatePerInstance)), s.partitions)
}

func sinceMidnight(now time.Time) time.Duration {
	return now.Sub(now.UTC().Truncate(24 * time.Hour))
}
