package bridge

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stationflow/stationflow/internal/pause"
)

// A Snapshot is what the bridge knows of itself at one moment.
type Snapshot struct {
	Joined     bool              `json:"joined"`            // it is in the group; a member may hold no partition
	Trouble    string            `json:"trouble,omitempty"` // Kafka's last complaint since it joined, or why it has not
	Partitions []PartitionStatus `json:"partitions"`        // by topic and partition

	Unread []UnreadTopic `json:"unread_topics,omitempty"` // by name

	// Since New, over all sessions.
	Records int64 `json:"records"` // published
	Batches int64 `json:"batches"`
	Bytes   int64 `json:"bytes"`
	Retries int64 `json:"retries"` // attempts to publish, to put aside or to dead-letter that failed

	// What was given up and put into the dead letter topic; it is not among
	// the published.
	DeadLetteredRecords int64 `json:"dead_lettered_records"`
	DeadLetteredBatches int64 `json:"dead_lettered_batches"`

	CommitFailures int64 `json:"commit_failures"` // commits of offsets that Kafka did not take
}

// An UnreadTopic is one of KAFKA_TOPICS that is left out, because it does not
// exist or cannot be read. It is looked for every few seconds.
type UnreadTopic struct {
	Topic   string `json:"topic"`
	Problem string `json:"problem"`
	Stuck   bool   `json:"stuck"` // it has been like that for too long to heal by itself
}

// A PartitionStatus is the state of one partition that the bridge holds.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	TopicID   string `json:"topic_id"`
	Partition int32  `json:"partition"`

	Published int64 `json:"published_offset"` // the first offset not known to be published or dead-lettered
	Committed int64 `json:"committed_offset"` // the group's
	End       int64 `json:"end_offset"`       // of the next record to be produced, seconds old at most

	// Open is what keeps the offsets from Stable to End from being read; nil
	// where Stable is End.
	Stable int64            `json:"stable_offset"`
	Open   *OpenTransaction `json:"open_transaction,omitempty"`

	LagRecords  int64         `json:"lag_records"`     // Stable - Published, less offsets known to hold no record
	Lag         time.Duration `json:"lag_nanoseconds"` // the age, by Kafka's timestamp, of the oldest record read but not published, less what it waits on purpose
	InFlight    int           `json:"in_flight_batches"`
	MemoryBytes int64         `json:"memory_bytes"` // of batches open or in flight
	Problem     string        `json:"problem,omitempty"`
	Stuck       bool          `json:"stuck"`   // Problem needs a person, or time has run out
	Stopped     bool          `json:"stopped"` // it is read no further until a person moves the group

	trying bool // batches are tried again and again: a restart would do no more
}

// An OpenTransaction is one of a producer that has neither committed nor
// aborted it. Kafka gives nobody who reads committed records what lies behind
// its first one. Nothing here can end it.
type OpenTransaction struct {
	Offset  int64         `json:"offset"`          // where it begins
	Offsets int64         `json:"offsets"`         // how many there are from there on; not all need hold a record
	For     time.Duration `json:"for_nanoseconds"` // since it was first seen to be open
}

// In says it of a partition, in one sentence without a full stop.
func (t *OpenTransaction) In(topic string, partition int32) string {
	return fmt.Sprintf("a transaction is open in %s/%d since offset %d: what follows, %d offsets so far, can be read once its producer "+
		"ends it or Kafka gives it up (transaction.timeout.ms)", topic, partition, t.Offset, t.Offsets)
}

// LagRecords is the lag of all partitions.
func (s Snapshot) LagRecords() (records int64) {
	for _, p := range s.Partitions {
		records += p.LagRecords
	}
	return records
}

// Lag is the greatest of all partitions.
func (s Snapshot) Lag() (lag time.Duration) {
	for _, p := range s.Partitions {
		lag = max(lag, p.Lag)
	}
	return lag
}

