package mailbox

import (
	"context"
	"errors"
	"strconv"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/ledger"
)

// Buried returns the dead letters that wait, as the ledger knows them.
func (m *Mailbox) Buried(ctx context.Context) (all []ledger.DeadLetter, err error) {
	err = m.Each(ctx, 100, func(l *Letter) (bool, error) {
		all = append(all, l.inLedger())
		return false, nil
	})
	return all, err
}

// inLedger is what the ledger has to know of a dead letter; it has no topic
// where it is not a batch.
func (l *Letter) inLedger() ledger.DeadLetter {
	d := ledger.DeadLetter{ID: l.ID}
	of, partition, err := batch.Origin(l.Attributes["ce-source"])
	if err != nil || l.Attributes["ce-topicid"] == "" {
		return d
	}
	var ranges batch.Ranges
	lane := batch.Lane(l.Attributes["ce-lane"])
	if of.V1 {
		lane = of.Lane
		first, e1 := strconv.ParseInt(l.Attributes["ce-firstoffset"], 10, 64)
		last, e2 := strconv.ParseInt(l.Attributes["ce-lastoffset"], 10, 64)
		ranges, err = batch.Ranges{{Partition: partition, First: first, Last: last}}, errors.Join(e1, e2)
	} else {
		ranges, err = batch.ParseRanges(l.Attributes["ce-ranges"])
	}
	if err != nil {
		return d
	}
	d.Topic, d.Rows, d.Lake = of.Topic, lane.Serves(batch.RowsLane), lane.Serves(batch.LakeLane)
	d.Ranges = map[ledger.Place]ledger.Span{}
	for _, one := range ranges {
		d.Ranges[ledger.Place{Topic: of.Topic, TopicID: l.Attributes["ce-topicid"], Partition: int64(one.Partition)}] = ledger.Span{First: one.First, Next: one.Last + 1}
	}
	return d
}
