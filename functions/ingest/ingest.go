// Package ingest is the Cloud Function that takes micro-batches of Kafka
// records as CloudEvents and makes every record durable. It is one line:
//
//	handle → envelope → decode → sinks (lake, bigquery)
//	                           → quarantine
//
// A request becomes a batch, decode judges each record by the rules of package
// event, and the good ones go as rows to every sink, the others as rows of the
// quarantine, with their bytes and a reason, to one of them. There are two
// seams: values.Reader, where payload formats come in, and Sink, where rows go
// out.
//
// A call returns nil only when all of its batch is durable; after any error
// the event is delivered again. Delivery is at least once, and so are rows:
// readers keep one of each Kafka coordinate. A batch that can never succeed is
// refused with an error too, so that it ends among the dead letters, those of
// the subscription or of the bridge, and is never lost.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	internal "github.com/stationflow/stationflow/internal/lake"
)

// A Function ingests batches. Its clients and streams are shared by all
// calls, which may run concurrently.
type Function struct {
	config      Config
	bucket      *lake.Bucket
	sinks       sinks
	topics      map[string]*topic
	quarantined *rows.Table
	turns       chan struct{} // holds one for each request that is worked on
	decoded     sync.Pool     // of *decoded
	settled     settledRuns
	counters    counters
}

// New opens the sinks of a Function. It contacts none before the first batch.
// life bounds the function's connections, which Close ends as well.
func New(life context.Context, config Config) (*Function, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	f := &Function{config: config, quarantined: rows.Quarantine(),
		turns: make(chan struct{}, config.Concurrency)}
	f.decoded.New = func() any { return newDecoded() }
	var err error
	if f.topics, err = newTopics(&config); err != nil {
		return nil, fmt.Errorf("setting up ingest: %w", err)
	}
	if f.bucket, err = lake.Open(life, config.Bucket, config.AppendTimeout, config.StorageOptions...); err == nil {
		if f.sinks, err = openSinks(life, &config, f.bucket); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("setting up ingest: %w", err)
	}
	return f, nil
}

// Close ends the function's connections. Calls that run then fail.
func (f *Function) Close() error { return errors.Join(f.sinks.end(), f.bucket.Close()) }

// Ingest makes the batch that the event carries durable. The error says what
// went wrong; it has been logged by then. Concurrent deliveries of the same
// batch do no harm.
func (f *Function) Ingest(ctx context.Context, e cloudevents.Event) error {
	return f.ingestIn(ctx, f.decoded.Get().(*decoded), e)
}

// ingestIn is Ingest in memory that is used again once the batch is answered with
// success: all sinks have returned then. After an error something may still read
// it.
func (f *Function) ingestIn(ctx context.Context, d *decoded, e cloudevents.Event) error {
	began := f.config.Now()
	ctx, cancel := context.WithTimeout(ctx, f.config.CallTimeout)
	defer cancel()
	s := summary{began: began}
	err := fault.Guard(func() error { return f.ingest(ctx, d, e, &s) })
	s.took = f.config.Now().Sub(began)
	f.report(e, &s, err)
	s.endSpan(err)
	if err != nil {
		return &failure{batch: e.ID(), err: err}
	}
	if d.reusable() {
		f.decoded.Put(d)
	}
	return nil
}

// refuse counts and logs a delivery of which no event could be read.
func (f *Function) refuse(err error) error {
	f.reportFailure(cloudevents.Event{}, &summary{}, err)
	return &failure{err: err}
}

