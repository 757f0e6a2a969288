package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
)

// The library's consumer hands over each record through a channel, in an object
// of its own: a quarter of the bridge's processor time. Here a partition gets
// what a fetch has of it as a whole. The library still speaks with Kafka, finds
// leaders and keeps the group.

// A fetcher fetches from one broker for all partitions that it leads, with one
// request at a time. It is safe for concurrent use.
type fetcher struct {
	broker *sarama.Broker
	config *sarama.Config
	again  chan struct{} // holds one where it has to look again
	unread int           // fetches in a row of which nothing could be read; for run alone

	mu      sync.Mutex
	failed  error // the last fetch did: whoever asks is told so
	waiting []*want
	adding  int // partitions that add what the last fetch had of them
	away    int // those that cannot, because nothing can be published

	patience time.Duration // how long Kafka may take over the next fetch while some are away
}

// A want is what a partition asks a broker for.
type want struct {
	at    kafka.Partition
	from  int64 // the offset of the first record
	epoch int32 // of the leader
	most  int32 // bytes; Kafka answers a whole batch of one partition all the same

	asked  time.Time    // when; the fetcher's lock guards this and count
	count  *int         // of the fetcher; nil unless it is among adding or away
	answer chan fetched // holds one
}

// fetched is an answer, or why there is none. It can have another offset and no
// batch, behind records that nobody gets.
type fetched struct {
	batches []*sarama.RecordBatch
	next    int64 // the offset behind them
	err     error
}

func newFetcher(broker *sarama.Broker, config *sarama.Config) *fetcher {
	return &fetcher{broker: broker, config: config, again: make(chan struct{}, 1)}
}

// ask has the want answered.
func (f *fetcher) ask(w *want) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.move(w, nil)
	if f.failed != nil {
		w.answer <- fetched{err: f.failed}
		return
	}
	w.asked = time.Now()
	f.waiting = append(f.waiting, w)
}

// wait says that the partition asks again, but not soon: no fetch waits for it.
func (f *fetcher) wait(w *want) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.count == &f.adding {
		f.move(w, &f.away)
	}
}

// leave says that the partition does not ask again.
func (f *fetcher) leave(w *want) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.move(w, nil)
}

// move counts the partition among others. The caller holds the lock.
func (f *fetcher) move(w *want, to *int) {
	if w.count != nil {
		*w.count--
	}
	if w.count == &f.away || to == &f.away {
		f.patience = awayPatience
	}
	if w.count = to; to != nil {
		*to++
	}
	if f.adding == 0 {
		f.lookAgain()
	}
}

func (f *fetcher) lookAgain() {
	select {
	case f.again <- struct{}{}:
	default: // it will anyway
	}
}

// run fetches until ctx is done, or a fetch fails.
func (f *fetcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-f.again:
			if !f.fetch() {
				return
			}
		case <-ctx.Done():
		}
	}
}

// fetch asks once for all that wait, unless others are about to ask. It returns
// false where that fails.
func (f *fetcher) fetch() bool {
	asking, patience := f.take()
	if len(asking) == 0 {
		return true
	}
	response, err := f.broker.Fetch(f.request(asking, patience))
	switch {
	case err == nil:
		f.unread = 0
		f.answer(asking, response, time.Now())
		return true
	case f.lost(err):
		return f.end(asking, err)
	case len(asking) == 1:
		asking[0].answer <- asking[0].unreadable(err)
		return f.readAny(false, err)
	}
	return f.fetchEach(asking)
}

// fetchEach asks for one partition after the other, where an answer for all came
// and cannot be read: nobody knows whose records are to blame then, and only
// those are told.
func (f *fetcher) fetchEach(asking []*want) bool {
	var readable bool
	var unreadable error
	for i, w := range asking {
		response, err := f.broker.Fetch(f.request(asking[i:i+1], 0))
		switch {
		case err == nil:
			readable = true
			f.answer(asking[i:i+1], response, time.Now())
		case f.lost(err):
			return f.end(asking[i:], err)
		default:
			unreadable = err
			w.answer <- w.unreadable(err)
		}
	}
	return f.readAny(readable, unreadable)
}

// mostUnread is how many fetches in a row may have nothing that can be read, until
// it is the connection that is to blame.
const mostUnread = 5

