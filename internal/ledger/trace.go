package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A Trace says where one record is, hop by hop.
type Trace struct {
	Place
	Offset int64  `json:"offset"`
	State  string `json:"state"` // in one word: see states
	Text   string `json:"text"`

	Kafka       *AtKafka   `json:"kafka"` // nil where Kafka has no such topic id
	Rows        []AtRow    `json:"staging"`
	Quarantine  []AtRow    `json:"quarantine"`
	Lake        []AtObject `json:"lake"`
	DeadLetters []AtLetter `json:"dead_letters"`
	Marts       *AtMarts   `json:"marts"` // nil for what is not in staging

	Problems []Finding `json:"problems"` // what verify says of the record in the lake
}

// itself is the record's offset.
func (t *Trace) itself() Spans { return Of(Span{t.Offset, t.Offset + 1}) }

// States of a record.
const (
	InStaging    = "staging"
	InQuarantine = "quarantine"
	InDeadLetter = "dead_letter"
	StillMoving  = "in_flight"
	IsWaiting    = "waiting"
	InLakeOnly   = "only_in_lake"
	IsMissing    = "missing"
	IsNone       = "no_record" // the offset holds none: a marker, an aborted or a compacted record
	IsDeleted    = "deleted"   // from Kafka, and nowhere else
	IsUnknown    = "unknown"   // Kafka never had it
)

// AtKafka is a record in Kafka.
type AtKafka struct {
	Held      bool       `json:"held"` // Kafka holds the record
	At        *time.Time `json:"at,omitempty"`
	Key       *string    `json:"key,omitempty"`
	Bytes     int        `json:"value_bytes"`
	HandedOn  bool       `json:"handed_on"` // by the bridge, in both lanes
	Begin     int64      `json:"begin_offset"`
	End       int64      `json:"end_offset"`
	Committed int64      `json:"committed_offset"`
}

// AtRow is a row of a table; there are several when a batch was delivered more
// than once.
type AtRow struct {
	Table      string     `json:"table"`
	At         time.Time  `json:"at"`       // of the delivery
	BatchID    string     `json:"batch_id"` // the id of its CloudEvent
	ID         string     `json:"id,omitempty"`
	Station    string     `json:"station,omitempty"`
	Event      *time.Time `json:"event_at,omitempty"`
	KafkaAt    *time.Time `json:"kafka_at,omitempty"`
	Key        *string    `json:"key,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	partitions Place
	offset     int64
}

// AtObject is a Parquet object with the record.
type AtObject struct {
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
	Ranges string    `json:"ranges"`
}

// AtLetter is a dead letter with the record.
type AtLetter struct {
	ID   string `json:"id"`
	Rows bool   `json:"rows"`
	Lake bool   `json:"lake"`
}

// AtMarts says what the marts have of a record's hour.
type AtMarts struct {
	LocalHour string     `json:"local_hour"`
	Included  bool       `json:"included"` // the hour was computed from this record as well
	At        *time.Time `json:"at,omitempty"`
	Models    []string   `json:"models"`
}

// A Seek says what to trace: an offset, or every record with an id or a key.
type Seek struct {
	Place   // its topic may be "" for any, the topic id always
	Offset  int64
	ID, Key string // where either is set, Place has at most a topic

	From     time.Time // since when a row may have arrived; zero where that is not known
	InFlight time.Duration
	Location *time.Location
	Now      time.Time
	Prod     string // the dataset of the marts
	Most     int    // records
}

func (s Seek) byName() bool { return s.ID != "" || s.Key != "" }

// Find returns the traces of what is sought, the first of them when there are
// too many; more says so. tell is called with what will be read before it is;
// its error ends the work.
func Find(ctx context.Context, s Sources, seek Seek, tell func(Scan) error) (traces []*Trace, more bool, err error) {
	settled := times{settled: seek.Now.Add(-seek.InFlight)}
	r, err := s.Kafka.look(ctx, settled)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = r.end() }()
	t := tracer{Sources: s, seek: seek, reading: r}
	if !seek.byName() {
		if err := r.knows(seek.Place); err != nil {
			return nil, false, err
		}
		if err := t.start(); err != nil {
			return nil, false, err
		}
	}
	if err := t.readRows(ctx, tell); err != nil {
		return nil, false, err
	}
	found := t.traces()
	if more = len(found) > seek.Most; more {
		found = found[:seek.Most]
	}
	var letters []DeadLetter
	if s.DeadLetters != nil && len(found) > 0 {
		if letters, err = s.DeadLetters(ctx); err != nil {
			return nil, false, err
		}
	}
	for _, one := range found {
		if err := t.follow(ctx, one, letters); err != nil {
			return nil, false, err
		}
	}
	return found, more, nil
}

// accepted reports whether a row of the quarantine says that the record left it.
func (r AtRow) accepted() bool { return r.Reason == string(event.Accepted) }

// judge says in a word and in a sentence where the record is.
func (t *tracer) judge(one *Trace, extent *Extent) (state, text string) {
	buried := slices.IndexFunc(one.DeadLetters, func(l AtLetter) bool { return l.Rows })
	switch {
	case len(one.Rows) > 0:
		return InStaging, "it is in staging"
	case len(one.Quarantine) > 0 && !slices.ContainsFunc(one.Quarantine, AtRow.accepted):
		return InQuarantine, "it is in quarantine: " + one.Quarantine[0].Reason
	case buried >= 0:
		return InDeadLetter, "it is in a dead letter. " + fmt.Sprintf(sendAgain, one.DeadLetters[buried].ID)
	case len(one.Lake) > 0:
		return InLakeOnly, "it is in the lake, and neither in staging nor in quarantine. " + fromLake(one.Place, names(one.Lake))
	case extent == nil:
		return IsUnknown, "Kafka has no such topic id or partition, and no table has the record"
	case one.Offset < extent.Begin:
		return IsDeleted, fmt.Sprintf("Kafka holds offsets from %d on, and nothing else has the record", extent.Begin)
	case one.Offset >= extent.End:
		return IsUnknown, fmt.Sprintf("Kafka has not come to this offset: the next one is %d", extent.End)
	case one.Offset >= extent.Stable:
		return StillMoving, "it waits for the end of a transaction"
	case one.Kafka != nil && !one.Kafka.Held:
		return IsNone, "the offset holds no record: the marker of a transaction, an aborted or a compacted record"
	case one.Offset >= extent.Settled:
		return StillMoving, "it is in flight"
	case one.Offset >= extent.Committed:
		return IsWaiting, "it waits in Kafka: the bridge has not handed it on. " + seeBridge
	}
	return IsMissing, "it is in Kafka, and in no table, object or dead letter. " + fromKafka(one.Place, one.itself())
}

func names(objects []AtObject) (all []string) {
	for _, object := range objects {
		all = append(all, object.Name)
	}
	return all
}