func (f *Function) ingest(ctx context.Context, d *decoded, e cloudevents.Event, s *summary) error {
	b, e, err := d.open(e)
	if err != nil {
		return err
	}
	ctx = f.startSpan(ctx, b, e, s)
	t, known := f.topics[b.Topic]
	if !known {
		return &foreignTopic{topic: b.Topic}
	}
	var refused error
	if !b.Retry { // what an earlier batch brought of its ranges is not what it brings
		refused = f.settled.leaveOut(b, f.config.Now())
	}
	if len(b.Records) == 0 {
		s.apart = true
		return refused
	}
	s.whereabouts = whereabouts(b)
	done := progress{received: f.config.Now()}
	err = fault.Guard(func() error {
		if err := d.decode(ctx, t, b, done.received); err != nil {
			return err
		}
		s.describe(b, e, d)
		return f.store(ctx, t, b, d, s, &done)
	})
	if err != nil {
		if classify(err) != fault.OfBatch || len(b.Ranges()) == 1 {
			return errors.Join(refused, err)
		}
		s.apart = true
		return errors.Join(refused, f.storeApart(ctx, e, t, b, done, err))
	}
	s.quarantined = len(d.rejections)
	s.durable = f.config.Now()
	return refused
}

// store makes the decoded batch durable in every sink of its lane, and what is
// not good in quarantine: also the rows that a sink of the lane rows refuses.
// Neither lane waits for the other, because both can be done again without
// harm; nor does the failure of one stop the other, which leaves less to do
// again. It leaves out what is done, and notes what it has done.
func (f *Function) store(ctx context.Context, t *topic, b *batch.Batch, d *decoded, s *summary, done *progress) error {
	good := &rows.Batch{Batch: b, Table: t.table, Set: d.good, All: t.all, Digest: digestOf(b)}
	var filed rows.Stored
	var inLake error
	var archiving sync.WaitGroup
	if b.Lane.Serves(batch.LakeLane) && !done.lake {
		archiving.Go(func() { filed, inLake = f.archive(ctx, good, d) })
	}
	if len(f.sinks.rows) == 0 { // what the lake refuses goes to its quarantine
		archiving.Wait()
		d.refuse(filed.Refused)
		done.refuse(b, d, filed.Refused)
		filed.Refused = nil
	}
	elsewhere := fault.Guard(func() error { return f.storeRows(ctx, good, d, s, done) })
	archiving.Wait()
	done.lake, done.inLake = inLake == nil, inLake
	s.duplicates += filed.Duplicates
	s.aside += len(filed.Refused)
	s.became, s.canary = f.sinks.become(b), f.sinks.passedByCanary(b)
	if err := errors.Join(inLake, elsewhere); err != nil || !b.Retry {
		return err
	}
	return f.release(ctx, b, d.rejections, good.Digest)
}

// digestOf returns what works the digest of the records out, once.
func digestOf(b *batch.Batch) func() uint64 {
	return sync.OnceValue(func() uint64 { return internal.Digest(b) })
}

// archive is what store does for the sinks of the lane lake. Records that these
// cannot keep as rows are set aside there, unless they go to the quarantine.
func (f *Function) archive(ctx context.Context, good *rows.Batch, d *decoded) (rows.Stored, error) {
	filed, err := f.sinks.storeIn(ctx, f.sinks.lake, good)
	if err == nil && len(f.sinks.rows) > 0 {
		err = f.setAside(ctx, good.Batch, d, filed.Refused)
	}
	return filed, err
}

// storeRows is what store does but for the sinks of the lane lake.
func (f *Function) storeRows(ctx context.Context, good *rows.Batch, d *decoded, s *summary, done *progress) error {
	if good.Lane.Serves(batch.RowsLane) && !done.rows {
		stored, err := f.sinks.storeIn(ctx, f.sinks.rows, good)
		if err != nil {
			return err
		}
		d.refuse(stored.Refused)
		s.duplicates = stored.Duplicates
		done.rows = true
		done.refuse(good.Batch, d, stored.Refused)
	}
	if good.Lane.Serves(f.sinks.laneOfQuarantine()) && !done.quarantined {
		if err := f.quarantine(ctx, good.Batch, d.rejections, good.Digest); err != nil {
			return err
		}
		done.quarantined = true
	}
	return nil
}
