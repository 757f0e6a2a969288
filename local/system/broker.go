package system

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/pause"
)

// A broker watches how far the topics have grown, and how far the bridge's
// group has committed them.
type broker struct {
	config kafka.Config
	client sarama.Client
	group  string
	start  int64 // where a partition begins that the group never committed, as kafka.Offsets is asked for it

	last    atomic.Pointer[offsets]
	trouble atomic.Pointer[trouble] // of the last look; nil when all was well

	mu   sync.Mutex
	seen map[place]history // of every topic since the watch began, those that are gone too

	stop context.CancelFunc
	done chan struct{}
}

// A trouble is what is wrong, and what to do about it, one sentence each.
type trouble struct{ fault, remedy string }

// watchBroker connects to Kafka, makes the topics that are missing, and looks
// at their offsets every second until Close.
func watchBroker(ctx context.Context, getenv func(string) string) (_ *broker, err error) {
	r := env.NewReader(getenv)
	b := &broker{config: kafka.FromEnv(r), group: r.String("KAFKA_GROUP_ID", "stationflow"), seen: map[place]history{}, done: make(chan struct{})}
	b.start = startTime(r.String("KAFKA_START", "earliest"))
	if err := r.Err(); err != nil {
		return nil, err
	}
	if err := kafka.CreateTopics(ctx, b.config, event.Topics(), kafka.Partitions); err != nil {
		return nil, err
	}
	running, started, stop := outlive(ctx)
	b.stop = stop
	if b.client, err = b.connect(running); err != nil {
		stop()
		return nil, err
	}
	if err := b.look(); err != nil {
		stop()
		return nil, errors.Join(err, b.client.Close())
	}
	started()
	go func() {
		defer close(b.done)
		for pause.For(running, time.Second) == nil {
			_ = b.look() // which keeps what is wrong
		}
	}()
	return b, nil
}

// startTime is what kafka.Offsets is asked for KAFKA_START, which the bridge
// checks.
func startTime(text string) int64 {
	if text == "latest" {
		return sarama.OffsetNewest
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UnixMilli()
	}
	return sarama.OffsetOldest
}

// connect returns a client that ends with ctx.
func (b *broker) connect(ctx context.Context) (sarama.Client, error) {
	settings := b.config.Sarama("stationflow-page")
	settings.Net.ReadTimeout = 5 * time.Second // these questions are answered at once
	return b.config.Connect(ctx, settings, 0)
}

// offsets is where the topics and the group were when last looked at.
func (b *broker) offsets() offsets { return *b.last.Load() }

// look reads the offsets of all topics now, and keeps them, or what is wrong.
// Without some of the topics it has those of the others, and no error.
func (b *broker) look() error {
	now, gone, err := b.read(b.client)
	var wrong *trouble
	switch {
	case err != nil:
		wrong = explain(err)
	case len(gone) > 0:
		wrong = &trouble{"There is no topic " + strings.Join(gone, ", ") + " in Kafka.",
			fmt.Sprintf("Create it again, with %d partitions: it is read from its first record. What has arrived of the old one stays.", kafka.Partitions)}
	}
	b.trouble.Store(wrong)
	if err == nil {
		b.note(now)
		b.last.Store(&now)
	}
	return err
}

// note adds what was read to what has been seen. A topic that was made since
// the watch began is read from its first record.
func (b *broker) note(now offsets) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at, of := range now {
		here := place{of.topicID, int64(at.Number)}
		seen, known := b.seen[here]
		if !known {
			seen = history{begin: of.begin, start: of.committed}
			if b.last.Load() != nil {
				seen.start = of.begin
			}
		}
		seen.stable, seen.passed = max(seen.stable, of.stable), max(seen.passed, of.committed)
		b.seen[here] = seen
	}
}

// explain says why Kafka could not be asked.
func explain(err error) *trouble {
	var known *kafka.Fault
	var network net.Error
	switch {
	case errors.As(err, &known): // it has its own remedy
		return &trouble{err.Error(), "docs/kafka.md has what each message means."}
	case errors.As(err, &network) && network.Timeout():
		return &trouble{"Kafka does not answer: " + err.Error(),
			"Something listens there: see whether the broker is stopped, or busy with something else."}
	}
	return &trouble{fault: err.Error()}
}

