package cost

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/robfig/cron/v3"
)

// The components of the bill, in the order in which they are listed.
const (
	Kafka        = "Kafka"
	Bridge       = "bridge"
	PubSub       = "Pub/Sub"
	Transform    = "transform function"
	Ingest       = "ingest function"
	Lake         = "lake"
	RowsIn       = "rows into BigQuery"
	TransformSQL = "queries of the transform"
	Alert        = "alert function"
	Audit        = "audit"
	Canary       = "canary"
	Compact      = "compact"
	Page         = "page"
	Rest         = "alerts, logs and the rest"
)

// Components are all of them.
var Components = []string{Kafka, Bridge, PubSub, Transform, Ingest, Lake, RowsIn, TransformSQL, Audit, Compact, Alert, Canary, Page, Rest}

var priceNames = []string{
	"run_pool_cpu_second", "run_pool_gib_second", "run_request_cpu_second", "run_request_gib_second", "run_requests",
	"pubsub_bytes", "storage_writes", "storage_reads", "storage_byte_months", "bigquery_query_bytes", "bigquery_append_bytes", "bigquery_byte_months",
	"kafka_bytes", "kafka_byte_months", "alert_conditions", "alert_series", "log_bytes", "scheduler_jobs", "secret_versions", "registry_byte_months",
}

var minimumNames = []string{"pubsub_request_bytes", "bigquery_table_bytes"}

// Transports between bridge and ingest, as BRIDGE_TRANSPORT names them.
const (
	OverPubSub = "pubsub"
	OverHTTP   = "http"
)

// What becomes of the bridge while nothing comes, as SCALE_IDLE says it.
const (
	BridgeStops = "stop"
	BridgeStays = "stay"
)

// A Workload is what the system has to do, and how it is set up to do it.
type Workload struct {
	RecordsPerSecond float64       // of all topics together
	RecordBytes      float64       // of a record in Kafka: value, key and framing
	Transport        string        // OverPubSub or OverHTTP
	Schedule         string        // of the transform, in unix-cron
	Partitions       int           // of all topics together
	BatchAge         time.Duration // at which a batch leaves the bridge in the rows lane
	LakeAge          time.Duration // likewise in the lake lane
	RetentionDays    float64       // of staging
	Alerts           bool          // whether the function alert is deployed
	Canaries         bool          // whether canaries go through all hops
	Compacts         bool          // whether the function compact is deployed
	PageHours        float64       // hours a day in which somebody looks at the page; 0 where it is not deployed
	BridgeIdle       string        // what becomes of the bridge while nothing comes: BridgeStops or BridgeStays
}

// DefaultWorkload is a deployment with nothing set.
func DefaultWorkload(recordsPerSecond float64) Workload {
	return Workload{
		RecordsPerSecond: recordsPerSecond, RecordBytes: 300, Transport: OverPubSub, Schedule: "* * * * *",
		Partitions: 36, BatchAge: 800 * time.Millisecond, LakeAge: time.Minute, RetentionDays: 90,
		Compacts: true, BridgeIdle: BridgeStops,
	}
}

// Assumptions of the model that no setting says. A figure is an assumption
// until a meter measured it.
const (
	callSeconds     = 0.12 // that ingest works on a batch, measured in the local system on one core
	callsAtOnce     = 8    // of one ingest instance
	runSeconds      = 10   // of a transform with something to do
	idleRunSeconds  = 1    // of a transform without
	tablesRead      = 5    // by a transform, besides staging's of each topic with news; a test counts them
	columnsRead     = 0.6  // the share of a row's bytes that a transform reads
	secondsRead     = 2400 // of arrivals: those of the hour, and for ten minutes those of the hour before
	artifactObjects = 2    // that a transform with something to do writes
	logBytes        = 1000 // about a batch that ingest took
	alertConditions = 11
	checkSeconds    = 1   // of a check whether the bridge shall run, each minute
	checkLogBytes   = 300 // that it logs

	audits           = Month / 3600 // one each hour
	auditSeconds     = 10           // of one that reads something
	idleAuditSeconds = 2
	auditPeriod      = 3 * 3600 // seconds of records that it looks at; it reads the rows of an hour more
	auditRowBytes    = 80       // of the columns that it reads
	auditLogBytes    = 600
)

// How long the bridge stays after a record, and runs each day at least, in
// seconds; functions/scale decides by these.
const (
	bridgeIdleAfter = 15 * 60
	bridgeDailyRun  = 10 * 60
)

// LogShare is how much is kept of what ingest logs of batches that it took:
// ingest_log_share of deployment.json.
const LogShare = 0.01

// KafkaDays is how long Kafka keeps a record.
const KafkaDays = 7

