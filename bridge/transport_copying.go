package bridge

import (
	"context"
	"slices"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// A copying transport takes a batch over once, and publishes those that may hold
// alerts a second time, for another subscriber: over http there is no topic to
// which one could subscribe. The offsets are committed after both, so that a
// crash in between loses neither. When only the copy fails, both are done again,
// which does no harm.
type copying struct {
	Transport
	copies Transport
	topics []string // of Kafka, whose batches of the lane rows are copied
}

// Publish makes one attempt at both, the copy last: who is told is told of what
// is durable.
func (c copying) Publish(ctx context.Context, event cloudevents.Event) error {
	if err := c.Transport.Publish(ctx, event); err != nil || !c.copied(event) {
		return err
	}
	return c.copies.Publish(ctx, event)
}

func (c copying) copied(event cloudevents.Event) bool {
	lane, _ := event.Extensions()["lane"].(string)
	return slices.Contains(c.topics, event.Subject()) && batch.Lane(lane).Serves(batch.RowsLane)
}
