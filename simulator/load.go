package simulator

import "time"

// How large the steps of a load are: what is written in three seconds, as at
// speed 60, but no more events than fit well into memory and cache.
const (
	loadStep     = 3 * time.Second
	mostLoadStep = 20_000
	// eventsPerStation is what one station of one line emits in a step, on the
	// average of a day.
	eventsPerStation = 9.4
)

// ForRate returns the config of a network that can be run at a rate of so many
// events a second for any time: it repeats the day from Start, with as many
// lines as the rate needs. Simulated time passes as fast as the events do.
func (c Config) ForRate(rate float64) Config {
	events := min(rate*loadStep.Seconds(), mostLoadStep)
	stations := len(c.Plan.orDefault().Stations)
	c.Lines = max(int(events/(eventsPerStation*float64(stations))), 1)
	c.Repeat = true
	return c
}
