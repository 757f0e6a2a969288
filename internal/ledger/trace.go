package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/lake"
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

type tracer struct {
	Sources
	seek    Seek
	reading *reading
	record  *kafka.Record // of the offset that is sought, when Kafka holds it
	rows    []AtRow
}

// start looks the offset up in Kafka. The record's timestamp bounds what is
// read of the tables.
func (t *tracer) start() (err error) {
	for place, extent := range t.reading.extents {
		if place.Topic != t.seek.Topic || place.Partition != t.seek.Partition {
			continue
		}
		if t.seek.TopicID == "" {
			t.seek.TopicID = place.TopicID
		}
		if place == t.seek.Place && extent.Begin <= t.seek.Offset && t.seek.Offset < extent.Stable {
			t.record, err = kafka.Read(t.reading.client, place.at(), t.seek.Offset)
		}
	}
	if t.record != nil && t.seek.From.IsZero() && t.record.At.Before(t.seek.Now) && t.record.At.Year() >= 2020 {
		t.seek.From = t.record.At.Add(-slack)
	}
	return err
}

// rowSQL chooses the rows of one table.
func (t *tracer) query(table string) *bigquery.Query {
	conditions := []string{}
	if t.seek.byName() {
		names := []string{}
		for _, name := range []string{t.seek.ID, t.seek.Key} {
			key := "kafka_key"
			if table == QuarantineTable {
				key = "key"
			}
			if name != "" && (name == t.seek.Key || table == QuarantineTable) { // a record's key is its id
				names = append(names, fmt.Sprintf("%s = from_hex('%s')", key, hex.EncodeToString([]byte(name))))
			}
		}
		if t.seek.ID != "" && table != QuarantineTable {
			names = append(names, "id = "+bqconfig.Quoted(t.seek.ID))
		}
		conditions = append(conditions, "("+strings.Join(names, " or ")+")")
		if t.seek.Topic != "" {
			conditions = append(conditions, "kafka_topic = "+bqconfig.Quoted(t.seek.Topic))
		}
	} else {
		conditions = append(conditions, fmt.Sprintf("kafka_topic = %s and kafka_topic_id = %s and kafka_partition = %d and kafka_offset = %d",
			bqconfig.Quoted(t.seek.Topic), bqconfig.Quoted(t.seek.TopicID), t.seek.Partition, t.seek.Offset))
	}
	where := arrived{from: t.seek.From}.filter()
	columns := "id, station, timestamp as event_at, kafka_key as name_key, cast(null as string) as reason, cast(null as string) as detail"
	if table == QuarantineTable {
		columns = "cast(null as string) as id, cast(null as string) as station, cast(null as timestamp) as event_at, key as name_key, reason, detail"
	}
	q := t.Warehouse.Client.Query(fmt.Sprintf(`select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, kafka_timestamp, ingested_at, batch_id,
  %s
from %s%s
  and %s
order by ingested_at
limit %d`, columns, "`"+t.Warehouse.Dataset+"."+table+"`", where, strings.Join(conditions, " and "), 100*t.seek.Most))
	q.Labels = labels
	return q
}

type tracedRow struct {
	Topic     string                 `bigquery:"kafka_topic"`
	TopicID   string                 `bigquery:"kafka_topic_id"`
	Partition int64                  `bigquery:"kafka_partition"`
	Offset    int64                  `bigquery:"kafka_offset"`
	KafkaAt   bigquery.NullTimestamp `bigquery:"kafka_timestamp"`
	At        time.Time              `bigquery:"ingested_at"`
	BatchID   bigquery.NullString    `bigquery:"batch_id"`
	ID        bigquery.NullString    `bigquery:"id"`
	Station   bigquery.NullString    `bigquery:"station"`
	Event     bigquery.NullTimestamp `bigquery:"event_at"`
	Key       []byte                 `bigquery:"name_key"`
	Reason    bigquery.NullString    `bigquery:"reason"`
	Detail    bigquery.NullString    `bigquery:"detail"`
}

