package bridge

import (
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/cloudlog"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/retry"
)

// Config is what a Bridge needs to know. FromEnv fills in the defaults.
type Config struct {
	Kafka   kafka.Config
	Topics  []string // the only topics that are read; event.CanaryTopic among them has the bridge send canaries
	GroupID string
	Start   Start // where a partition begins that the group never committed

	Transport       string // pubsub or http
	Project         string // of the Pub/Sub topics
	PubSubTopic     string // its short or its full name
	DeadLetterTopic string // likewise; where the http transport puts batches that fail for good
	HTTP            HTTPConfig
	AlertCopies     string // likewise; where the http transport puts the batches of AlertTopics as well; "" for nowhere
	AlertTopics     []string
	LakeBucket      string // for values too large for a batch; "" stops a partition that has one

	Lanes []batch.Lane // that are sent: rows and lake in this order, or one of them

	// A batch leaves in the first lane when it is so old, or in all lanes
	// when it reaches one of the limits.
	BatchRecords int
	BatchBytes   int // of the encoded batch
	BatchAge     time.Duration
	LakeAge      time.Duration // of a batch of the lake lane

	InFlight       int   // most batches of a topic that are on their way in one lane
	MemoryBytes    int64 // most bytes of all batches, open and in flight
	FetchBytes     int32 // most bytes Kafka answers at once
	CommitInterval time.Duration
	PublishTimeout time.Duration // of one attempt
	RetryMax       time.Duration // longest pause between attempts
	StuckAfter     time.Duration // without progress despite lag, health fails
	DrainTimeout   time.Duration // from the end of Run's context to its return

	Addr     string // of the HTTP endpoints, host:port; "" serves none
	CloudLog bool   // log lines are as Cloud Logging reads them
}

// HTTPConfig is what the http transport needs to know.
type HTTPConfig struct {
	URL      string // of the ingest function, path included
	Audience string // of the identity token that goes to an https URL

	// MaxAttempts is how often the function may refuse a batch before it is
	// a dead letter. Attempts that say nothing of the batch do not count.
	MaxAttempts int
	// RefusedMin and RefusedMax bound the pause after a refusal, which
	// doubles each time: the attempts have to outlast a bad deployment.
	RefusedMin, RefusedMax time.Duration
}

// Start says where a partition begins that the group never committed.
type Start struct {
	Latest bool
	At     time.Time // the first record at or after it; zero for the earliest
}

// FromEnv reads the configuration: the KAFKA_ variables, GOOGLE_CLOUD_PROJECT,
// LAKE_BUCKET, PORT and the BRIDGE_ variables. The error holds every fault.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	c := Config{
		Kafka:   kafka.FromEnv(r),
		Topics:  kafka.TopicsFromEnv(r),
		GroupID: kafka.GroupFromEnv(r),
		Start:   start(r),

		LakeBucket: r.String("LAKE_BUCKET", ""),

		Lanes:        lanes(r),
		BatchRecords: int(r.Int("BRIDGE_BATCH_RECORDS", 5000, 1, batch.MaxRecords)),
		BatchBytes:   int(r.Int("BRIDGE_BATCH_BYTES", 2<<20, 4<<10, batch.MaxEncodedBytes)),
		BatchAge:     r.Duration("BRIDGE_BATCH_AGE", 800*time.Millisecond, time.Millisecond, time.Minute),
		LakeAge:      r.Duration("BRIDGE_LAKE_AGE", time.Minute, time.Millisecond, time.Hour),

		InFlight:       int(r.Int("BRIDGE_IN_FLIGHT", 4, 1, 64)),
		MemoryBytes:    r.Int("BRIDGE_MEMORY_BYTES", 64<<20, 2*batch.MaxEncodedBytes, 8<<30),
		FetchBytes:     int32(r.Int("BRIDGE_FETCH_BYTES", 1<<20, 64<<10, 64<<20)),
		CommitInterval: r.Duration("BRIDGE_COMMIT_INTERVAL", time.Second, 10*time.Millisecond, time.Minute),
		RetryMax:       r.Duration("BRIDGE_RETRY_MAX", 5*time.Second, 10*time.Millisecond, time.Minute),
		StuckAfter:     r.Duration("BRIDGE_STUCK_AFTER", 2*time.Minute, time.Second, time.Hour),
		DrainTimeout:   r.Duration("BRIDGE_DRAIN_TIMEOUT", 8*time.Second, time.Second, time.Minute),

		Addr:     r.String("BRIDGE_ADDR", portAddress(r)),
		CloudLog: r.OneOf("BRIDGE_LOG", "auto", "cloud") == "cloud" || cloudlog.IsRead(getenv),
	}
	if r.OneOf("BRIDGE_CANARY", "off", "on") == "on" && !slices.Contains(c.Topics, event.CanaryTopic) {
		c.Topics = append(c.Topics, event.CanaryTopic)
	}
	c.Project = r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project")
	c.transportFromEnv(r)
	if err := r.Err(); err != nil {
		return Config{}, fmt.Errorf("configuring the bridge: %w", err)
	}
	return c, nil
}

