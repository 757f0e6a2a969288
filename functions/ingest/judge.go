package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

// A Judge decides about records as a Function does, and stores nothing. What
// only the warehouse refuses it does not know. It is not safe for concurrent
// use.
type Judge struct {
	topics  map[string]*topic
	decoded *decoded
	now     func() time.Time
}

// NewJudge returns a Judge with the configuration's rules: Location, EpochUnit
// and Registry.
func NewJudge(config Config) (*Judge, error) {
	if config.Location == nil {
		config.Location = time.UTC
	}
	topics, err := newTopics(&config)
	if err != nil {
		return nil, fmt.Errorf("reading the rules of ingest: %w", err)
	}
	j := &Judge{topics: topics, decoded: newDecoded(), now: config.Now}
	if j.now == nil {
		j.now = time.Now
	}
	return j, nil
}

// Refused returns why records of the batch would go to quarantine, by their
// index: those that are not in there would be accepted. An error says that it
// cannot be told, because the registry cannot be asked or the topic is not one
// of the project's.
func (j *Judge) Refused(ctx context.Context, b *batch.Batch) (map[int]event.Rejection, error) {
	if err := j.decide(ctx, b); err != nil {
		return nil, err
	}
	return j.refused(), nil
}

// Decided is Refused, and shows the event of each record that would be
// accepted, in the order of the batch. A row is valid until show returns; its
// columns are those of the topic's schema and then extra.
func (j *Judge) Decided(ctx context.Context, b *batch.Batch, show func(record int, row event.Row)) (map[int]event.Rejection, error) {
	if err := j.decide(ctx, b); err != nil {
		return nil, err
	}
	row := make(event.Row, len(j.topics[b.Topic].schema.Columns)+1)
	for i, record := range j.decoded.records {
		for c := range row {
			row[c] = j.decoded.good.Own[c].Value(int32(i))
		}
		show(record, row)
	}
	return j.refused(), nil
}

func (j *Judge) decide(ctx context.Context, b *batch.Batch) error {
	t, known := j.topics[b.Topic]
	if !known {
		return &foreignTopic{topic: b.Topic}
	}
	return j.decoded.decode(ctx, t, b, j.now())
}

func (j *Judge) refused() map[int]event.Rejection {
	refused := make(map[int]event.Rejection, len(j.decoded.rejections))
	for _, r := range j.decoded.rejections {
		refused[r.record] = event.Rejection{Reason: r.reason, Detail: r.detail}
	}
	return refused
}