// What a batch is over Pub/Sub, measured in the local system at 2, 10 and 40
// records a batch, and right within 2 %: batchOverhead for the container's
// schema, the attributes of the event and what does not repeat of the records,
// and the share of the records' bytes that is left of them.
const (
	batchOverhead = 1640 // bytes
	compressed    = 0.147
)

// partitionsTogether is how many partitions of a topic share batches.
const partitionsTogether = 32

// What fills a batch before it is old: of the rows lane, which then leaves in
// both lanes at once, and of the lake lane.
const (
	rowsRecords = 5000
	lakeRecords = 20_000
	lakeBytes   = 8 << 20
)

// Sizes of a record on its way, measured at 300 bytes in Kafka: in a batch 250,
// in a row of BigQuery 250, in a Parquet object 60.
func (w Workload) batchBytes() float64 { return w.RecordBytes * 5 / 6 }
func (w Workload) rowBytes() float64   { return w.RecordBytes*2/3 + 50 }
func (w Workload) lakeBytes() float64  { return w.RecordBytes / 5 }

// check names the first thing about a workload that makes no sense.
func (w Workload) check() error {
	switch {
	case !(w.RecordsPerSecond >= 0) || math.IsInf(w.RecordsPerSecond, 0):
		return errors.New("the records a second must be 0 or more")
	case !(w.RecordBytes > 0) || math.IsInf(w.RecordBytes, 0):
		return errors.New("the bytes of a record must be more than 0")
	case w.Transport != OverPubSub && w.Transport != OverHTTP:
		return fmt.Errorf("the transport must be %s or %s, not %q", OverPubSub, OverHTTP, w.Transport)
	case w.BridgeIdle != BridgeStops && w.BridgeIdle != BridgeStays:
		return fmt.Errorf("what becomes of the idle bridge must be %s or %s, not %q", BridgeStops, BridgeStays, w.BridgeIdle)
	case !(w.PageHours >= 0 && w.PageHours <= 24):
		return errors.New("the hours a day of the page must be from 0 to 24")
	case w.Partitions < 1 || w.BatchAge <= 0 || w.LakeAge <= 0 || !(w.RetentionDays > 0):
		return errors.New("partitions, the ages of batches and retention must be more than 0")
	}
	return nil
}

// runs is how often the transform runs in a month of 30 days, each with 24 hours.
func (w Workload) runs() (float64, error) {
	schedule, err := cron.ParseStandard(w.Schedule)
	if err != nil {
		return 0, fmt.Errorf("the schedule %q is not in unix-cron form, for example */15 * * * *: %w", w.Schedule, err)
	}
	each, pause := 1, time.Duration(0)
	if days, ok := schedule.(*cron.SpecSchedule); ok {
		// On each day that it names it has as many turns: it is asked for the
		// days alone, with a turn at midnight.
		each, pause = set(days.Hour)*set(days.Minute), 24*time.Hour-time.Second
		days.Hour, days.Minute = 1, 1
	}
	begin := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	end := begin.Add(Month * time.Second)
	for at := schedule.Next(begin.Add(-time.Second)); !at.IsZero() && at.Before(end); at = schedule.Next(at.Add(pause)) {
		n += each
	}
	return float64(n), nil
}

// set is how many hours or minutes a field of a schedule names. The topmost bit
// only says that it was a star.
func set(field uint64) int { return bits.OnesCount64(field << 1) }

// topicShares are the topics' shares of all records, as the simulator has them
// in an hour of service.
var topicShares = []float64{0.28, 0.26, 0.255, 0.203, 0.0015, 0.0005}

// runsWithNews is how many of the runs find a new record, of those that are
// such a share of all.
func (w Workload) runsWithNews(runs, share float64) float64 {
	if runs == 0 {
		return 0
	}
	return runs * (1 - math.Exp(-w.RecordsPerSecond*share*Month/runs))
}

// batches is how many the bridge sends a second, how many of them become
// objects in the lake, and how many records all of them hold: each is in a
// batch of each lane, or in one that serves both. A batch of a topic begins
// with a record, takes what comes while it ages, and the next one begins with
// the record after that.
func (w Workload) batches() (sent, objects, records float64) {
	each := float64(w.Partitions) / float64(len(topicShares)) // partitions of a topic
	gatherers := max(1, math.Ceil(each/partitionsTogether))
	for _, share := range topicShares {
		rate := w.RecordsPerSecond * share / gatherers
		if rows := 1 + rate*w.BatchAge.Seconds(); rows < rowsRecords {
			lake := min(1+rate*w.LakeAge.Seconds(), lakeRecords, lakeBytes/w.batchBytes())
			sent += gatherers * (rate/rows + rate/lake)
			objects += gatherers * rate / lake
			records += gatherers * 2 * rate
		} else { // one batch serves both lanes
			sent += gatherers * rate / rowsRecords
			objects += gatherers * rate / rowsRecords
			records += gatherers * rate
		}
	}
	return sent, objects, records
}

