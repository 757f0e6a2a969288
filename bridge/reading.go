package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// reading is how a session's partitions get their records. It is safe for
// concurrent use.
type reading struct {
	client sarama.Client
	bridge *Bridge
	done   context.Context // of the session: nothing more is read then
	share  int32           // bytes that a fetch may have of one partition

	mu       sync.Mutex
	fetchers map[*sarama.Broker]*fetcher
}

// newReading reads as many partitions.
func newReading(done context.Context, b *Bridge, client sarama.Client, partitions int) *reading {
	share := fetchSize(client.Config().Consumer.Fetch.Default, partitions)
	return &reading{client: client, bridge: b, done: done, share: share, fetchers: make(map[*sarama.Broker]*fetcher)}
}

// Where nothing can be published each partition keeps what its last fetch had,
// beside the memory of batches, and uncompressed: up to ten times the bytes of
// the fetch. fetchedAhead bounds these bytes of all partitions together, and
// leastFetch is what each may have all the same.
const (
	fetchedAhead = 12 << 20
	leastFetch   = 32 << 10
)

// fetchSize is how many bytes a fetch may have of one of so many partitions:
// most, unless they are too many for that.
func fetchSize(most int32, partitions int) int32 {
	return min(most, max(leastFetch, int32(fetchedAhead/max(1, partitions))))
}

// fetcher returns that of the broker, and begins it if there is none. It ends
// with the session, or when a fetch fails; then another one takes its place.
func (r *reading) fetcher(broker *sarama.Broker) *fetcher {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.fetchers[broker]
	if f == nil {
		f = newFetcher(broker, r.client.Config())
		r.fetchers[broker] = f
		go func() {
			f.run(r.done)
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.fetchers, broker)
		}()
	}
	return f
}

// within does what asks Kafka and may take long. Once the session is done it
// returns the context's error, and does not wait.
func (r *reading) within(ask func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- ask() }()
	select {
	case err := <-answer:
		return err
	case <-r.done.Done():
		return r.done.Err()
	}
}

// A source is the records of one partition, in order. It is for one goroutine.
type source struct {
	*reading
	want
	of *fetcher // of the leader; nil where that has to be looked for
}

func (r *reading) source(at kafka.Partition, from int64) *source {
	return &source{reading: r, want: want{at: at, from: from, answer: make(chan fetched, 1)}}
}

// silently is how many attempts in a row may fail before health tells, where
// they only say that the partition's leader is another one, or none yet.
const silently = 10

// next returns the batches that follow and the offset behind them. It waits
// until there are records, and goes on through the loss of brokers and changes
// of leaders, of which it tells health. It returns the context's error once the
// session is done, and sarama.ErrOffsetOutOfRange where Kafka does not have the
// records any more.
func (s *source) next() (fetched, error) {
	for failed := 1; ; failed++ {
		s.most = s.share
		got, err := s.ask()
		switch {
		case s.done.Err() != nil:
			return fetched{}, s.done.Err()
		case err == nil && got.next > s.from:
			s.from = got.next
			return got, nil
		case err == nil: // nothing for long
			s.of, failed = nil, 0
			continue
		case errors.Is(err, sarama.ErrOffsetOutOfRange):
			return fetched{}, err
		case failed >= silently || !moved(err):
			s.bridge.note(kafka.Explain(fmt.Errorf("reading %s: %w", s.at, err), "read topic "+s.at.Topic))
		}
		s.of = nil
		if pause.For(s.done, s.client.Config().Consumer.Retry.Backoff) == nil {
			_ = s.within(func() error { return s.client.RefreshMetadata(s.at.Topic) }) // if it fails, so does the next attempt
		}
	}
}

// ask asks the partition's leader once.
func (s *source) ask() (fetched, error) {
	if s.of == nil {
		if err := s.findLeader(); err != nil {
			return fetched{}, err
		}
	}
	s.of.ask(&s.want)
	select {
	case got := <-s.answer:
		return got, got.err
	case <-s.done.Done():
		return fetched{}, s.done.Err()
	}
}

func (s *source) findLeader() error {
	var leader *sarama.Broker
	var epoch int32
	err := s.within(func() (err error) {
		if leader, epoch, err = s.client.LeaderAndEpoch(s.at.Topic, s.at.Number); err != nil {
			return err
		}
		return kafka.Open(leader, s.client.Config())
	})
	if err == nil {
		s.of, s.epoch = s.fetcher(leader), epoch
	}
	return err
}

// wait says that next will not be called for a while.
func (s *source) wait() { s.of.wait(&s.want) }

// leave says that next will not be called again.
func (s *source) leave() {
	if s.of != nil {
		s.of.leave(&s.want)
	}
}

// moved reports whether an error only tells that another broker leads the
// partition by now, or will in a moment.
func moved(err error) bool {
	for _, passing := range []error{sarama.ErrUnknownTopicOrPartition, sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable,
		sarama.ErrReplicaNotAvailable, sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}
