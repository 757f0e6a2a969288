package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"

	_ "github.com/stationflow/stationflow" // registers the functions
	"github.com/stationflow/stationflow/event"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/observe"
	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/internal/serve"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/local/endpoints"
	"github.com/stationflow/stationflow/local/meter"
	"github.com/stationflow/stationflow/local/pubsub"
	"github.com/stationflow/stationflow/local/registry"
	"github.com/stationflow/stationflow/local/telemetry"
	"github.com/stationflow/stationflow/local/traces"
	"github.com/stationflow/stationflow/local/warehouse"
	"github.com/stationflow/stationflow/terraform"
)

const (
	project = "stationflow-local"
	bucket  = "stationflow-lake"
)

// pushConcurrency is how many batches are in the ingest function at once. All
// of them wait while the warehouse is busy with a statement: with 36 partitions
// and two batches a second of each, that is one statement's time.
const pushConcurrency = 128

// A System is a running local system. Start makes one; Close ends it.
type System struct {
	Endpoints endpoints.Endpoints

	options    Options
	getenv     func(string) string // the user's environment, with the settings on top
	settings   []string            // the endpoints and what else a program of its own needs, NAME=value
	environ    string              // the file that has them, for a shell
	location   *time.Location
	folder     string // where everything is kept
	log        *slog.Logger
	watcher    *telemetry.Watcher
	meter      *meter.Meter
	deployment terraform.Deployment

	broker    *broker
	bigquery  *bigquery.Client
	warehouse *warehouse.Warehouse
	pubsub    *pubsub.Server
	bridges   *bridges // nil when it runs elsewhere
	admin     string   // host:port at which the check sets their number; "" without it
	inquiry   *inquiry // of the bridge that does
	functions *probe   // whether those that run elsewhere answer; nil without any
	answers   *probe   // whether the warehouse does
	dashboard *dashboard.Dashboard
	collector *traces.Collector  // nil without --traces
	counts    *observe.Functions // what the functions logged, for /metrics
	scheduler *scheduler
	stations  *stations // nil without --simulate

	out              io.Writer
	kept             struct{ valid, quarantined, tombstones, surplus int64 } // rows in staging from an earlier run; tombstones are some of the quarantined, surplus those that stand for no record in quarantine
	missing          int64                                                   // records that had not arrived at the end
	refresh          signal                                                  // the page should read the tables again
	transformedAgain signal                                                  // a run of the transform has ended
	rates            rates
	refused          refused
	alerts           alerts

	simulated stationClock

	mu          sync.Mutex
	running     time.Time       // since when the scheduler's attempt is under way; zero when none is
	failure     string          // of the last attempt
	unchecked   string          // why the last check failed; "" when it did not
	transformed seen            // by the last run that succeeded
	metered     []meter.Reading // of the last minutes, oldest first

	parts  []part     // to close, in the order in which they were started
	failed chan error // a part that ended by itself
}

// A part is something that was started and must be closed.
type part struct {
	name  string
	close func(context.Context) error
}

func (s *System) started(name string, close func(context.Context) error) {
	s.parts = append(s.parts, part{name, close})
}

// A step starts one part; the name is shown while it does.
type step struct {
	name  string
	start func(context.Context) error
}

// run starts the part and says how long that took; when it is long, it says
// beforehand what is going on.
func (step step) run(ctx context.Context, out io.Writer) error {
	began := time.Now()
	slow := time.AfterFunc(2*time.Second, func() { fmt.Fprintf(out, "  %s is starting\n", step.name) })
	err := step.start(ctx)
	slow.Stop()
	if err == nil {
		fmt.Fprintf(out, "  %-24s %4.1f s\n", step.name, time.Since(began).Seconds())
	}
	return err
}

