package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/freeport"
)

// patience is how long nothing may become durable before a run is given up.
const patience = time.Minute

// probePartition is that of the record that tries the functions' start. No
// topic has so many partitions.
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

	functions, bridge       *process
	functionsURL, bridgeURL string
	probed                  string // in the names of the objects of the try before the run

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

// running does something while both programs run, between sinks of their own.
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
	environment, err := r.environment()
	if err != nil {
		return err
	}
	if r.functions, err = startProcess(r.options.Programs, functionsProgram, environment, r.reported); err != nil {
		return err
	}
	defer r.functions.stop()
	if err := r.probe(ctx); err != nil {
		return err
	}
	if r.bridge, err = startProcess(r.options.Programs, bridgeProgram, environment, func([]byte) {}); err != nil {
		return err
	}
	defer r.bridge.stop()
	return do()
}

// watch follows the measured time from the bridge's start to the last batch.
func (r *run) watch(ctx context.Context, sender *sender, paced []message) error {
	before, err := r.functions.usage()
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
	status, err := r.status(ctx)
	r.result.Batches, r.result.Retries = status.Batches, status.Retries
	r.bridge.stop()
	r.functions.stop()
	r.result.LifetimeCPUS = (r.bridge.lifetimeCPU() + r.functions.lifetimeCPU()).Seconds()
	return err
}

// account takes what the processes have used by now.
func (r *run) account(before usage) error {
	functions, err := r.functions.usage()
	if err != nil {
		return err
	}
	bridge, err := r.bridge.usage()
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

// environment is that of both programs: the endpoints, and whatever of their
// settings, and of Go's, is set in this process's.
func (r *run) environment() ([]string, error) {
	functions, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	bridge, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	r.functionsURL, r.bridgeURL = "http://"+functions, "http://"+bridge
	_, port, _ := net.SplitHostPort(functions)
	environment := []string{
		"K_SERVICE=stationflow-bench", // logs as on Cloud Run, which is what this process reads
		"FUNCTION_HOST=127.0.0.1", "PORT=" + port,
		"GOOGLE_CLOUD_PROJECT=stationflow-bench", "LAKE_BUCKET=" + bucket, "STORAGE_EMULATOR_HOST=" + r.lake.url,
		"PUBSUB_EMULATOR_HOST=127.0.0.1:1", // where nothing is: a dead letter is a failure here
		"KAFKA_BOOTSTRAP_SERVERS=" + strings.Join(r.broker.addresses, ","), "KAFKA_GROUP_ID=" + r.broker.group,
		"BRIDGE_ADDR=" + bridge, "BRIDGE_TRANSPORT=http", "BRIDGE_HTTP_URL=" + r.functionsURL + "/ingest",
		"INGEST_SINKS=" + r.options.Sinks,
	}
	if r.warehouse != nil {
		environment = append(environment, "BIGQUERY_STORAGE_EMULATOR_HOST="+r.warehouse.address)
	} else {
		environment = append(environment, "BRIDGE_LANES=lake", "BRIDGE_LAKE_AGE=800ms") // the last records need not wait for a minute
	}
	for _, name := range adjustable {
		if value := r.getenv(name); value != "" {
			if r.result.Settings == nil {
				r.result.Settings = map[string]string{}
			}
			r.result.Settings[name] = value
			environment = append(environment, name+"="+value)
		}
	}
	return environment, nil
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

// probe posts a batch of one event again and again until the functions, just
// started, take it.
func (r *run) probe(ctx context.Context) error {
	topic := event.Topics()[0]
	b := batch.Batch{ClusterID: "probe", Topic: topic, TopicID: r.ledger.topicIDs[topic], Lane: batch.BothLanes, Records: []batch.Record{{
		Partition: probePartition, Timestamp: time.Now().UnixMilli(), Key: []byte("probe"), Value: fmt.Appendf(nil,
			`{"id":"probe","type":"Technique","station":"Station A","location":"Dock 1","timestamp":%q,"severity":"Minor","duration":1}`, time.Now().UTC().Format(time.RFC3339)),
	}}}
	r.probed = b.RangesHash()
	e, err := b.Event(time.Now(), "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := post(ctx, r.functionsURL+"/ingest", batch.Attributes(e), e.Data())
		if err == nil {
			r.result.ColdStartMS = float64(time.Since(r.functions.started).Microseconds()) / 1000
			return nil
		}
		select {
		case <-r.functions.ended:
			return fmt.Errorf("the functions ended before their first answer:\n%s", r.functions.log())
		case <-ctx.Done():
			return fmt.Errorf("waiting for the functions' first answer: %w\n%s", err, r.functions.log())
		case <-time.After(time.Millisecond):
		}
	}
}

func post(ctx context.Context, url string, header map[string]string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}

// status asks the bridge how it does.
func (r *run) status(ctx context.Context) (now bridge.Snapshot, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.bridgeURL+"/status", nil)
	if err != nil {
		return now, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return now, err
	}
	defer response.Body.Close()
	return now, json.NewDecoder(response.Body).Decode(&now)
}

// joined waits until the bridge is in its group.
func (r *run) joined(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		now, err := r.status(ctx)
		if err == nil && now.Joined {
			return nil
		}
		select {
		case <-r.bridge.ended:
			return fmt.Errorf("the bridge ended:\n%s", r.bridge.log())
		case <-ctx.Done():
			return fmt.Errorf("waiting for the bridge to join its group: %w\n%s", ctx.Err(), r.bridge.log())
		case <-time.After(10 * time.Millisecond):
		}
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
		case <-r.bridge.ended:
			return fmt.Errorf("the bridge ended:\n%s", r.bridge.log())
		case <-r.functions.ended:
			return fmt.Errorf("the functions ended:\n%s", r.functions.log())
		case <-ticker.C:
		}
		now := r.ledger.progress()
		if now != left {
			left, moved = now, time.Now()
		}
		fmt.Fprintf(r.out, "%5.1f s  %d of %d events are durable\n", time.Since(began).Seconds(), r.options.Events-now, r.options.Events)
		if time.Since(moved) > patience {
			return fmt.Errorf("nothing became durable for %v, %d events are missing; the bridge says:\n%s\nthe functions say:\n%s",
				patience, now, r.bridge.log(), r.functions.log())
		}
	}
}
