package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/simulator"
)

// stepsPerNetwork is how far a simulated network is played: an hour, so that
// the records of a batch are of the same hour, as live ones are.
const stepsPerNetwork = 12

// badEvery is how many records there are for one that is to be quarantined.
const badEvery = 100

// A message is a record on its way to Kafka, and what its row must hold.
type message struct {
	topic      string
	key, value []byte
	reason     event.Reason // "" for a good event
	digest     uint64
}

// A load makes messages in the simulator's natural mix: the events of many
// networks of stations in the same hour, noon of a day, in time order, and a
// known small share of bad ones.
type load struct {
	seed     maphash.Seed
	layouts  map[string]layout
	networks []*simulator.Network
	events   []simulator.Event
	next     int // network that has its turn
	made     int
	clean    bool // without bad messages
}

// newLoad returns a load for so many messages, of noon of a day.
func newLoad(day time.Time, messages int) *load {
	return newLoadAt(time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, time.UTC), messages)
}

// newLoadAt returns a load for so many messages, of the hour after start.
func newLoadAt(start time.Time, messages int) *load {
	l := &load{seed: maphash.MakeSeed(), layouts: map[string]layout{}}
	for _, topic := range event.Topics() {
		l.layouts[topic] = layoutOf(topic)
	}
	network := func(seed int) *simulator.Network {
		return simulator.New(simulator.Config{Seed: uint64(seed), Start: start})
	}
	trial, events := network(0), 0
	for range stepsPerNetwork {
		events += len(trial.Step())
	}
	for seed := range messages/events*5/4 + 20 {
		l.networks = append(l.networks, network(seed))
	}
	return l
}

// take returns the next n messages.
func (l *load) take(n int) ([]message, error) {
	for len(l.events) < n {
		l.play()
	}
	messages := make([]message, n)
	for i := range messages {
		e := &l.events[i]
		messages[i] = message{topic: e.Topic, key: []byte(e.Key), value: e.Value}
		if l.made++; !l.clean && l.made%badEvery == 0 {
			spoil(&messages[i], l.made/badEvery)
		}
	}
	l.events = l.events[n:]
	return messages, l.expect(messages)
}

// play takes a step of the next network. Identifiers count from 1 in each:
// the network's number is put before the count, as if one network had made
// them all.
func (l *load) play() {
	number := l.next % len(l.networks)
	for _, e := range l.networks[number].Step() {
		e.Value = bytes.ReplaceAll(e.Value, []byte("-000"), fmt.Appendf(nil, "-%04d", number))
		e.Key = string(bytes.ReplaceAll([]byte(e.Key), []byte("-000"), fmt.Appendf(nil, "-%04d", number)))
		l.events = append(l.events, e)
	}
	l.next++
}

// expect works out what the messages' rows must hold, on all processors.
func (l *load) expect(messages []message) error {
	var group errgroup.Group
	share := len(messages)/runtime.NumCPU() + 1
	for len(messages) > 0 {
		part := messages[:min(share, len(messages))]
		messages = messages[len(part):]
		group.Go(func() (err error) {
			digest := fingerprint{seed: l.seed}
			var cells []cell
			for i := range part {
				m := &part[i]
				if m.reason != "" {
					cells = append(cells[:0], textCell(m.key), textCell(m.value), textCell([]byte(m.reason)))
				} else if cells, err = l.layouts[m.topic].expect(m.value, cells[:0]); err != nil {
					return err
				}
				m.digest = digest.of(cells)
			}
			return nil
		})
	}
	return group.Wait()
}

// badKinds is how many ways of being bad there are.
const badKinds = 9

// spoil makes the event one that must be quarantined, with each reason in turn.
func spoil(m *message, turn int) {
	var fields map[string]any
	_ = json.Unmarshal(m.value, &fields) // what the simulator makes is valid
	changed := func(name string, to any) []byte {
		fields[name] = to
		value, _ := json.Marshal(fields)
		return value
	}
	switch turn % badKinds {
	case 0:
		m.reason, m.value = event.Tombstone, nil
	case 1:
		m.reason, m.value = event.NotUTF8, bytes.Replace(m.value, []byte("Station"), []byte("St\xffation"), 1)
	case 2:
		m.reason, m.value = event.NotJSON, m.value[:len(m.value)-1]
	case 3:
		m.reason, m.value = event.NotObject, append(append([]byte("["), m.value...), ']')
	case 4:
		m.reason, m.value = event.MissingField, changed("station", nil)
	case 5:
		m.reason, m.value = event.WrongType, changed("station", 7)
	case 6:
		m.reason, m.value = event.OutOfRange, changed(counted(m.topic), -1)
	case 7:
		m.reason, m.value = event.BadTimestamp, changed("timestamp", "tomorrow")
	case 8:
		m.reason, m.value = event.AbsurdTimestamp, changed("timestamp", "1999-12-31T23:59:59Z")
	}
}

// counted names a field of the topic that cannot be negative.
func counted(topic string) string {
	schema, _ := event.SchemaOf(topic)
	at := slices.IndexFunc(schema.Columns, func(c event.Column) bool { return c.Min != nil })
	return schema.Columns[at].Name
}

// A sender produces messages and notes them in the ledger.
type sender struct {
	client *kgo.Client
	ledger *ledger

	flying sync.WaitGroup
	mu     sync.Mutex
	failed error
}

func newSender(brokers []string, l *ledger) (*sender, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...),
		kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(100_000), kgo.RecordDeliveryTimeout(time.Minute))
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka at %v: %w", brokers, err)
	}
	return &sender{client: client, ledger: l}, nil
}

func (s *sender) send(ctx context.Context, messages []message) {
	s.flying.Add(len(messages))
	for i := range messages {
		m := &messages[i]
		s.client.Produce(ctx, &kgo.Record{Topic: m.topic, Key: m.key, Value: m.value}, func(r *kgo.Record, err error) {
			defer s.flying.Done()
			if err != nil {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.failed = err
				return
			}
			s.ledger.sent(place{r.Topic, r.Partition}, r.Offset, entry{reason: m.reason, digest: m.digest, kafka: r.Timestamp.UnixMilli()})
		})
	}
}

// wait returns when Kafka has everything.
func (s *sender) wait() error {
	s.flying.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return fmt.Errorf("sending events to Kafka: %w", s.failed)
	}
	return nil
}

// sendAll makes and sends n messages as fast as Kafka takes them.
func (s *sender) sendAll(ctx context.Context, l *load, n int) error {
	for n > 0 && ctx.Err() == nil {
		messages, err := l.take(min(n, 50_000))
		if err != nil {
			return err
		}
		n -= len(messages)
		s.send(ctx, messages)
	}
	return errors.Join(s.wait(), ctx.Err())
}

// sendPaced sends messages at a rate, a share of them every 10 ms.
func (s *sender) sendPaced(ctx context.Context, messages []message, rate int) error {
	began := time.Now()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for sent := 0; sent < len(messages); {
		due := min(int(time.Since(began).Seconds()*float64(rate))+1, len(messages))
		if due > sent {
			s.send(ctx, messages[sent:due])
			sent = due
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(s.wait(), ctx.Err())
		}
	}
	return s.wait()
}
