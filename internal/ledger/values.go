package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/dgryski/go-farm"
	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/lake"
)

// ValueBytes is how large the objects of a topic may be together so that their
// values are compared: each record takes some 60 bytes of memory.
const ValueBytes = 256 << 20

// A copied is one copy of a record: when it arrived, in microseconds, and the fingerprint
// of its values: FARM_FINGERPRINT of their texts, which BigQuery and this program
// write alike.
type copied struct{ arrived, print int64 }

// prints are those of records, by offset: of several copies that of the earliest,
// which is the one that readers see and that merged files keep. Another program,
// or other settings, may have read a later one otherwise.
type prints map[Place]map[int64]copied

func (p prints) add(place Place, offset int64, one copied) {
	if p[place] == nil {
		p[place] = map[int64]copied{}
	}
	if known, is := p[place][offset]; !is || one.before(known) {
		p[place][offset] = one
	}
}

// before orders copies as earliestSQL does.
func (c copied) before(other copied) bool {
	return cmp.Or(cmp.Compare(c.arrived, other.arrived), strings.Compare(strconv.FormatInt(c.print, 10), strconv.FormatInt(other.print, 10))) < 0
}

// earliestSQL is the fingerprint of the earliest copy: 20 digits of when it arrived
// go before each, and are taken away.
const earliestSQL = "cast(substr(min(concat(format('%%020d', ifnull(unix_micros(ingested_at), 0)), cast(%s as string))), 21) as int64)"

// printed are the columns that are compared: what the producer wrote, and Kafka's
// timestamp. What came later to all tables may be lacking in old rows.
func printed(schema *event.Schema) (columns []event.Column) {
	for _, c := range schema.StagingColumns() {
		switch c.Name {
		case "kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset", "ingested_at", "batch_id", "kafka_key", "schema_id":
		default:
			columns = append(columns, c)
		}
	}
	return columns
}

func namesOf(columns []event.Column) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// What stands in a print between two values, and for one that is NULL.
const separator, null = "\x1f", "\x1e"

// mostMicro is how large a number may be whose millionths are compared.
const mostMicro = 9e12

// printSQL is the fingerprint of a row.
func printSQL(columns []event.Column) string { return "farm_fingerprint(" + textSQL(columns) + ")" }

// textSQL is the text of a row.
func textSQL(columns []event.Column) string {
	var all []string
	for _, c := range columns {
		text := map[event.Type]string{
			event.String:    "`%s`",
			event.Int64:     "cast(`%s` as string)",
			event.Float64:   "cast(cast(round(if(abs(`%[1]s`) < 9e12, `%[1]s`, null) * 1000000) as int64) as string)",
			event.Timestamp: "cast(unix_micros(`%s`) as string)",
		}[c.Type]
		all = append(all, fmt.Sprintf("ifnull("+text+`, '\x1e')`, c.Name))
	}
	return "concat(" + strings.Join(all, `, '\x1f', `) + ")"
}

// print is the fingerprint of a row of a Parquet file.
func print(columns []event.Column, row []parquet.Value, text []byte) (int64, []byte) {
	text = text[:0]
	for i, c := range columns {
		if i > 0 {
			text = append(text, separator...)
		}
		switch v := row[i]; {
		case v.IsNull():
			text = append(text, null...)
		case c.Type == event.String:
			text = append(text, v.ByteArray()...)
		case c.Type != event.Float64:
			text = strconv.AppendInt(text, v.Int64(), 10)
		case math.Abs(v.Double()) < mostMicro:
			text = strconv.AppendInt(text, int64(math.Round(v.Double()*1_000_000)), 10)
		default:
			text = append(text, null...)
		}
	}
	return int64(farm.Fingerprint64(text)), text
}

// bucketOffsets is how many offsets share a checksum.
const bucketOffsets = 1000

// A bucket is offsets of a place from bucketOffsets * number on.
type bucket struct {
	place  Place
	number int64
}

// sums are the checksums of the buckets, and how many records each has.
func (p prints) sums() map[bucket][2]int64 {
	all := map[bucket][2]int64{}
	for place, records := range p {
		for offset, one := range records {
			at := bucket{place, offset / bucketOffsets}
			sum := all[at]
			all[at] = [2]int64{sum[0] ^ one.print, sum[1] + 1}
		}
	}
	return all
}

