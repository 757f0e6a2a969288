package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A Standing is what Kafka holds and what of it waits for the bridge.
type Standing struct {
	Held      int64 // offsets
	Committed int64 // by the group, summed
	Waiting   int64 // offsets behind the commits, or behind the beginning where there is none
	Oldest    time.Duration
	Unread    []string // topics that cannot be read, one sentence each
}

// Standing asks how far the group is at the time now. The age of what waits is
// that of the first record of each partition that waits.
func (k Kafka) Standing(ctx context.Context, now time.Time) (s Standing, err error) {
	r, err := k.look(ctx, times{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	s.Unread = r.unread
	for place, extent := range r.extents {
		s.Held += max(extent.End-extent.Begin, 0)
		next := extent.Begin
		if extent.Committed >= 0 {
			s.Committed += extent.Committed
			next = max(extent.Committed, extent.Begin)
		}
		if extent.Stable <= next {
			continue
		}
		s.Waiting += extent.Stable - next
		record, err := kafka.Read(r.client, place.at(), next)
		if err != nil {
			return s, k.explain(ctx, err)
		}
		if record != nil && !record.At.IsZero() {
			s.Oldest = max(s.Oldest, now.Sub(record.At))
		}
	}
	return s, nil
}