// lanes reads which lanes have someone who takes them.
func lanes(r *env.Reader) []batch.Lane {
	switch both := "rows,lake"; r.OneOf("BRIDGE_LANES", both, "rows", "lake") {
	case both:
		return []batch.Lane{batch.RowsLane, batch.LakeLane}
	case "rows":
		return []batch.Lane{batch.RowsLane}
	default:
		return []batch.Lane{batch.LakeLane}
	}
}

// portAddress serves every interface where Cloud Run names a port, as for a
// service, and only this machine elsewhere.
func portAddress(r *env.Reader) string {
	if port := r.String("PORT", ""); port != "" {
		return ":" + port
	}
	return "127.0.0.1:8080"
}

func start(r *env.Reader) Start {
	const name = "KAFKA_START"
	switch text := r.String(name, "earliest"); text {
	case "earliest":
		return Start{}
	case "latest":
		return Start{Latest: true}
	default:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			r.Fault(name, "is %q: set it to earliest, latest, or a time such as 2026-11-22T07:30:00Z", text)
		}
		return Start{At: at}
	}
}

// Sarama is the library's configuration for consuming in a group.
func (c Config) Sarama() *sarama.Config {
	s := c.Kafka.Sarama("stationflow-bridge")
	// What the group asks a broker waits behind the fetch in progress.
	s.Consumer.MaxWaitTime = 250 * time.Millisecond
	s.Consumer.Retry.Backoff = 500 * time.Millisecond
	// Kafka answers at least one whole record, however large: these bound
	// what is fetched ahead, they do not hide a large record.
	s.Consumer.Fetch.MaxBytes = c.FetchBytes
	s.Consumer.Fetch.Default = min(c.FetchBytes, 256<<10)
	// Must be longer than a drain and shorter than Net.ReadTimeout, because
	// a member waits that long in JoinGroup until the others let go.
	s.Consumer.Group.Rebalance.Timeout = max(2*c.DrainTimeout, 10*time.Second)
	s.Net.ReadTimeout = s.Consumer.Group.Rebalance.Timeout + 10*time.Second
	s.Consumer.Group.Rebalance.Retry.Backoff = 500 * time.Millisecond
	s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRoundRobin()}
	return s
}

// retries is the pauses between attempts at what Kafka or the transport
// failed to do.
func (c Config) retries() retry.Backoff {
	return retry.Backoff{Min: 100 * time.Millisecond, Max: c.RetryMax}
}

// refusedRetries is the pauses after a refusal. They are longer: the attempts
// have to outlast a bad deployment.
func (c HTTPConfig) refusedRetries() retry.Backoff {
	return retry.Backoff{Min: c.RefusedMin, Max: c.RefusedMax}
}

// memory is that of all batches when so many partitions are read. Besides, one
// value of the largest size may be on its way.
func (c Config) memory(partitions int) *memory {
	half := (c.MemoryBytes - batch.MaxEncodedBytes) / 2
	return newMemory(half, min(int64(c.BatchBytes), half/int64(max(partitions, 1))))
}

// patience is how long a record waits on purpose without that being lag: only
// where there is no rows lane.
func (c Config) patience() time.Duration {
	if c.Lanes[0] == batch.LakeLane {
		return c.LakeAge
	}
	return 0
}

func (c Config) validate() error {
	switch {
	case len(c.Kafka.Brokers) == 0:
		return fmt.Errorf("configuring the bridge: no Kafka brokers")
	case len(c.Topics) == 0 || slices.Contains(c.Topics, ""):
		return fmt.Errorf("configuring the bridge: no topics")
	case c.GroupID == "":
		return fmt.Errorf("configuring the bridge: no consumer group")
	case c.BatchRecords < 1 || c.BatchRecords > batch.MaxRecords || c.BatchBytes < 1 ||
		c.BatchBytes > batch.MaxEncodedBytes || c.BatchAge <= 0 || c.LakeAge <= 0:
		return fmt.Errorf("configuring the bridge: batches of %d records, %d bytes, %v and %v are not possible",
			c.BatchRecords, c.BatchBytes, c.BatchAge, c.LakeAge)
	case len(c.Lanes) == 0:
		return fmt.Errorf("configuring the bridge: no lanes")
	case c.InFlight < 1 || c.MemoryBytes < 2*batch.MaxEncodedBytes:
		return fmt.Errorf("configuring the bridge: %d batches in flight within %d bytes are not possible",
			c.InFlight, c.MemoryBytes)
	case c.CommitInterval <= 0 || c.PublishTimeout <= 0 || c.RetryMax <= 0 || c.StuckAfter <= 0 || c.DrainTimeout <= 0:
		return fmt.Errorf("configuring the bridge: every duration must be positive")
	case c.Transport == "http" && (c.HTTP.URL == "" || c.HTTP.MaxAttempts < 1 || c.HTTP.RefusedMin <= 0 ||
		c.HTTP.RefusedMax < c.HTTP.RefusedMin):
		return fmt.Errorf("configuring the bridge: the http transport needs a URL, at least one attempt, and pauses that grow")
	}
	return nil
}
