package scale

import (
	"log/slog"
	"regexp"
	"time"

	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
)

// Config is what a Checker needs to know. FromEnv fills in the defaults.
type Config struct {
	Kafka   kafka.Config
	Topics  []string // the bridge's
	GroupID string   // the bridge's

	Pool     string // full name, projects/P/locations/L/workerPools/W
	Endpoint string // of the Cloud Run Admin API, http://host:port; "" for Google's

	// Stays keeps MinInstances running while nothing comes.
	Stays bool
	// MinInstances run at least whenever any does, and MaxInstances at most.
	MinInstances, MaxInstances int64

	// IdleAfter is how long no record must have come before the pool stops.
	IdleAfter time.Duration
	// LagPerInstance is how old the oldest record that waits may be for each
	// instance. It is longer than the bridge's LakeAge, for so long what was
	// sent as rows waits to be committed.
	LagPerInstance time.Duration

	// RatePerInstance is how many records a second there are for each instance.
	RatePerInstance float64

	// DailyRun is how long the pool runs each day, from midnight of UTC on,
	// whatever comes: Kafka forgets the commits of a group that has had no
	// member for 7 days.
	DailyRun time.Duration

	Now    func() time.Time // nil for time.Now
	Logger *slog.Logger     // nil for slog.Default()
}

// mostInstances is more than a topic of this project has partitions.
const mostInstances = 1000

var poolName = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/workerPools/[^/]+$`)

// FromEnv reads the KAFKA_ variables as the bridge does, SCALE_POOL,
// SCALE_IDLE, SCALE_MIN_INSTANCES, SCALE_MAX_INSTANCES, SCALE_IDLE_AFTER,
// SCALE_LAG, SCALE_RATE, SCALE_DAILY_RUN, the bridge's BRIDGE_LAKE_AGE and RUN_EMULATOR_HOST.
// The error lists every fault.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	c := Config{
		Kafka:           kafka.FromEnv(r),
		Topics:          kafka.TopicsFromEnv(r),
		GroupID:         kafka.GroupFromEnv(r),
		Pool:            pool(r),
		Endpoint:        r.String("RUN_EMULATOR_HOST", ""),
		Stays:           r.OneOf("SCALE_IDLE", "stop", "stay") == "stay",
		MinInstances:    r.Int("SCALE_MIN_INSTANCES", 1, 1, mostInstances),
		MaxInstances:    r.Int("SCALE_MAX_INSTANCES", 2, 1, mostInstances),
		IdleAfter:       r.Duration("SCALE_IDLE_AFTER", 15*time.Minute, time.Second, 24*time.Hour),
		LagPerInstance:  r.Duration("SCALE_LAG", 2*time.Minute, time.Second, time.Hour),
		RatePerInstance: float64(r.Int("SCALE_RATE", 100_000, 1, 1_000_000_000)),
		DailyRun:        r.Duration("SCALE_DAILY_RUN", 10*time.Minute, 0, 24*time.Hour),
	}
	if c.MinInstances > c.MaxInstances {
		r.Fault("SCALE_MIN_INSTANCES", "is %d, more than SCALE_MAX_INSTANCES, %d: lower it, or raise the other",
			c.MinInstances, c.MaxInstances)
	}
	if lake := r.Duration("BRIDGE_LAKE_AGE", time.Minute, time.Millisecond, time.Hour); c.LagPerInstance <= lake {
		r.Fault("SCALE_LAG", "is %v, not longer than BRIDGE_LAKE_AGE, %v: what was sent as rows is committed with the lake, "+
			"and would count as lag until then; raise it, or lower the other", c.LagPerInstance, lake)
	}
	return c, r.Err()
}

// pool reads the name of the bridge's worker pool.
func pool(r *env.Reader) string {
	const name, remedy = "SCALE_POOL", "set it to the bridge's worker pool, projects/P/locations/REGION/workerPools/NAME"
	text := r.Required(name, remedy)
	if text != "" && !poolName.MatchString(text) {
		r.Fault(name, "is %q: %s", text, remedy)
	}
	return text
}

// options are those of the Admin API's client.
func (c Config) options() []option.ClientOption {
	if c.Endpoint == "" {
		return nil
	}
	return []option.ClientOption{option.WithEndpoint(c.Endpoint), option.WithoutAuthentication()}
}
