package system

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/local/pubsub"
	"github.com/stationflow/stationflow/local/telemetry"
	"google.golang.org/api/iterator"
)

func (s *System) arrived() (a arrivals) {
	a.valid, a.quarantined = s.held()
	a.ingest = s.subscription(s.deployment.IngestSubscription)
	return a
}

func (s *System) read() reading {
	r := reading{arrivals: s.arrived()}
	switch {
	case s.bridges != nil:
		r.bridge = s.bridges.Snapshot()
	case s.inquiry != nil:
		last := s.inquiry.answer()
		if r.bridge, r.unanswered = last.bridge, last.silence; r.unanswered.failure == "" {
			r.arrivals = last.arrivals
		}
	}
	r.kafka = s.broker.offsets().progress(r.bridge.Partitions)
	if r.published = r.kafka.passed; s.bridges != nil { // which knows what it buried, and counts on over expired records
		r.published = s.kept.valid + s.kept.quarantined + r.bridge.Records
	}
	return r
}

// readRates reads the counts every second until ctx is done.
func (s *System) readRates(ctx context.Context) {
	for n := 0; ; n++ {
		now := time.Now()
		s.note(now, s.read())
		s.refused.note(now, s.accepted())
		if n%billEvery == 0 {
			s.readBill()
		}
		if pause.For(ctx, readEvery) != nil {
			return
		}
	}
}

func (s *System) note(now time.Time, r reading) {
	s.rates.produced.Note(now, r.kafka.produced)
	s.rates.published.Note(now, r.published)
	s.rates.ingested.Note(now, r.ingested())
	s.rates.valid.Note(now, r.valid)
	if r.kafka.waiting == 0 {
		s.rates.published.Rest(now)
	}
	if r.ingest.Outstanding == 0 {
		s.rates.settled.Store(r.published - r.ingested())
	}
}

func (s *System) subscription(name string) pubsub.SubscriptionStats {
	if s.pubsub == nil {
		return pubsub.SubscriptionStats{}
	}
	for _, one := range s.pubsub.Stats().Subscriptions {
		if strings.HasSuffix(one.Name, "/"+name) {
			return one
		}
	}
	return pubsub.SubscriptionStats{}
}

// held counts the rows in staging, those of an earlier run included.
func (s *System) held() (valid, quarantined int64) {
	valid, quarantined = s.appended()
	return s.kept.valid + valid, s.kept.quarantined + quarantined
}

// appended counts the rows that the warehouse took since the start.
func (s *System) appended() (valid, quarantined int64) {
	tables := s.warehouse.Appended()
	for _, topic := range event.Topics() {
		valid += tables[s.Endpoints.StagingDataset+"."+topic].Rows
	}
	return valid, tables[s.Endpoints.StagingDataset+".quarantine"].Rows
}

// keepPageFresh reads the tables when a transform has changed them, from
// whichever trigger, and now and then besides. The first transform is part of
// the start, and the warehouse answers one request at a time: the page waits
// for it.
func (s *System) keepPageFresh(ctx context.Context) {
	for awaited := !s.options.without("functions"); ; awaited = false {
		if !awaited {
			if err := s.dashboard.Refresh(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("the page could not read the dashboard tables", "error", err.Error())
			}
		}
		select {
		case <-s.refresh:
		case <-time.After(5 * time.Minute):
		case <-ctx.Done():
			return
		}
	}
}

// A signal is given at most once until it is taken.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) Signal() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// seen is how much of staging a transform can have read.
type seen struct {
	at   time.Time // when it began; zero for none
	rows int64     // that were in staging then, without those in quarantine
	more time.Time // when there were first seen to be more; zero for not yet
}

// transformFinished notes which rows the run can have seen, and has the page
// read the tables again.
func (s *System) transformFinished(run telemetry.Transform) {
	if run.Status == "success" {
		began := run.At.Add(-run.Took)
		s.mu.Lock()
		s.transformed = seen{at: began, rows: s.rates.valid.At(began)}
		s.mu.Unlock()
	}
	s.refresh.Signal()
	s.transformedAgain.Signal()
}

