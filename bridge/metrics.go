package bridge

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stationflow/stationflow/event"
)

// metrics are the bridge's numbers. What belongs to a partition is read from
// a Snapshot when Prometheus asks; the rest is counted batch by batch.
type metrics struct {
	registry *prometheus.Registry

	records, batches, bytes, retries         *prometheus.CounterVec // by topic
	latency                                  prometheus.Histogram
	commitFailures                           prometheus.Counter
	deadLetteredRecords, deadLetteredBatches *prometheus.CounterVec // by topic
	canaries                                 *prometheus.CounterVec // by outcome

	totalRecords, totalBatches, totalBytes, totalRetries atomic.Int64
	totalDeadLetteredRecords, totalDeadLetteredBatches   atomic.Int64
	totalCommitFailures                                  atomic.Int64
}

func newMetrics(b *Bridge) *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"topic"})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		records:  counter("bridge_published_records_total", "Records published."),
		batches:  counter("bridge_published_batches_total", "Batches published."),
		bytes:    counter("bridge_published_bytes_total", "Encoded bytes of the batches published."),
		retries: counter("bridge_publish_failures_total",
			"Attempts to publish a batch, to put a large value aside or to dead-letter a batch that failed."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "bridge_publish_seconds",
			Help:    "From when a batch is ready to its being published, all attempts included; dead letters do not count.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}),
		commitFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "bridge_commit_failures_total",
			Help: "Commits of offsets that Kafka did not take."}),
		deadLetteredRecords: counter("bridge_dead_lettered_records_total", "Records in the batches given up."),
		deadLetteredBatches: counter("bridge_dead_lettered_batches_total",
			"Batches given up and put into the dead letter topic."),
	}
	m.canaries = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bridge_canaries_total",
		Help: "Canaries that were sent, or could not be (failed)."}, []string{"outcome"})
	m.registry.MustRegister(m.records, m.batches, m.bytes, m.retries, m.latency, m.commitFailures, m.canaries,
		m.deadLetteredRecords, m.deadLetteredBatches, gauges{b})
	return m
}

func (m *metrics) published(topic string, records, bytes int, took time.Duration) {
	m.records.WithLabelValues(topic).Add(float64(records))
	m.batches.WithLabelValues(topic).Inc()
	m.bytes.WithLabelValues(topic).Add(float64(bytes))
	if topic == event.CanaryTopic {
		return // the sums are those of the stations' records
	}
	m.latency.Observe(took.Seconds())
	m.totalRecords.Add(int64(records))
	m.totalBatches.Add(1)
	m.totalBytes.Add(int64(bytes))
}

func (m *metrics) commitFailed() {
	m.commitFailures.Inc()
	m.totalCommitFailures.Add(1)
}

func (m *metrics) failed(topic string) {
	m.retries.WithLabelValues(topic).Inc()
	m.totalRetries.Add(1)
}

func (m *metrics) deadLettered(topic string, records int) {
	m.deadLetteredRecords.WithLabelValues(topic).Add(float64(records))
	m.deadLetteredBatches.WithLabelValues(topic).Inc()
	m.totalDeadLetteredRecords.Add(int64(records))
	m.totalDeadLetteredBatches.Add(1)
}

// gauges collects the state of the partitions held.
type gauges struct{ bridge *Bridge }

// Describe announces nothing: which partitions there are changes.
func (gauges) Describe(chan<- *prometheus.Desc) {}

// Collect reads a Snapshot.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	now := g.bridge.Snapshot()
	joined := 0.0
	if now.Joined {
		joined = 1
	}
	gauge(to, "bridge_joined", "1 while the bridge is in the consumer group.", joined, nil)
	for _, topic := range now.Unread {
		gauge(to, "bridge_unread_topic", "1 while a topic of KAFKA_TOPICS cannot be read.", 1, []string{"topic"},
			topic.Topic)
	}
	labels := []string{"topic", "partition"}
	for _, p := range now.Partitions {
		at := []string{p.Topic, strconv.Itoa(int(p.Partition))}
		stuck := 0.0
		if p.Stuck {
			stuck = 1
		}
		gauge(to, "bridge_lag_records", "Offsets in Kafka that may hold a record neither published nor dead-lettered.",
			float64(p.LagRecords), labels, at...)
		gauge(to, "bridge_lag_seconds", "Age of the oldest record read but not published.",
			p.Lag.Seconds(), labels, at...)
		if p.Open != nil {
			gauge(to, "bridge_open_transaction_seconds",
				"For how long an open transaction has kept the end of the partition from being read.",
				p.Open.For.Seconds(), labels, at...)
		}
		gauge(to, "bridge_in_flight_batches", "Batches cut and neither published nor dead-lettered.",
			float64(p.InFlight), labels, at...)
		gauge(to, "bridge_memory_bytes", "Memory of batches open or in flight.", float64(p.MemoryBytes), labels, at...)
		gauge(to, "bridge_published_offset", "First offset not known to be published or dead-lettered.",
			float64(p.Published), labels, at...)
		gauge(to, "bridge_committed_offset", "Offset committed to Kafka.", float64(p.Committed), labels, at...)
		gauge(to, "bridge_stuck", "1 while the partition needs a person, or has made no progress for BRIDGE_STUCK_AFTER.",
			stuck, labels, at...)
	}
}

func gauge(to chan<- prometheus.Metric, name, help string, value float64, labels []string, values ...string) {
	desc := prometheus.NewDesc(name, help, labels, nil)
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, values...)
}