// Snapshot returns the state of now. It asks nobody and costs microseconds.
func (b *Bridge) Snapshot() Snapshot {
	b.mu.Lock()
	current := Snapshot{Trouble: b.trouble, Unread: b.unreadTopics()}
	session := b.session.Load()
	b.mu.Unlock()
	current.Records, current.Batches = b.metrics.totalRecords.Load(), b.metrics.totalBatches.Load()
	current.Bytes, current.Retries = b.metrics.totalBytes.Load(), b.metrics.totalRetries.Load()
	current.DeadLetteredRecords = b.metrics.totalDeadLetteredRecords.Load()
	current.DeadLetteredBatches = b.metrics.totalDeadLetteredBatches.Load()
	current.CommitFailures = b.metrics.totalCommitFailures.Load()
	if session == nil {
		return current
	}
	current.Joined = true
	now := time.Now()
	for _, p := range session.partitions {
		current.Partitions = append(current.Partitions, p.status(now))
	}
	slices.SortFunc(current.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return current
}

func (p *partition) status(now time.Time) PartitionStatus {
	s := PartitionStatus{Topic: p.of.Topic, TopicID: p.of.TopicID, Partition: p.number, Committed: p.committed.Load()}
	var oldest int64
	s.Published, oldest, s.InFlight = p.window.look()
	s.End, s.Stable, s.Open = max(p.end.Load(), s.Published), max(p.stable.Load(), s.Published), p.transaction(now)
	p.mu.Lock()
	s.MemoryBytes = p.held
	p.mu.Unlock()
	s.LagRecords = p.lag()
	if oldest < 0 {
		oldest = p.openTimestamp.Load()
	}
	if oldest < 0 {
		oldest = p.waitingTimestamp.Load()
	}
	if oldest >= 0 {
		s.Lag = max(0, now.Sub(time.UnixMilli(oldest))-p.bridge.config.patience())
	}
	s.Problem, s.Stuck = p.problem(now, s.LagRecords)
	s.Stopped = p.stopped.Load() != nil
	s.trying = p.trying(now, s.InFlight)
	return s
}

// trying reports whether attempts go on: one failed within the time that an
// attempt and the pause behind it may take, or the partition's own may still be
// under way. All that waits may wait for these.
func (p *partition) trying(now time.Time, inFlight int) bool {
	c := p.bridge.config
	if failed := p.bridge.failed.Load(); failed > 0 && now.Sub(time.Unix(0, failed)) < c.PublishTimeout+longestPause+c.StuckAfter {
		return true
	}
	return inFlight > 0 && now.Sub(time.Unix(0, p.moved.Load())) < c.PublishTimeout+c.patience()+c.StuckAfter
}

// longestPause is no shorter than any between attempts at a batch.
const longestPause = 2 * time.Minute

// problem says what keeps the partition from going on, and whether that needs
// a person. A batch whose refusals are still being counted needs none: it
// ends as a dead letter by itself.
func (p *partition) problem(now time.Time, lag int64) (problem string, stuck bool) {
	long := func(d time.Duration) bool { return d > p.bridge.config.StuckAfter+p.bridge.config.patience() }
	idle := now.Sub(time.Unix(0, p.moved.Load()))
	stopped, aside, waiting := p.stopped.Load(), p.failing.Load(), p.waiting.Load()
	why, counting, since := p.window.failing()
	switch {
	case stopped != nil:
		return *stopped, true
	case why != "":
		return why, long(now.Sub(since)) && !counting
	case aside != nil:
		return *aside, long(idle)
	case waiting != nil && long(idle):
		return fmt.Sprintf("nothing was published for %v: %s", idle.Round(time.Second), *waiting), true
	case lag > 0 && long(idle):
		return fmt.Sprintf("%d records wait, and nothing was published for %v", lag, idle.Round(time.Second)), true
	}
	return "", false
}

// Unhealthy returns what needs a person or a restart, one sentence each: a
// partition or topic that is stuck, or a group that could not be joined for as
// long.
func (b *Bridge) Unhealthy() (reasons []string) {
	now := b.Snapshot()
	reasons = stuck(now, func(PartitionStatus) bool { return true })
	for _, topic := range now.Unread {
		if topic.Stuck {
			reasons = append(reasons, fmt.Sprintf("%s is not read: %s", topic.Topic, topic.Problem))
		}
	}
	return append(reasons, b.away(now)...)
}

// wedged returns what of Unhealthy a restart may heal. A partition that
// stopped and a topic that cannot be read are not among it, nor is what waits
// while the transport is away or does not take some batch: a restart would only
// interrupt the others, and forget how often a batch was refused.
func (b *Bridge) wedged() (reasons []string) {
	now := b.Snapshot()
	return append(stuck(now, func(p PartitionStatus) bool { return !p.Stopped && !p.trying }), b.away(now)...)
}

// stuck returns what is wrong with those of the partitions that are stuck.
func stuck(now Snapshot, count func(PartitionStatus) bool) (reasons []string) {
	for _, p := range now.Partitions {
		if p.Stuck && count(p) {
			reasons = append(reasons, fmt.Sprintf("%s/%d: %s", p.Topic, p.Partition, p.Problem))
		}
	}
	return reasons
}

// away says that the group could not be joined for long.
func (b *Bridge) away(now Snapshot) []string {
	b.mu.Lock()
	away := time.Since(b.detached)
	b.mu.Unlock()
	if now.Joined || away <= b.config.StuckAfter {
		return nil
	}
	return []string{fmt.Sprintf("not in the consumer group %s for %v: %s",
		b.config.GroupID, away.Round(time.Second), cmp.Or(now.Trouble, "no answer from Kafka"))}
}

// Handler serves /healthz (503 and the reasons when unhealthy), /livez (the
// same, but only for what a restart may heal), /readyz (503 until the group is
// joined), /metrics (Prometheus) and /status (the Snapshot), all but the
// metrics as JSON.
func (b *Bridge) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, b.Unhealthy())
	})
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, b.wedged())
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var reasons []string
		if now := b.Snapshot(); !now.Joined {
			reasons = []string{"not in the consumer group " + b.config.GroupID + ": " +
				cmp.Or(now.Trouble, "still joining")}
		}
		answer(w, reasons)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, b.Snapshot())
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

