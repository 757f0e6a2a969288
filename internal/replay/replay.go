package replay

import (
	"context"
	"fmt"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/quarantine"
)

// A Replay sends records of Kafka to ingest again, in the order of topics,
// partitions and offsets: who was told how far it came can go on from there. A
// record that is in quarantine goes as a retry, so that it leaves the quarantine
// where it is accepted now; the others go as they went at first.
type Replay struct {
	Source *Source
	// Packers of the two kinds of batches; both must have a Send.
	Plain, Retry Packer
	// Quarantined reports whether a record of the topic is in quarantine.
	Quarantined func(quarantine.Place) bool
	// Aside makes the bytes of a record that fits no batch durable in the lake,
	// and leaves one that does.
	Aside func(ctx context.Context, of *batch.Batch, r *batch.Record) error
	// Arrived is told when all records up to and including this one of the
	// span have arrived; nil to tell nobody. Its error ends the replay.
	Arrived func(last quarantine.Place) error

	Records, Retried int64 // so far; retried are those of the records that are in quarantine
}

// Span replays one span. After an error some of it may have arrived beyond what
// Arrived was told; to send it again does no harm.
func (r *Replay) Span(ctx context.Context, span Span) error {
	of := r.Source.Origin(span.Topic)
	retry := *of
	retry.Retry = true
	last := quarantine.Place{Topic: span.Topic, Partition: span.Number, Offset: -1}
	err := r.Source.Read(ctx, span, func(record *batch.Record) error {
		if !new(batch.Encoder).Fits(record) {
			if err := r.Aside(ctx, of, record); err != nil {
				return err
			}
		}
		place := quarantine.Place{Topic: span.Topic, Partition: span.Number, Offset: record.Offset}
		packer, origin := &r.Plain, of
		quarantined := r.Quarantined(place)
		if quarantined {
			packer, origin = &r.Retry, &retry
		}
		if !packer.Fits(origin, record) {
			if err := r.flush(ctx, last); err != nil {
				return err
			}
		}
		if err := packer.Add(ctx, origin, record); err != nil {
			return err
		}
		r.Records++
		if last = place; quarantined {
			r.Retried++
		}
		return nil
	})
	if err != nil {
		return err
	}
	last.Offset = span.Next - 1
	return r.flush(ctx, last)
}

// flush sends what is packed of either kind.
func (r *Replay) flush(ctx context.Context, last quarantine.Place) error {
	if err := r.Plain.Flush(ctx); err != nil {
		return err
	}
	if err := r.Retry.Flush(ctx); err != nil {
		return err
	}
	if r.Arrived != nil && last.Offset >= 0 {
		return r.Arrived(last)
	}
	return nil
}

// After returns what of the spans, in their order, comes after the place: all of
// it has arrived up to there. It is an error where the place is in none of them.
func After(spans []Span, place quarantine.Place) ([]Span, error) {
	at := kafka.Partition{Topic: place.Topic, Number: place.Partition}
	for i, span := range spans {
		if span.Partition != at {
			continue
		}
		if place.Offset < span.First || place.Offset >= span.Next {
			return nil, fmt.Errorf("%v is not among the offsets %d to %d that are to be replayed of %v", place, span.First, span.Next-1, at)
		}
		rest := append([]Span(nil), spans[i:]...)
		if rest[0].First = place.Offset + 1; rest[0].First == rest[0].Next {
			rest = rest[1:]
		}
		return rest, nil
	}
	return nil, fmt.Errorf("%v is in no partition that is to be replayed", place)
}