// triggering notes that the scheduler's attempt begins.
func (s *System) triggering() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = time.Now()
}

// triggered notes how the scheduler's attempt ended.
func (s *System) triggered(err error) {
	s.mu.Lock()
	began := s.running
	s.running, s.failure = time.Time{}, ""
	if err != nil {
		s.refresh.Signal() // the tables may hold an earlier run's figures
		s.failure = err.Error()
		s.log.Error("the transform failed", "error", err.Error())
	}
	s.mu.Unlock()
	if s.options.without("functions") && err == nil { // its log is not ours to read
		s.log.Info("transform finished", "status", "success", "took_ms", time.Since(began).Milliseconds(), "changed", 1)
	}
}

// ingested waits until so many records are in staging or quarantine.
func (s *System) ingested(ctx context.Context, n int64) error {
	for {
		valid, quarantined := s.appended()
		if valid+quarantined >= n {
			return nil
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %d records to arrive in staging: %w", n, err)
		}
	}
}

// delivered waits, as long as ctx lets it and eight seconds at most, until
// every message was acknowledged or given up.
func (s *System) delivered(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	for s.subscription(s.deployment.IngestSubscription).Outstanding > 0 && pause.For(ctx, 20*time.Millisecond) == nil {
	}
}

// accepted counts the rows of each topic that the warehouse took since the
// start.
func (s *System) accepted() map[string]int64 {
	rows, tables := map[string]int64{}, s.warehouse.Appended()
	for _, topic := range event.Topics() {
		rows[topic] = tables[s.Endpoints.StagingDataset+"."+topic].Rows
	}
	return rows
}

// watchRefused reads the quarantine whenever there is more in it, and as long
// as something of it is within the window, until ctx is done.
func (s *System) watchRefused(ctx context.Context) {
	seen, read := int64(0), false
	for {
		wait := readRefusedEvery
		if _, quarantined := s.held(); quarantined != seen || s.refused.any() || !read {
			began := time.Now()
			counts, err := s.readRefused(ctx)
			if err == nil {
				s.refused.set(counts)
				seen, read = quarantined, true
			} else if ctx.Err() == nil {
				s.log.Warn("the page could not read the quarantine", "error", err.Error())
			}
			wait = max(wait, refusedLeisure*time.Since(began))
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// readRefused counts the records that were refused for the first time within the
// window: one that is replayed, delivered twice or tried again is none of them.
func (s *System) readRefused(ctx context.Context) ([]refusedCount, error) {
	rows, err := s.bigquery.Query(refusedSQL(s.Endpoints.StagingDataset, s.refused.since(time.Now()))).Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("counting what is refused: %w", err)
	}
	var counts []refusedCount
	for {
		var one refusedCount
		switch err := rows.Next(&one); {
		case errors.Is(err, iterator.Done):
			return counts, nil
		case err != nil:
			return nil, fmt.Errorf("counting what is refused: %w", err)
		}
		counts = append(counts, one)
	}
}

// refusedSQL counts by topic and reason the records that were first refused since
// a time.
func refusedSQL(dataset string, since time.Time) string {
	return fmt.Sprintf(`select kafka_topic, reason, count(*) as records
from (
  select kafka_topic, min(reason) as reason, min(ingested_at) as refused_at
  from %s.quarantine
  where batch_id not like '%%-retry-%%'
  group by kafka_topic, kafka_topic_id, kafka_partition, kafka_offset
)
where refused_at > timestamp_millis(%d)
group by kafka_topic, reason`, dataset, since.UnixMilli())
}

// warehouseAnswers asks the warehouse whether it answers. One that did until
// now may be busy with a long statement while a transform runs.
func (s *System) warehouseAnswers(ctx context.Context) error {
	_, err := s.bigquery.Query("select 1").Read(ctx)
	if ctx.Err() != nil && s.answers.silence().failure == "" && s.transforming() {
		return nil
	}
	return err
}

// transforming reports whether a transform runs, and the last one did not fail:
// what it waits for may be away.
func (s *System) transforming() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.running.IsZero() && s.failure == ""
}