// readRows reads the rows of what is sought from every table that may have it.
func (t *tracer) readRows(ctx context.Context, tell func(Scan) error) error {
	if t.Warehouse == nil {
		return tell(Scan{})
	}
	tables := t.Warehouse.Tables
	if t.seek.Topic != "" {
		tables = slices.DeleteFunc(slices.Clone(tables), func(table string) bool { return table != t.seek.Topic && table != QuarantineTable })
	}
	var sum Scan
	for _, table := range tables {
		bytes, err := scan.Bytes(ctx, t.query(table))
		if err != nil {
			return fmt.Errorf("asking how much of %s.%s would be read: %w", t.Warehouse.Dataset, table, err)
		}
		sum.BigQueryBytes += bytes
	}
	if err := tell(sum); err != nil {
		return err
	}
	found := make([][]AtRow, len(tables))
	group, ctx := errgroup.WithContext(ctx)
	for i, table := range tables {
		group.Go(func() error {
			for r, err := range scan.Rows[tracedRow](ctx, scan.Limits{}, t.query(table)) {
				if err != nil {
					return fmt.Errorf("looking for the record in %s.%s: %w", t.Warehouse.Dataset, table, err)
				}
				found[i] = append(found[i], r.row(table))
			}
			return nil
		})
	}
	err := group.Wait()
	t.rows = slices.Concat(found...)
	return err
}

func (r *tracedRow) row(table string) AtRow {
	row := AtRow{Table: table, At: r.At.UTC(), BatchID: r.BatchID.StringVal, ID: r.ID.StringVal, Station: r.Station.StringVal,
		Reason: r.Reason.StringVal, Detail: r.Detail.StringVal, partitions: Place{r.Topic, r.TopicID, r.Partition}, offset: r.Offset}
	if r.Key != nil {
		key := strings.ToValidUTF8(string(r.Key), "\uFFFD")
		row.Key = &key
	}
	if r.Event.Valid {
		row.Event = moment(r.Event.Timestamp)
	}
	if r.KafkaAt.Valid {
		row.KafkaAt = moment(r.KafkaAt.Timestamp)
	}
	return row
}

// traces begins one for each record, in the order of arrival.
func (t *tracer) traces() (all []*Trace) {
	at := func(place Place, offset int64) *Trace {
		for _, one := range all {
			if one.Place == place && one.Offset == offset {
				return one
			}
		}
		one := &Trace{Place: place, Offset: offset, Rows: []AtRow{}, Quarantine: []AtRow{}, Lake: []AtObject{}, DeadLetters: []AtLetter{}, Problems: []Finding{}}
		all = append(all, one)
		return one
	}
	if !t.seek.byName() {
		at(t.seek.Place, t.seek.Offset)
	}
	slices.SortStableFunc(t.rows, func(a, b AtRow) int { return a.At.Compare(b.At) })
	for _, row := range t.rows {
		one := at(row.partitions, row.offset)
		if row.Table == QuarantineTable {
			one.Quarantine = append(one.Quarantine, row)
		} else {
			one.Rows = append(one.Rows, row)
		}
	}
	return all
}

// follow fills in what the other hops have of a record.
func (t *tracer) follow(ctx context.Context, one *Trace, letters []DeadLetter) (err error) {
	extent := t.reading.extents[one.Place]
	if extent != nil {
		if one.Kafka, err = t.atKafka(one, extent); err != nil {
			return err
		}
	}
	for _, l := range letters {
		if span, ok := l.Ranges[one.Place]; ok && span.First <= one.Offset && one.Offset < span.Next {
			one.DeadLetters = append(one.DeadLetters, AtLetter{l.ID, l.Rows, l.Lake})
		}
	}
	if t.Lake != nil {
		if one.Lake, err = t.atLake(ctx, one); err != nil {
			return err
		}
		if err = t.lacking(ctx, one, extent); err != nil {
			return err
		}
	}
	if len(one.Rows) > 0 && t.Warehouse != nil {
		if one.Marts, err = t.atMarts(ctx, one); err != nil {
			return err
		}
	}
	one.State, one.Text = t.judge(one, extent)
	return nil
}

func (t *tracer) atKafka(one *Trace, extent *Extent) (*AtKafka, error) {
	at := &AtKafka{Begin: extent.Begin, End: extent.End, Committed: extent.Committed, HandedOn: one.Offset < extent.Committed}
	record := t.record
	if t.seek.byName() && extent.Begin <= one.Offset && one.Offset < extent.Stable {
		var err error
		if record, err = kafka.Read(t.reading.client, one.at(), one.Offset); err != nil {
			return nil, err
		}
	}
	if record == nil {
		return at, nil
	}
	at.Held, at.Bytes = true, len(record.Value)
	if !record.At.IsZero() {
		at.At = moment(record.At)
	}
	if record.Key != nil {
		key := strings.ToValidUTF8(string(record.Key), "\uFFFD")
		at.Key = &key
	}
	return at, nil
}