// valuesQuery asks for the checksums of a topic's buckets.
func (w *Warehouse) valuesQuery(schema *event.Schema, in arrived) *bigquery.Query {
	q := w.Client.Query(fmt.Sprintf(`select kafka_topic, kafka_topic_id, kafka_partition, div(kafka_offset, %d) as bucket, bit_xor(print) as sum, count(*) as records
from (%s)
group by kafka_topic, kafka_topic_id, kafka_partition, bucket`, bucketOffsets, w.printsSQL(schema, in.where())))
	q.Labels = labels
	return q
}

func (w *Warehouse) printsSQL(schema *event.Schema, where string) string {
	return fmt.Sprintf("select kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, "+earliestSQL+" as print from `%s.%s`%s "+
		"group by kafka_topic, kafka_topic_id, kafka_partition, kafka_offset", printSQL(printed(schema)), w.Dataset, schema.Topic, where)
}

// sums reads the checksums of a topic's table.
func (w *Warehouse) sums(ctx context.Context, schema *event.Schema, in arrived) (map[bucket][2]int64, error) {
	type row struct {
		Topic     bigquery.NullString `bigquery:"kafka_topic"`
		TopicID   bigquery.NullString `bigquery:"kafka_topic_id"`
		Partition bigquery.NullInt64  `bigquery:"kafka_partition"`
		Bucket    bigquery.NullInt64  `bigquery:"bucket"`
		Sum       int64               `bigquery:"sum"`
		Records   int64               `bigquery:"records"`
	}
	all := map[bucket][2]int64{}
	for r, err := range scan.Rows[row](ctx, scan.Limits{}, w.valuesQuery(schema, in)) {
		if err != nil {
			return nil, fmt.Errorf("reading checksums of %s.%s: %w", w.Dataset, schema.Topic, err)
		}
		all[bucket{Place{r.Topic.StringVal, r.TopicID.StringVal, r.Partition.Int64}, r.Bucket.Int64}] = [2]int64{r.Sum, r.Records}
	}
	return all, nil
}

// mostBuckets is how many buckets of a topic are looked at record by record.
const mostBuckets = 200

// prints reads the fingerprints of the records of some buckets.
func (w *Warehouse) prints(ctx context.Context, schema *event.Schema, in arrived, buckets []bucket) (prints, error) {
	var chosen []string
	for _, b := range buckets {
		chosen = append(chosen, fmt.Sprintf("kafka_partition = %d and kafka_offset >= %d and kafka_offset < %d", b.place.Partition, b.number*bucketOffsets, (b.number+1)*bucketOffsets))
	}
	type row struct {
		Topic     string `bigquery:"kafka_topic"`
		TopicID   string `bigquery:"kafka_topic_id"`
		Partition int64  `bigquery:"kafka_partition"`
		Offset    int64  `bigquery:"kafka_offset"`
		Print     int64  `bigquery:"print"`
	}
	q := w.Client.Query(w.printsSQL(schema, in.filter()+" and ("+strings.Join(chosen, " or ")+")"))
	q.Labels = labels
	all := prints{}
	for r, err := range scan.Rows[row](ctx, scan.Limits{}, q) {
		if err != nil {
			return nil, fmt.Errorf("reading fingerprints of %s.%s: %w", w.Dataset, schema.Topic, err)
		}
		all.add(Place{r.Topic, r.TopicID, r.Partition}, r.Offset, copied{print: r.Print})
	}
	return all, nil
}

// A damaged object is one of which some values cannot be read.
type damaged struct {
	Object
	why error
}

