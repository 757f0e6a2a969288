// Package replay packs records that were in Kafka once into batches, as the
// bridge does, and sends them again.
package replay

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// A Packer packs records into batches that serve both lanes, and sends each
// when it is full. Send must be set. It is not safe for concurrent use.
type Packer struct {
	// Send makes a batch arrive, or fails. The event is valid until it
	// returns; count is how many records it has.
	Send func(ctx context.Context, event cloudevents.Event, records int) error
	// Now stamps the events; nil for time.Now.
	Now func() time.Time

	of      batch.Batch // where the records that are packed come from
	encoder batch.Encoder
}

// Fits reports whether the record goes into the batch that is packed now. Where
// none is, it does: no record that is shown to a Packer is too large for a batch.
func (p *Packer) Fits(of *batch.Batch, r *batch.Record) bool {
	return p.encoder.Records() == 0 || p.goesWith(of) && p.encoder.Fits(r)
}

func (p *Packer) goesWith(of *batch.Batch) bool {
	return p.of.ClusterID == of.ClusterID && p.of.Topic == of.Topic && p.of.TopicID == of.TopicID && p.of.Retry == of.Retry
}

// Add packs a record of where of says, and sends what was packed before where
// the record does not go with it. Within a partition offsets must ascend.
func (p *Packer) Add(ctx context.Context, of *batch.Batch, r *batch.Record) error {
	if !p.Fits(of, r) {
		if err := p.Flush(ctx); err != nil {
			return err
		}
	}
	if p.encoder.Records() == 0 {
		p.of = batch.Batch{ClusterID: of.ClusterID, Topic: of.Topic, TopicID: of.TopicID, Lane: batch.BothLanes, Retry: of.Retry}
		p.encoder.Compress = true
		if !p.encoder.Fits(r) {
			return fmt.Errorf("the record at offset %d of partition %d of topic %s fits no batch", r.Offset, r.Partition, of.Topic)
		}
	}
	p.encoder.Add(r)
	return nil
}

// Flush sends what is packed.
func (p *Packer) Flush(ctx context.Context) error {
	if p.encoder.Records() == 0 {
		return nil
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	records := p.encoder.Records()
	event := p.encoder.Event(&p.of, now(), "")
	defer p.encoder.Reset()
	return p.Send(ctx, event, records)
}
