package system

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/tracing"
	"github.com/stationflow/stationflow/local/workerpool"
)

// poolName is what the check calls the pool.
func (s *System) poolName() string {
	return fmt.Sprintf("projects/%s/locations/local/workerPools/%s", project, s.deployment.BridgePool)
}

// bridges are the instances of the bridge's worker pool, in this process: one
// that stays, or as many as the check asks for.
type bridges struct {
	pool   *workerpool.Pool
	config bridge.Config
	tracer *tracing.Tracer
	log    *slog.Logger

	mu      sync.Mutex
	running []*bridge.Bridge
	ended   bridge.Snapshot // what those have counted that are no more
}

func startBridges(name string, config bridge.Config, tracer *tracing.Tracer, log *slog.Logger, failed func(error)) *bridges {
	b := &bridges{config: config, tracer: tracer, log: log}
	b.pool = workerpool.New(name, b.run, failed)
	b.pool.Set(1) // as a deployment begins
	return b
}

// run is one instance. Only the first of them serves its health.
func (b *bridges) run(ctx context.Context, ordinal int) error {
	config := b.config
	if ordinal > 0 {
		config.Addr = ""
	}
	one, err := bridge.New(config, bridge.Dependencies{Logger: b.log, Tracer: b.tracer})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.running = append(b.running, one)
	b.mu.Unlock()
	err = one.Run(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = slices.DeleteFunc(b.running, func(other *bridge.Bridge) bool { return other == one })
	count(&b.ended, one.Snapshot())
	return err
}

// Snapshot is the state of all instances together, as of one bridge that has
// been there all the time.
func (b *bridges) Snapshot() bridge.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.ended
	for _, one := range b.running {
		now := one.Snapshot()
		count(&all, now)
		all.Joined = all.Joined || now.Joined
		all.Trouble = cmp.Or(all.Trouble, now.Trouble)
		all.Partitions = append(all.Partitions, now.Partitions...)
		if all.Unread == nil {
			all.Unread = now.Unread // each instance leaves out the same
		}
	}
	slices.SortFunc(all.Partitions, func(a, b bridge.PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// count adds what an instance has counted since it began.
func count(to *bridge.Snapshot, s bridge.Snapshot) {
	to.Records += s.Records
	to.Batches += s.Batches
	to.Bytes += s.Bytes
	to.Retries += s.Retries
	to.DeadLetteredRecords += s.DeadLetteredRecords
	to.DeadLetteredBatches += s.DeadLetteredBatches
	to.CommitFailures += s.CommitFailures
}

// asleep says since when there has been no instance because nothing comes; the
// zero time while there is one.
func (b *bridges) asleep() time.Time {
	if set, since := b.pool.Instances(); set == 0 {
		return since
	}
	return time.Time{}
}

// startBridge starts the pool. With --idle stop it also serves what the check
// sets the instances by, and has the check called.
func (s *System) startBridge(context.Context) error {
	config, err := bridge.FromEnv(overlay(s.getenv, s.bridgeSettings()))
	if err != nil {
		return err
	}
	s.bridges = startBridges(s.poolName(), config, s.tracer("stationflow-bridge"), s.log, func(err error) { s.failed <- err })
	s.started("bridge", func(context.Context) error { s.bridges.pool.Close(); return nil })
	if s.options.Idle != "stop" {
		return nil
	}
	server, err := serveHTTP(s.admin, http.Handler(s.bridges.pool))
	if err != nil {
		return err
	}
	s.started("Cloud Run Admin API", closeServer(server))
	return nil
}

// startChecks has the check called on the schedule that is deployed.
func (s *System) startChecks(context.Context) error {
	checks, err := startScheduler(s.deployment.ScaleSchedule, s.Endpoints.Functions+"/scale",
		s.deployment.ScaleDeadline(), func() {}, s.checked)
	if err != nil {
		return err
	}
	s.started("check", func(context.Context) error { checks.Close(); return nil })
	return nil
}

// checked notes how a check ended.
func (s *System) checked(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unchecked = ""
	if err != nil {
		s.unchecked = err.Error()
		s.log.Error("the check failed", "error", err.Error())
	}
}
