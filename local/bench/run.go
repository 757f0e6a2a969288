package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stationflow/stationflow/batch"
)

// patience is how long nothing may become durable before a run is given up.
const patience = time.Minute

// probePartition is that of the record that tries the start of the first
// instance's functions; those of the others are below. No topic has so many
// partitions.
const probePartition = 999_999

const megabyte = 1e6

// A run is one measurement on its way.
type run struct {
	options Options
	getenv  func(string) string
	out     io.Writer // progress

	folder    string
	broker    *broker
	load      *load
	ledger    *ledger
	lake      *lake
	warehouse *warehouse // nil when only the lake is written

	instances []*instance
	ended     chan *process // those that did
	probed    []string      // in the names of the objects of the tries before the run

	result Result
}

// Run measures once. The error says what kept it from that, or which check
// failed; the result holds what was measured by then.
func Run(ctx context.Context, o Options, getenv func(string) string, progress io.Writer) (result Result, err error) {
	if err := o.complete(); err != nil {
		return Result{}, err
	}
	r := &run{options: o, getenv: getenv, out: progress}
	r.result = Result{Events: o.Events, Sinks: o.Sinks, Rate: o.Rate, Broker: "a broker in the benchmark's process", Machine: thisMachine()}
	if o.Kafka != "" {
		r.result.Broker = o.Kafka
	}
	if r.folder, err = os.MkdirTemp("", "stationflow-bench-"); err != nil {
		return Result{}, fmt.Errorf("making a folder for this run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.folder)) }()
	err = r.do(ctx)
	return r.result, err
}

func (r *run) do(ctx context.Context) (err error) {
	if r.broker, err = startBroker(ctx, r.options.Kafka); err != nil {
		return err
	}
	defer r.broker.Close()
	r.ledger = newLedger(r.broker.topicIDs, r.broker.first, r.options.Events)
	r.load = newLoad(time.Now().UTC(), r.options.Events)
	sender, err := newSender(r.broker.addresses, r.ledger)
	if err != nil {
		return err
	}
	defer sender.client.Close()

	fmt.Fprintf(r.out, "making %d events\n", r.options.Events)
	var paced []message
	if r.options.Rate > 0 {
		paced, err = r.load.take(r.options.Events)
	} else {
		err = sender.sendAll(ctx, r.load, r.options.Events)
	}
	if err != nil {
		return err
	}
	if err := r.running(ctx, func() error { return r.watch(ctx, sender, paced) }); err != nil {
		return err
	}
	if r.options.tamper != nil {
		if err := r.options.tamper(r.folder); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.out, "checking what was written\n")
	return r.check()
}

// running does something while the programs run, between sinks of their own.
func (r *run) running(ctx context.Context, do func() error) (err error) {
	if r.lake, err = startLake(filepath.Join(r.folder, "lake")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.lake.Close()) }()
	if r.options.Sinks == lakeAndWarehouse {
		if r.warehouse, err = startWarehouse(filepath.Join(r.folder, "warehouse")); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.warehouse.Close()) }()
	}
	defer r.stop()
	if err := r.start(ctx); err != nil {
		return err
	}
	return do()
}

// watch follows the measured time from the bridges' start to the last batch.
func (r *run) watch(ctx context.Context, sender *sender, paced []message) error {
	before, err := r.usage(theFunctions)
	if err != nil {
		return err
	}
	if err := r.joined(ctx); err != nil {
		return err
	}
	began := time.Now()
	var sending sync.WaitGroup
	var sent error
	sendingContext, cancel := context.WithCancel(ctx)
	sending.Go(func() {
		if sent = sender.sendPaced(sendingContext, paced, r.options.Rate); sent != nil {
			cancel()
		}
	})
	err = r.finished(sendingContext, began)
	cancel()
	sending.Wait()
	if sent != nil && !errors.Is(sent, context.Canceled) {
		return sent
	}
	if err != nil {
		return err
	}
	r.result.WallS = r.ledger.last.Sub(began).Seconds()
	if err := r.account(before); err != nil {
		return err
	}
	for _, i := range r.instances {
		status, err := i.status(ctx)
		if err != nil {
			return err
		}
		r.result.Batches, r.result.Retries = r.result.Batches+status.Batches, r.result.Retries+status.Retries
		r.result.InstanceBatches = append(r.result.InstanceBatches, status.Batches)
	}
	r.stop()
	r.result.LifetimeCPUS = (r.lifetimeCPU(theBridge) + r.lifetimeCPU(theFunctions)).Seconds()
	return nil
}

// account takes what the processes have used by now.
func (r *run) account(before usage) error {
	functions, err := r.usage(theFunctions)
	if err != nil {
		return err
	}
	bridge, err := r.usage(theBridge)
	if err != nil {
		return err
	}
	s := &r.result
	s.BridgeCPUS, s.FunctionsCPUS = bridge.cpu.Seconds(), (functions.cpu - before.cpu).Seconds()
	s.CPUS = s.BridgeCPUS + s.FunctionsCPUS
	s.EventsPerCPUS, s.EventsPerS = float64(s.Events)/s.CPUS, float64(s.Events)/s.WallS
	s.BridgePeakRSSMB, s.FunctionsPeakRSSMB = float64(bridge.peakRSS)/megabyte, float64(functions.peakRSS)/megabyte
	s.PeakRSSMB = max(s.BridgePeakRSSMB, s.FunctionsPeakRSSMB)
	s.Freshness = freshness(r.ledger)
	return nil
}

// adjustable are variables that change how the programs work, not with whom.
var adjustable = []string{
	"BRIDGE_BATCH_RECORDS", "BRIDGE_BATCH_BYTES", "BRIDGE_BATCH_AGE", "BRIDGE_LAKE_AGE", "BRIDGE_IN_FLIGHT", "BRIDGE_MEMORY_BYTES",
	"BRIDGE_FETCH_BYTES", "BRIDGE_COMMIT_INTERVAL", "BRIDGE_PUBLISH_TIMEOUT",
	"INGEST_CONCURRENCY", "INGEST_APPEND_TIMEOUT", "INGEST_CALL_TIMEOUT", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG",
}

// reported reads a line of the functions' log.
func (r *run) reported(line []byte) {
	if !bytes.Contains(line, []byte("batch ingested")) {
		return
	}
	var ingested struct {
		Topic     string `json:"topic"`
		Ranges    string `json:"ranges"`
		DurableMS int64  `json:"durable_ms"`
	}
	if json.Unmarshal(line, &ingested) != nil {
		return
	}
	ranges, _ := batch.ParseRanges(ingested.Ranges)
	for _, of := range ranges {
		r.ledger.durable(place{ingested.Topic, of.Partition}, of.First, of.Last, ingested.DurableMS)
	}
}

// finished waits until every record is durable, and says how far it is.
func (r *run) finished(ctx context.Context, began time.Time) error {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	left, moved := r.options.Events, time.Now()
	for {
		select {
		case <-r.ledger.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case p := <-r.ended:
			return fmt.Errorf("the %s ended:\n%s", p.name, p.log())
		case <-ticker.C:
		}
		now := r.ledger.progress()
		if now != left {
			left, moved = now, time.Now()
		}
		fmt.Fprintf(r.out, "%5.1f s  %d of %d events are durable\n", time.Since(began).Seconds(), r.options.Events-now, r.options.Events)
		if time.Since(moved) > patience {
			return fmt.Errorf("nothing became durable for %v, %d events are missing; the first bridge says:\n%s\nits functions say:\n%s",
				patience, now, r.instances[0].bridge.log(), r.instances[0].functions.log())
		}
	}
}