// prints reads the fingerprints of the records that objects of a topic hold, and
// says which objects are damaged. The error is an outage's.
func (l *Lake) prints(ctx context.Context, schema *event.Schema, objects []Object) (prints, []damaged, error) {
	columns := printed(schema)
	names := namesOf(columns)
	known := append(slices.Clone(coordinateColumns), "ingested_at")
	found, faults := make([]prints, len(objects)), make([]error, len(objects))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, object := range objects {
		group.Go(func() error {
			var text []byte
			some := prints{}
			err := readRows(lake.NewBlocks(reading, l.Bucket.Object(object.Name), object.Size), object.Size, known, names, func(row []parquet.Value) {
				one := copied{arrived: row[4].Int64()}
				one.print, text = print(columns, row[5:], text)
				some.add(Place{string(row[0].ByteArray()), string(row[1].ByteArray()), row[2].Int64()}, row[3].Int64(), one)
			})
			if err == nil {
				found[i] = some
				return nil
			}
			if reading.Err() != nil || lake.IsOutage(err) && !errors.Is(err, storage.ErrObjectNotExist) {
				return fmt.Errorf("reading object %s: %w", object.Name, err)
			}
			faults[i] = err
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	all := prints{}
	var broken []damaged
	for i, some := range found {
		if faults[i] != nil {
			broken = append(broken, damaged{objects[i], faults[i]})
		}
		for place, records := range some {
			for offset, one := range records {
				all.add(place, offset, one)
			}
		}
	}
	return all, broken, nil
}

// compareValues compares what lake and staging hold of the records that both
// have, topic by topic.
func (c *Check) compareValues(ctx context.Context, report *Report) error {
	j := &judge{}
	for _, topic := range c.sources.Lake.Topics {
		if err := c.compareTopic(ctx, topic, j); err != nil {
			return err
		}
	}
	known := func(f Finding) bool { // by what was read to find out which records an object has
		return f.Kind == BadObject && slices.ContainsFunc(report.Problems, func(p Finding) bool { return p.Kind == BadObject && p.In == f.In })
	}
	report.Problems, report.Notes = append(report.Problems, slices.DeleteFunc(j.problems, known)...), append(report.Notes, j.notes...)
	sortFindings(report.Problems)
	report.Complete = len(report.Problems) == 0
	return nil
}

// mostNamed is how many records a text names.
const mostNamed = 5

// recordsOf names records, the first of them where there are many.
func recordsOf(place Place, offsets Spans) string {
	var named []string
	for _, span := range offsets {
		for offset := span.First; offset < span.Next; offset++ {
			if len(named) == mostNamed {
				return fmt.Sprintf("%s and %d more", strings.Join(named, ", "), offsets.Count()-mostNamed)
			}
			named = append(named, fmt.Sprintf("%s/%d", place, offset))
		}
	}
	return strings.Join(named, ", ")
}

// covers reports whether an offset is not before the period. Of a record that is,
// only copies that came by a replay may have been read.
func (c *Check) covers(place Place, offset int64) bool {
	e := c.kafka.extents[place]
	return c.options.From.IsZero() || e == nil || offset >= e.From
}

func (c *Check) compareTopic(ctx context.Context, topic string, j *judge) error {
	schema, known := event.SchemaOf(topic)
	objects := slices.DeleteFunc(slices.Clone(c.objects), func(o Object) bool { return o.Topic != topic })
	switch {
	case !known || len(objects) == 0:
		return nil
	case size(objects) > ValueBytes:
		j.notes = append(j.notes, Finding{Kind: NotCompared, Text: fmt.Sprintf("the %d objects of %s have %s: values are compared up to %s, so name a shorter period",
			len(objects), topic, Size(size(objects)), Size(ValueBytes))})
		return nil
	}
	sums, err := c.sources.Warehouse.sums(ctx, schema, c.in)
	if err != nil {
		return err
	}
	filed, broken, err := c.sources.Lake.prints(ctx, schema, objects)
	if err != nil {
		return fmt.Errorf("reading values of %s in the lake: %w", topic, err)
	}
	for _, one := range broken {
		j.bad(one.Object, "its values cannot be read: "+one.why.Error())
	}
	var differing []bucket
	for at, sum := range filed.sums() {
		if staged, is := sums[at]; is && staged != sum && c.covers(at.place, (at.number+1)*bucketOffsets-1) {
			differing = append(differing, at)
		}
	}
	if len(differing) == 0 {
		return nil
	}
	slices.SortFunc(differing, func(a, b bucket) int {
		if order := compare(a.place, b.place); order != 0 {
			return order
		}
		return int(a.number - b.number)
	})
	if len(differing) > mostBuckets {
		j.notes = append(j.notes, Finding{Kind: NotCompared, Text: fmt.Sprintf("lake and staging differ in %d ranges of %d offsets of %s: the first %d were compared record by record",
			len(differing), bucketOffsets, topic, mostBuckets)})
		differing = differing[:mostBuckets]
	}
	staged, err := c.sources.Warehouse.prints(ctx, schema, c.in, differing)
	if err != nil {
		return err
	}
	for _, place := range slices.SortedFunc(maps.Keys(staged), compare) {
		var offsets []int64
		for offset, one := range staged[place] {
			if other, is := filed[place][offset]; is && other.print != one.print && c.covers(place, offset) {
				offsets = append(offsets, offset)
			}
		}
		slices.Sort(offsets)
		differing := Offsets(offsets)
		j.problem(Different, place, differing, "", "with other values in the lake than in staging: "+recordsOf(place, differing), remedy(compareBoth, place, differing))
	}
	return nil
}