// read asks for the offsets of all topics, the committed ones first: none is
// then beyond an end. gone are the topics that do not exist.
func (b *broker) read(client sarama.Client) (now offsets, gone []string, err error) {
	identity, err := b.identify(client)
	if err != nil {
		return nil, nil, err
	}
	oldest, newest, asked := map[kafka.Partition]int64{}, map[kafka.Partition]int64{}, map[string][]int32{}
	for _, name := range event.Topics() {
		topic := identity.Topics[name]
		switch {
		case errors.Is(topic.Err, kafka.ErrNoTopic):
			gone = append(gone, name)
			continue
		case topic.Err != nil:
			return nil, nil, topic.Err
		}
		asked[name] = slices.Collect(maps.Keys(topic.Leaders))
		for number := range topic.Leaders {
			at := kafka.Partition{Topic: name, Number: number}
			oldest[at], newest[at] = sarama.OffsetOldest, sarama.OffsetNewest
		}
	}
	committed := b.commitments(client, asked)
	var found [3]map[kafka.Partition]int64
	for i, ask := range []struct {
		times     map[kafka.Partition]int64
		isolation sarama.IsolationLevel
	}{{oldest, sarama.ReadUncommitted}, {newest, sarama.ReadUncommitted}, {newest, sarama.ReadCommitted}} {
		if found[i], err = kafka.Offsets(client, ask.times, ask.isolation); err != nil {
			return nil, nil, err
		}
	}
	now = make(offsets, len(oldest))
	for at := range oldest {
		now[at] = extent{topicID: identity.Topics[at.Topic].ID, begin: found[0][at], end: max(found[1][at], found[2][at]), stable: found[2][at]}
	}
	return now, gone, b.addCommitted(client, now, committed)
}

func (b *broker) identify(client sarama.Client) (kafka.Identity, error) {
	any := client.LeastLoadedBroker()
	if any == nil {
		return kafka.Identity{}, sarama.ErrOutOfBrokers
	}
	identity, err := kafka.Identify(any, client.Config().Version, event.Topics())
	if err != nil {
		_ = any.Close()
		_ = client.RefreshMetadata() // finds a broker that answers
	}
	return identity, err
}

// commitments are the group's; nil when they cannot be told, as for a while in
// a new cluster: those that were known last stand.
func (b *broker) commitments(client sarama.Client, asked map[string][]int32) *sarama.OffsetFetchResponse {
	coordinator, err := client.Coordinator(b.group)
	if err != nil {
		return nil
	}
	answer, err := coordinator.FetchOffset(sarama.NewOffsetFetchRequest(client.Config().Version, b.group, asked))
	if err != nil || answer.GroupError() != sarama.ErrNoError {
		_ = client.RefreshCoordinator(b.group) // another one may have become it
		return nil
	}
	return answer
}

// addCommitted adds from where on the group reads each partition: what it has
// committed, or else where it will begin.
func (b *broker) addCommitted(client sarama.Client, now offsets, answer *sarama.OffsetFetchResponse) error {
	before := b.last.Load()
	starts := map[kafka.Partition]int64{}
	for at, one := range now {
		var block *sarama.OffsetFetchResponseBlock
		if answer != nil {
			block = answer.GetBlock(at.Topic, at.Number)
		}
		switch {
		case block != nil && block.Err == sarama.ErrNoError && block.Offset >= 0 && (block.Metadata == "" || block.Metadata == one.topicID):
			one.committed = block.Offset
		case before == nil:
			starts[at] = b.start
		case (*before)[at].topicID == one.topicID:
			one.committed = (*before)[at].committed
		default: // the topic is new: it is read from its first record
			one.committed = one.begin
		}
		now[at] = one
	}
	found, err := kafka.Offsets(client, starts, sarama.ReadCommitted)
	for at, offset := range found {
		one := now[at]
		if one.committed = offset; offset < 0 { // nothing is that new
			one.committed = one.stable
		}
		now[at] = one
	}
	return err
}

// Close ends the watch and the connection.
func (b *broker) Close() error {
	b.stop()
	<-b.done
	return b.client.Close()
}
