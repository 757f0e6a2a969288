// Package scale lets the bridge sleep: it sets how many instances the bridge's
// worker pool has, none while nothing comes, and as many as the lag asks for.
//
// The scheduler calls it each minute. It reads metadata and offsets from Kafka
// (standing.go), decides (decide.go), and sets the number by the Cloud Run
// Admin API where it is another. It joins no group and keeps nothing from one
// call to the next: whatever it has to know is in Kafka and in the pool. When
// Kafka does not tell all, the pool stays as it is and the call fails.
//
// A partition for which the group has committed nothing counts as one with
// records that wait. So the first start after a deployment, which commits a
// position for every partition, is never cut short.
package scale

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/api/option"
	run "google.golang.org/api/run/v2"
)

// callTimeout bounds one check; the next follows within the minute.
const callTimeout = 50 * time.Second

// A Checker checks one pool. It is safe for concurrent use: checks that overlap
// decide alike, and one that was overtaken is put right by the next.
type Checker struct {
	config Config
	pools  *run.ProjectsLocationsWorkerPoolsService
}

// New returns a Checker. It calls nobody.
func New(ctx context.Context, config Config) (*Checker, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	service, err := run.NewService(ctx, append(config.options(), option.WithUserAgent("stationflow-scale"))...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the Cloud Run Admin API: %w", err)
	}
	return &Checker{config, service.Projects.Locations.WorkerPools}, nil
}

// A Result says what a check found and did.
type Result struct {
	Instances int64  `json:"instances"` // that the pool has from now on
	Before    int64  `json:"before"`    // that it had
	Reason    string `json:"reason"`    // why it has so many, in one sentence without a full stop
	Members   int    `json:"members"`   // of the group: none in an instance that does not get as far as Kafka
	Waiting   int64  `json:"waiting"`   // offsets behind the group's commits

	// LagSeconds is how old the oldest record that waits is at least; it
	// counts in steps of SCALE_LAG, up to what SCALE_MAX_INSTANCES ask for.
	LagSeconds float64 `json:"lag_seconds"`
}

// Check looks once, and sets the pool's instances where they differ. After an
// error the pool is as it was.
func (c *Checker) Check(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := c.config.Now()
	found, err := c.config.look(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("checking whether records wait: %w", err)
	}
	before, err := c.instances(ctx)
	if err != nil {
		return Result{}, err
	}
	r := Result{Before: before, Members: found.members, Waiting: found.offsets, LagSeconds: found.lag.Seconds()}
	r.Instances, r.Reason = c.config.decide(found, before, now)
	if r.Instances != before {
		if err := c.set(ctx, r.Instances); err != nil {
			return Result{}, err
		}
	}
	c.config.Logger.Info("pool checked", "instances", r.Instances, "before", before, "reason", r.Reason,
		"members", r.Members, "waiting", r.Waiting, "lag_seconds", r.LagSeconds)
	for _, problem := range found.withheld {
		c.config.Logger.Warn("a topic is not read", "reason", problem)
	}
	return r, nil
}

// instances is how many the pool has been set to.
func (c *Checker) instances(ctx context.Context) (int64, error) {
	pool, err := c.pools.Get(c.config.Pool).Context(ctx).Do()
	if err != nil {
		return 0, fmt.Errorf("reading how many instances %s has: %w", c.config.Pool, err)
	}
	if pool.Scaling == nil {
		return 0, nil
	}
	return pool.Scaling.ManualInstanceCount, nil
}

// set changes the number and nothing else of the pool. The answer is an
// operation, which is not waited for: the next check sees what became of it.
func (c *Checker) set(ctx context.Context, instances int64) error {
	change := &run.GoogleCloudRunV2WorkerPool{Scaling: &run.GoogleCloudRunV2WorkerPoolScaling{
		ManualInstanceCount: instances, ForceSendFields: []string{"ManualInstanceCount"}, // 0 too
	}}
	_, err := c.pools.Patch(c.config.Pool, change).UpdateMask("scaling.manualInstanceCount").Context(ctx).Do()
	if err != nil {
		return fmt.Errorf("setting the instances of %s to %d: %w", c.config.Pool, instances, err)
	}
	return nil
}