// readAny counts the fetches in a row of which no answer could be read, and ends
// the connection when they are too many.
func (f *fetcher) readAny(readable bool, err error) bool {
	if f.unread++; readable {
		f.unread = 0
	}
	return f.unread <= mostUnread || f.end(nil, err)
}

// end tells everybody that the connection is of no use, and returns false.
func (f *fetcher) end(asking []*want, err error) bool {
	_ = f.broker.Close() // who looks for the leader next opens it again
	f.fail(asking, err)
	return false
}

// lost reports whether there was no answer.
func (f *fetcher) lost(err error) bool {
	connected, _ := f.broker.Connected() // the library closes those that end, but not for time-outs
	return !connected || errors.As(err, new(net.Error))
}

// awayPatience is how long Kafka may take over the first fetch while a partition
// is away: when that one comes back, its next records are in the fetch after
// this. Each further one may take twice as long.
const awayPatience = 10 * time.Millisecond

// take takes those that wait, or none as long as others are about to ask, and
// says how long Kafka may wait until it has something for them.
func (f *fetcher) take() (asking []*want, patience time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.adding > 0 {
		return nil, 0
	}
	asking, f.waiting = f.waiting, nil
	patience = f.config.Consumer.MaxWaitTime
	if f.away > 0 {
		patience = min(patience, f.patience)
		f.patience = 2 * patience
	}
	return asking, patience
}

// sameLeader is how long a partition waits for records before it looks whether
// the broker still leads it. One that is cut off from the others does not know.
const sameLeader = 10 * time.Second

// answer answers those of whom Kafka has something, or an error, or has had
// nothing for long. The others go on to wait.
func (f *fetcher) answer(asking []*want, response *sarama.FetchResponse, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range asking {
		answer := w.read(response)
		nothing := answer.err == nil && answer.next == w.from
		if nothing && now.Sub(w.asked) < sameLeader {
			f.waiting = append(f.waiting, w)
			continue
		}
		if answer.err == nil && !nothing {
			f.move(w, &f.adding)
		}
		w.answer <- answer
	}
	if f.adding == 0 {
		f.lookAgain()
	}
}

// fail tells everybody why the fetch failed, also those who ask later.
func (f *fetcher) fail(asking []*want, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = err
	for _, w := range slices.Concat(asking, f.waiting) { // what is behind asking is the caller's
		w.answer <- fetched{err: err}
	}
	f.waiting = nil
}

func (f *fetcher) request(asking []*want, patience time.Duration) *sarama.FetchRequest {
	fetch := &f.config.Consumer.Fetch
	request := &sarama.FetchRequest{Version: 12, MinBytes: fetch.Min, MaxBytes: fetch.MaxBytes, MaxWaitTime: int32(patience.Milliseconds()),
		Isolation: f.config.Consumer.IsolationLevel, SessionEpoch: -1} // no session of fetches
	for _, w := range asking {
		request.AddBlock(w.at.Topic, w.at.Number, w.from, w.most, w.epoch)
		request.MaxBytes = max(request.MaxBytes, w.most)
	}
	return request
}

// read returns what the response has for the partition. Where that is only a
// part of a batch, the partition asks for more the next time.
func (w *want) read(response *sarama.FetchResponse) fetched {
	block := response.GetBlock(w.at.Topic, w.at.Number)
	switch {
	case block == nil: // as where Kafka slows its clients down
		return fetched{next: w.from}
	case block.Err != sarama.ErrNoError:
		return fetched{err: block.Err}
	}
	batches, next := kafka.Committed(block, w.from)
	switch cut := block.Partial || len(block.RecordsSet) > 0; {
	case next > w.from || !cut:
	case w.most < sarama.MaxResponseSize/2:
		w.most *= 2
	default: // to ask again at once would only ask for ever
		return w.unreadable(errCut)
	}
	return fetched{batches: batches, next: next}
}

// errCut is what is wrong with a batch that is cut off though all of it was asked
// for. The library also takes one for that which has more records than bytes, as
// Zstandard makes of many small ones that are alike, and of which Kafka has
// nothing behind it (sarama 1.61.1, realDecoder.getArrayLength): it is read once
// there are as many bytes.
var errCut = errors.New("the batch is cut off, or has more records than bytes: then it is read once enough others follow")

// unreadable is the answer where the records that come next cannot be read.
func (w *want) unreadable(err error) fetched {
	return fetched{err: fmt.Errorf("what Kafka has from offset %d on cannot be read: %w", w.from, err)}
}