// atLake finds the objects with the record: their metadata names the ranges of
// their batch, and of those with the record's offset the contents are read.
func (t *tracer) atLake(ctx context.Context, one *Trace) ([]AtObject, error) {
	found := []AtObject{}
	var in arrived
	if one.Kafka != nil && one.Kafka.At != nil && one.Kafka.At.Before(t.seek.Now) {
		in.from = one.Kafka.At.Add(-slack)
	}
	l := *t.Lake
	l.Topics = []string{one.Topic}
	var days time.Time
	if len(one.Rows) > 0 && one.Rows[0].Event != nil {
		days = *one.Rows[0].Event
	}
	objects, err := l.list(ctx, in, days)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if !object.mayHave(one) || !days.IsZero() && !strings.Contains(object.Name, lake.DayFolder(days)) {
			continue
		}
		f, err := l.readObject(ctx, object)
		if err != nil {
			return nil, err
		}
		if f.broken != "" {
			one.Problems = append(one.Problems, badObject(f.object, f.broken))
		}
		if len(f.spans[one.Place].And(one.itself())) > 0 {
			found = append(found, AtObject{object.Name, object.Created.UTC(), object.Ranges})
			if err := t.compare(ctx, one, object); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// lacking adds that the lake does not have the record, neither in a file nor as
// bytes, and whether it is late.
func (t *tracer) lacking(ctx context.Context, one *Trace, extent *Extent) error {
	if len(one.Rows) == 0 || len(one.Lake)+len(one.Problems) > 0 {
		return nil
	}
	offsets := one.itself()
	aside, err := t.Lake.aside(ctx, one.Place)
	if err != nil || len(aside.And(offsets)) > 0 {
		return err
	}
	f := of(NotInLake, one.Place, offsets, "in staging and not in the lake", intoLake(one.Place, offsets))
	switch {
	case extent == nil:
	case one.Offset >= extent.Committed:
		f = of(InFlight, one.Place, offsets, "the bridge has not handed it on for the lake", "")
	case one.Offset >= extent.Settled:
		f = of(InFlight, one.Place, offsets, "it may be on its way, being younger than --in-flight",
			replayKafka("If it does not come, send it again from Kafka", one.Topic, one.Partition, one.Offset, one.Offset))
	}
	one.Problems = append(one.Problems, f)
	return nil
}

// mayHave reports whether the record is within the ranges of the object's
// batch, or those are not known.
func (o Object) mayHave(one *Trace) bool {
	_, prefix, ok := lake.ParseRaw(o.Name)
	if !ok || !strings.HasPrefix(one.TopicID, prefix) {
		return false
	}
	ranges, err := batch.ParseRanges(o.Ranges)
	return err != nil || slices.ContainsFunc(ranges, func(r batch.Range) bool {
		return int64(r.Partition) == one.Partition && r.First <= one.Offset && one.Offset <= r.Last
	})
}

// atMarts asks whether the record's hour was computed since it arrived.
func (t *tracer) atMarts(ctx context.Context, one *Trace) (*AtMarts, error) {
	models, err := Marts(one.Topic)
	if err != nil {
		return nil, err
	}
	m := &AtMarts{Models: models}
	row := one.Rows[0]
	if row.Event == nil {
		return m, nil
	}
	local := row.Event.In(t.seek.Location)
	m.LocalHour = local.Format("2006-01-02T15:00")
	q := t.Warehouse.Client.Query(fmt.Sprintf(`select max(latest_ingested_at) as latest, max(computed_at) as computed
from %s
where row_kind = 'hour' and local_date = date '%s' and local_hour = datetime '%s' and topic = %s and station = %s`,
		"`"+t.seek.Prod+".station_hours`", local.Format(time.DateOnly), local.Format("2006-01-02 15:00:00"), bqconfig.Quoted(one.Topic), bqconfig.Quoted(row.Station)))
	q.Labels = labels
	type hour struct {
		Latest   bigquery.NullTimestamp `bigquery:"latest"`
		Computed bigquery.NullTimestamp `bigquery:"computed"`
	}
	for r, err := range scan.Rows[hour](ctx, scan.Limits{}, q) {
		if err != nil {
			return nil, fmt.Errorf("asking %s.station_hours for the record's hour: %w", t.seek.Prod, err)
		}
		if m.Included = r.Latest.Valid && !r.Latest.Timestamp.Before(row.At); m.Included {
			m.At = moment(r.Computed.Timestamp)
		}
	}
	return m, nil
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
