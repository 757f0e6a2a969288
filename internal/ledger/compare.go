package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/lake"
)

// compare adds which values of a record differ between staging and the object, as
// verify --values finds them. One row of staging like the object is enough: of
// several copies some may have been read by another program.
func (t *tracer) compare(ctx context.Context, one *Trace, object Object) error {
	schema, known := event.SchemaOf(one.Topic)
	if !known || t.Warehouse == nil || len(one.Rows) == 0 {
		return nil
	}
	columns := printed(schema)
	filed, err := t.Lake.text(ctx, object, columns, one)
	if err != nil || filed == "" {
		return err
	}
	q := t.Warehouse.Client.Query(fmt.Sprintf("select %s as text\nfrom `%s.%s`%s\n  and kafka_topic_id = %s and kafka_partition = %d and kafka_offset = %d\norder by ingested_at",
		textSQL(columns), t.Warehouse.Dataset, schema.Topic, arrived{from: t.seek.From}.filter(), bqconfig.Quoted(one.TopicID), one.Partition, one.Offset))
	q.Labels = labels
	type row struct {
		Text string `bigquery:"text"`
	}
	var staged []string
	for r, err := range scan.Rows[row](ctx, scan.Limits{}, q) {
		if err != nil {
			return fmt.Errorf("reading the record's values in %s.%s: %w", t.Warehouse.Dataset, schema.Topic, err)
		}
		staged = append(staged, r.Text)
	}
	if len(staged) == 0 || slices.Contains(staged, filed) {
		return nil
	}
	if said := differences(columns, staged[0], filed); said != "" {
		one.Problems = append(one.Problems, of(Different, one.Place, one.itself(), "other values in the lake than in staging: "+said, ""))
	}
	return nil
}

// text is that of the record's values in an object; "" where it cannot be read,
// or has no such record.
func (l *Lake) text(ctx context.Context, object Object, columns []event.Column, one *Trace) (found string, err error) {
	var text []byte
	_ = readRows(lake.NewBlocks(ctx, l.Bucket.Object(object.Name), object.Size), object.Size, coordinateColumns, namesOf(columns), func(row []parquet.Value) {
		at := Place{string(row[0].ByteArray()), string(row[1].ByteArray()), row[2].Int64()}
		if at == one.Place && row[3].Int64() == one.Offset {
			_, text = print(columns, row[4:], text)
			found = string(text)
		}
	})
	return found, ctx.Err()
}

// differences names the columns whose values differ, with both.
func differences(columns []event.Column, staged, filed string) string {
	var said []string
	here, there := strings.Split(staged, separator), strings.Split(filed, separator)
	for i, c := range columns {
		if i < len(here) && i < len(there) && here[i] != there[i] {
			said = append(said, fmt.Sprintf("%s is %s in staging and %s in the lake", c.Name, shown(c, here[i]), shown(c, there[i])))
		}
	}
	return strings.Join(said, ", ")
}

// shown writes the text of a value for a person.
func shown(c event.Column, text string) string {
	if text == null {
		return "null"
	}
	micros, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil && c.Type == event.Timestamp:
		return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
	case err == nil && c.Type == event.Float64:
		return strconv.FormatFloat(float64(micros)/1e6, 'f', -1, 64)
	case c.Type == event.String:
		return strconv.Quote(text)
	}
	return text
}
