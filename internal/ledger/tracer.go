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
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/lake"
)

// A tracer finds one record, or the few with one id or key, in all places.
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