// Start starts every part in the order of the flow, each when what it needs
// is there, and shows on out what it is doing. folder is where everything is
// kept. After an error everything that was started is closed again.
func Start(ctx context.Context, o Options, folder string, getenv func(string) string, out io.Writer, log *slog.Logger) (*System, error) {
	s := &System{options: o, folder: folder, out: out, refresh: newSignal(), transformedAgain: newSignal(), failed: make(chan error, 4)}
	s.meter = meter.New(time.Now)
	s.counts = observe.NewFunctions()
	s.watcher = telemetry.Watch(s.counts.Handler(s.meter.Handler(log.Handler())), time.Now, s.transformFinished)
	s.log = slog.New(s.watcher)
	slog.SetDefault(s.log) // where the functions log
	if err := s.configure(getenv); err != nil {
		return nil, err
	}
	for _, step := range s.steps() {
		if err := step.run(ctx, out); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// steps are what Start does, in order.
func (s *System) steps() []step {
	var steps []step
	if s.options.Traces {
		steps = append(steps, step{"traces", s.startTraces})
	}
	steps = append(steps, []step{{"Kafka", s.startKafka}, {"schema registry", s.startRegistry}, {"BigQuery", s.startWarehouse}, {"Cloud Storage", s.startObjects}, {"Pub/Sub", s.startPubSub}}...)
	if !s.options.without("functions") {
		steps = append(steps, step{"functions", s.startFunctions})
	}
	if !s.options.without("bridge") {
		steps = append(steps, step{"bridge", s.startBridge})
	}
	steps = append(steps, step{"dashboard", s.startDashboard}, step{"scheduler", s.startScheduler})
	if !s.options.without("functions") {
		steps = append(steps, step{"compaction", s.startCompaction})
	}
	if s.options.Idle == "stop" {
		steps = append(steps, step{"check", s.startChecks})
	}
	if s.options.Simulate {
		steps = append(steps, step{"one day of events", s.startStations})
	}
	if s.options.without("functions") {
		return steps
	}
	steps = append(steps, step{"first transform", s.firstTransform})
	if s.options.History > 0 && len(s.options.Without) == 0 {
		steps = append(steps, step{"days before", s.startHistory})
	}
	return steps
}

func (s *System) startWarehouse(ctx context.Context) error {
	r := env.NewReader(s.getenv)
	config := bqconfig.FromEnv(r)
	if err := r.Err(); err != nil {
		return err
	}
	lake := lakeTables(config, bucket)
	w, err := warehouse.Start(ctx, warehouse.Config{
		Project: project, Engine: s.options.Engine, DataDir: s.keptFolder("warehouse"), Log: s.log,
		RESTAddr: host(s.Endpoints.BigQuery), GRPCAddr: s.Endpoints.BigQueryGRPC, Storage: s.Endpoints.Storage,
		Before:  func(ctx context.Context, statement string) error { return copyLake(ctx, lake, statement) },
		Metered: s.meterQuery,
	})
	if err != nil {
		return err
	}
	s.warehouse = w
	s.started("BigQuery", func(context.Context) error { return w.Close() })
	s.bigquery, err = bigquery.NewClient(ctx, project, config.RESTOptions()...)
	if err != nil {
		return fmt.Errorf("connecting to BigQuery: %w", err)
	}
	s.started("BigQuery client", func(context.Context) error { return s.bigquery.Close() })
	if err := createTables(ctx, s.bigquery, s.Endpoints.StagingDataset, s.Endpoints.ProdDataset, s.deployment.StagingPartitions, lake); err != nil {
		return err
	}
	if s.options.Canary {
		if err := createCanaries(ctx, s.bigquery, s.Endpoints.StagingDataset, s.Endpoints.ProdDataset, s.deployment.StagingPartitions); err != nil {
			return err
		}
	}
	s.started("ledger", s.account)
	return s.countKept(ctx)
}

// startRegistry starts a schema registry, unless the user has one.
func (s *System) startRegistry(context.Context) error {
	if s.options.SchemaRegistry != "" {
		return nil
	}
	file := ""
	if s.options.DataDir != "" {
		file = filepath.Join(s.folder, "schemas.json")
	}
	r, err := registry.Open(file)
	if err != nil {
		return err
	}
	server, err := serveHTTP(host(s.Endpoints.SchemaRegistry), r.Handler())
	if err != nil {
		return err
	}
	s.started("schema registry", closeServer(server))
	return nil
}

// startKafka starts a broker, unless the user has one, and the topics.
func (s *System) startKafka(ctx context.Context) error {
	if s.options.Kafka == "" {
		cluster, err := startKafka(s.Endpoints.Kafka, s.keptFolder("kafka"))
		if err != nil {
			return err
		}
		s.started("Kafka", func(context.Context) error { cluster.Close(); return nil })
	}
	var err error
	if s.broker, err = watchBroker(ctx, s.getenv); err != nil && s.options.Kafka != "" {
		return errors.New(strings.ReplaceAll(err.Error(), "KAFKA_BOOTSTRAP_SERVERS", "--kafka")) // which it was set from
	} else if err != nil {
		return err
	}
	s.started("Kafka client", func(context.Context) error { return s.broker.Close() })
	if s.options.Canary {
		return kafka.CreateTopics(ctx, s.broker.config, []string{event.CanaryTopic}, 1)
	}
	return nil
}

func (s *System) startObjects(context.Context) error {
	server, err := startObjects(host(s.Endpoints.Storage), filepath.Join(s.folder, "objects"), bucket, s.meter.Objects)
	if err != nil {
		return err
	}
	s.started("Cloud Storage", closeServer(server))
	return nil
}

func (s *System) startPubSub(ctx context.Context) error {
	server, err := pubsub.Start(ctx, pubsub.Config{
		Addr: s.Endpoints.PubSub, DataDir: s.keptFolder("pubsub"), Log: s.log,
		PushConcurrency: pushConcurrency,
	})
	if err != nil {
		return err
	}
	s.pubsub = server
	s.started("Pub/Sub", func(ctx context.Context) error {
		s.delivered(ctx)
		return server.Close()
	})
	return createMessaging(ctx, s.Endpoints.PubSub, project, s.Endpoints.Functions, s.deployment)
}

// startFunctions serves the functions in this process.
func (s *System) startFunctions(ctx context.Context) error {
	address, port, err := net.SplitHostPort(host(s.Endpoints.Functions))
	if err != nil {
		return fmt.Errorf("serving functions at %s: %w", s.Endpoints.Functions, err)
	}
	server, err := serve.Start(ctx, address, port)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	s.watch(func() error { return server.Wait(running) })
	s.started("functions", func(context.Context) error { stop(); return nil })
	return nil
}

func (s *System) startDashboard(context.Context) error {
	s.answers = newProbe(warehouseWithin, s.warehouseAnswers).answered() // it has made the tables
	questions := view.New(view.Config{
		Source: view.Source{Client: s.bigquery, Dataset: s.Endpoints.ProdDataset, Apart: true}, Location: s.location,
		Moment: func() view.Moment { return s.simulated.moment(s.location) },
	})
	s.dashboard = dashboard.New(dashboard.Config{
		Client: s.bigquery, Dataset: s.Endpoints.ProdDataset, View: questions, Pipeline: s.pipeline,
		Metered: func() any { return s.Metered() }, Location: s.location,
	})
	server, err := serveHTTP(host(s.Endpoints.Dashboard), s.observed(s.dashboard.Handler()))
	if err != nil {
		return err
	}
	s.started("dashboard", closeServer(server))
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	if s.inquiry != nil {
		ended.Go(func() { s.inquiry.watch(ctx) })
	}
	if s.options.without("functions") {
		s.functions = newProbe(inquiryTimeout, serverAnswers(s.Endpoints.Functions))
		ended.Go(func() { s.functions.watch(ctx, readEvery) })
	}
	ended.Go(func() { s.answers.watch(ctx, warehouseEvery) })
	ended.Go(func() { s.keepPageFresh(ctx) })
	ended.Go(func() { s.watchRefused(ctx) })
	ended.Go(func() { s.watchAlerts(ctx) })
	ended.Go(func() { s.readRates(ctx) })
	s.started("page", func(context.Context) error {
		stop()
		ended.Wait()
		return nil
	})
	return nil
}

func (s *System) startScheduler(context.Context) error {
	var err error
	s.scheduler, err = startScheduler(s.deployment.TransformSchedule, s.Endpoints.Functions+"/transform", s.deployment.TransformDeadline(), s.triggering, s.triggered)
	if err != nil {
		return err
	}
	s.started("scheduler", func(context.Context) error { s.scheduler.Close(); return nil })
	return nil
}

// startCompaction has the lake's files merged on the schedule that is deployed.
func (s *System) startCompaction(context.Context) error {
	compaction, err := startScheduler(s.deployment.CompactSchedule, s.Endpoints.Functions+"/compact", s.deployment.CompactDeadline(), func() {}, func(err error) {
		if err != nil {
			s.log.Error("the lake's files were not merged", "error", err.Error())
		}
	})
	if err != nil {
		return err
	}
	s.started("compaction", func(context.Context) error { compaction.Close(); return nil })
	return nil
}

// startStations waits until what was simulated of the days before today is
// written and ingested, so that the page has something to show as soon as the
// system is ready. A part that a person starts is not waited for: it needs the
// environment that is written when the system is ready.
func (s *System) startStations(ctx context.Context) error {
	var err error
	if s.stations, err = startStations(ctx, s.options, s.folder, s.getenv, s.location, &s.simulated, s.tracer("stationflow-simulator"), s.log); err != nil {
		return err
	}
	s.watch(func() error { <-s.stations.done; return s.stations.err })
	s.started("stations", func(context.Context) error { return s.stations.Close() })
	select {
	case <-s.stations.caughtUp:
		if len(s.options.Without) > 0 {
			return nil
		}
		return s.ingested(ctx, s.stations.produced.Load())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstTransform runs the transform once before the system is ready. When it
// fails the system starts all the same: the page says so, and the scheduler
// tries again.
func (s *System) firstTransform(ctx context.Context) error {
	_ = s.scheduler.Trigger(ctx) // triggered has noted the failure
	return ctx.Err()
}

// keptFolder is the folder of a part that keeps its data only when --data asks for
// it, or "".
func (s *System) keptFolder(name string) string {
	if s.options.DataDir == "" {
		return ""
	}
	return filepath.Join(s.folder, name)
}

// watch runs something that should go on until it is closed, and reports when
// it ends with an error.
func (s *System) watch(run func() error) {
	go func() {
		if err := run(); err != nil {
			s.failed <- err
		}
	}()
}

// closeTime bounds Close; the contract gives it 30 s.
const closeTime = 25 * time.Second

// Close ends the parts in the reverse order of starting, each after those
// that feed on it, so that what is under way arrives.
func (s *System) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var faults []error
	for i := len(s.parts) - 1; i >= 0; i-- {
		if err := s.parts[i].close(ctx); err != nil {
			faults = append(faults, fmt.Errorf("closing %s: %w", s.parts[i].name, err))
		}
	}
	s.parts = nil
	return errors.Join(faults...)
}