// audit is what the proof that nothing is missing uses: it reads coordinates of
// the topics that had a record in the period, and of the quarantine.
func (p Prices) audit(w Workload, objects float64) []Item {
	least := p.Minimums["bigquery_table_bytes"].Bytes
	news := func(share float64) float64 { return 1 - math.Exp(-w.RecordsPerSecond*share*auditPeriod) }
	scanned := news(1) * least
	for _, share := range topicShares {
		scanned += news(share) * max(least, w.RecordsPerSecond*share*(auditPeriod+3600)*auditRowBytes)
	}
	seconds := audits * (idleAuditSeconds + news(1)*(auditSeconds-idleAuditSeconds))
	return []Item{
		{Audit, "run_requests", audits},
		{Audit, "run_request_cpu_second", seconds},
		{Audit, "run_request_gib_second", seconds * 0.5},
		{Audit, "bigquery_query_bytes", audits * scanned},
		{Audit, "storage_reads", audits * objects * auditPeriod},
	}
}

// bridgeSeconds is how long a month the bridge runs. Records that come by chance
// leave no pause that is long enough with the probability e^(-rate * pause).
func (w Workload) bridgeSeconds() float64 {
	if w.BridgeIdle == BridgeStays {
		return Month
	}
	asleep := math.Exp(-w.RecordsPerSecond*bridgeIdleAfter) * (1 - bridgeDailyRun/(24*3600.0))
	return Month * (1 - asleep)
}

// Model says what a workload uses in a month. Its error is a mistake in the
// workload, in one sentence.
func (p Prices) Model(w Workload) ([]Item, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	runs, err := w.runs()
	if err != nil {
		return nil, err
	}
	busyRuns := w.runsWithNews(runs, 1)
	sent, objects, sentRecords := w.batches()
	records, calls := w.RecordsPerSecond*Month, sent*Month
	transforming := busyRuns*runSeconds + (runs-busyRuns)*idleRunSeconds
	ingesting := Month * max(1-math.Exp(-callSeconds*sent), callSeconds*sent/callsAtOnce)
	const checks = Month / 60
	carried := 0.0
	if w.Transport == OverPubSub {
		carried = 2 * max(calls*p.Minimums["pubsub_request_bytes"].Bytes, calls*batchOverhead+sentRecords*Month*w.batchBytes()*compressed)
	}
	least := p.Minimums["bigquery_table_bytes"].Bytes
	scanned := busyRuns * tablesRead * least
	for _, share := range topicShares {
		news := w.RecordsPerSecond * share * secondsRead * w.rowBytes() * columnsRead
		scanned += w.runsWithNews(runs, share) * max(least, news)
	}
	return append([]Item{
		{Kafka, "kafka_bytes", 2 * records * w.RecordBytes},
		{Kafka, "kafka_byte_months", w.RecordsPerSecond * KafkaDays * 24 * 3600 * w.RecordBytes},
		{Bridge, "run_pool_cpu_second", w.bridgeSeconds()},
		{Bridge, "run_pool_gib_second", w.bridgeSeconds() * 0.5},
		{Bridge, "run_requests", checks},
		{Bridge, "run_request_cpu_second", checks * checkSeconds},
		{Bridge, "run_request_gib_second", checks * checkSeconds * 0.5},
		{PubSub, "pubsub_bytes", carried},
		{Transform, "run_requests", runs},
		{Transform, "run_request_cpu_second", transforming},
		{Transform, "run_request_gib_second", transforming * 0.5},
		{Ingest, "run_requests", calls},
		{Ingest, "run_request_cpu_second", ingesting},
		{Ingest, "run_request_gib_second", ingesting},
		{Lake, "storage_writes", objects*Month + artifactObjects*busyRuns},
		{Lake, "storage_byte_months", records * w.lakeBytes()},
		{RowsIn, "bigquery_append_bytes", records * w.rowBytes()},
		{RowsIn, "bigquery_byte_months", w.RecordsPerSecond * w.RetentionDays * 24 * 3600 * w.rowBytes()},
		{TransformSQL, "bigquery_query_bytes", scanned},
		{Rest, "alert_conditions", alertConditions},
		{Rest, "alert_series", alertConditions * Month / 60},
		{Rest, "scheduler_jobs", 3},
		{Rest, "secret_versions", 2},
		{Rest, "registry_byte_months", 2e9},
		{Rest, "log_bytes", calls*logBytes*LogShare + checks*checkLogBytes + audits*auditLogBytes},
	}, slices.Concat(p.audit(w, objects), w.compactItems(objects), w.alertItems(carried), p.canaryItems(w, busyRuns), p.pageItems(w, runs, busyRuns))...), nil
}