func answer(w http.ResponseWriter, reasons []string) {
	code, status := http.StatusOK, "ok"
	if len(reasons) > 0 {
		code, status = http.StatusServiceUnavailable, "failing"
	}
	writeJSON(w, code, struct {
		Status  string   `json:"status"`
		Reasons []string `json:"reasons,omitempty"`
	}{status, reasons})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

// happened says what has been done since before, with what /metrics has of it:
// in a worker pool nobody can ask for that.
func (s Snapshot) happened(before Snapshot) []any {
	var memory int64
	for _, p := range s.Partitions {
		memory += p.MemoryBytes
	}
	return []any{"batches", s.Batches - before.Batches, "records", s.Records - before.Records,
		"bytes", s.Bytes - before.Bytes, "retries", s.Retries - before.Retries, "commit_failures", s.CommitFailures - before.CommitFailures,
		"dead_lettered_batches", s.DeadLetteredBatches - before.DeadLetteredBatches,
		"dead_lettered_records", s.DeadLetteredRecords - before.DeadLetteredRecords,
		"partitions", len(s.Partitions), "memory_bytes", memory,
		"lag_records", s.LagRecords(), "lag_ms", s.Lag().Milliseconds()}
}

// summarize logs one line a minute in which something was published or given
// up, and one in which health fails.
func (b *Bridge) summarize(ctx context.Context) {
	before := b.Snapshot()
	for pause.For(ctx, time.Minute) == nil {
		now := b.Snapshot()
		if now.Batches > before.Batches || now.DeadLetteredBatches > before.DeadLetteredBatches {
			b.log.Info("batches published", now.happened(before)...)
		}
		for _, p := range now.Partitions {
			if p.Open != nil && p.Open.For > b.config.StuckAfter {
				b.log.Warn("records wait for the end of a transaction", "topic", p.Topic, "partition", p.Partition,
					"reason", p.Open.In(p.Topic, p.Partition))
			}
		}
		if reasons := b.Unhealthy(); len(reasons) > 0 {
			b.log.Error("the bridge is unhealthy", "reasons", reasons)
		}
		before = now
	}
}
