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
	t, known := j.topics[b.Topic]
	if !known {
		return nil, &foreignTopic{topic: b.Topic}
	}
	if err := j.decoded.decode(ctx, t, b, j.now()); err != nil {
		return nil, err
	}
	refused := make(map[int]event.Rejection, len(j.decoded.rejections))
	for _, r := range j.decoded.rejections {
		refused[r.record] = event.Rejection{Reason: r.reason, Detail: r.detail}
	}
	return refused, nil
}
