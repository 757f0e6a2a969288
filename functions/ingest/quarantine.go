package ingest

import (
	"context"
	"fmt"
	"strings"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake"
)

// A rejection is a record that goes to quarantine.
type rejection struct {
	record int // its index in the batch
	reason event.Reason
	detail string
}

// Limits of a quarantine row, and of a record that may become a staging row:
// with the other columns both stay below maxRequestBytes. A staging row is
// never larger than the JSON it came from plus the columns of its origin.
const (
	maxRecordBytes = maxRequestBytes - 64<<10 // of key and value together
	maxKeyBytes    = 64 << 10                 // of a key, when its value is too large
	maxDetailBytes = 4 << 10
)

// quarantine makes the rejected records durable with their bytes, in the
// quarantine table or, without a warehouse, in a Parquet object with the
// table's columns; what is too large for a row goes to the lake first. A row
// that the warehouse refuses even here is an error: the delivery then fails,
// and the batch ends in the dead letter with all its bytes.
func (f *Function) quarantine(ctx context.Context, b *batch.Batch, rejections []rejection) error {
	if len(rejections) == 0 {
		return nil
	}
	refused, err := f.quarantineRows(ctx, b, rejections)
	if err != nil {
		return err
	}
	if f.config.LakeOnly {
		_, err := f.archiveRows(ctx, target{f.quarantined, lake.QuarantineBatch, f.allQuarantined}, b, lake.Digest(b), refused)
		return err
	}
	refusals, err := f.appendRows(ctx, f.quarantined.stream, refused)
	if err != nil {
		return err
	}
	if len(refusals) > 0 {
		first := b.Records[rejections[refusals[0].row].record].Offset
		return &unstorable{fmt.Sprintf("quarantining: the warehouse refuses %d rows, first that of offset %d: %s",
			len(refusals), first, refusals[0].detail)}
	}
	return nil
}

func (f *Function) quarantineRows(ctx context.Context, b *batch.Batch, rejections []rejection) (rows, error) {
	width := f.quarantined.width
	values := make([]event.Value, 0, len(rejections)*width)
	refused := rows{shared: f.quarantined.shared(b), own: make([]event.Row, 0, len(rejections))}
	for i := range rejections {
		var err error
		if values, err = f.appendQuarantined(ctx, values, b, &rejections[i]); err != nil {
			return rows{}, err
		}
		refused.own = append(refused.own, values[i*width:(i+1)*width])
	}
	return refused, nil
}

// allQuarantined returns the rows of all records of the batch, as if each were
// refused.
func (f *Function) allQuarantined(ctx context.Context, b *batch.Batch) (rows, error) {
	rejections := make([]rejection, len(b.Records))
	for i := range rejections {
		rejections[i].record = i
	}
	return f.quarantineRows(ctx, b, rejections)
}

// appendQuarantined adds the values that a row does not share, in the order of
// event.QuarantineColumns.
func (f *Function) appendQuarantined(ctx context.Context, values []event.Value, b *batch.Batch, r *rejection) ([]event.Value, error) {
	record := &b.Records[r.record]
	key, value, detail, err := f.offload(ctx, b, record, r.detail)
	if err != nil {
		return nil, err
	}
	values = appendCoordinates(values, record)
	return append(values, bytesOrNull(key), bytesOrNull(value),
		event.StringValue([]byte(r.reason)), event.StringValue([]byte(clean(detail))), event.Value{}), nil
}

// offload returns what of the record goes into its quarantine row. Bytes that
// do not fit are made durable in the lake and named in the detail.
func (f *Function) offload(ctx context.Context, b *batch.Batch, record *batch.Record, detail string) (key, value []byte, newDetail string, err error) {
	key, value = record.Key, record.Value
	if len(key)+len(value) <= maxRecordBytes {
		return key, value, detail, nil
	}
	if len(value) > 0 {
		name := lake.QuarantineObject(b.Topic, b.TopicID, b.Partition, record.Offset)
		if detail, err = f.setAside(ctx, b, record, name, value); err != nil {
			return nil, nil, "", err
		}
		value = nil
	}
	if len(key) > maxKeyBytes {
		name := lake.QuarantineKeyObject(b.Topic, b.TopicID, b.Partition, record.Offset)
		uri, err := f.setAside(ctx, b, record, name, key)
		if err != nil {
			return nil, nil, "", err
		}
		key, detail = nil, strings.TrimPrefix(detail+" key: "+uri, " ")
	}
	return key, value, detail, nil
}

// whereAside says where the bridge has put what was too large for a batch.
func whereAside(r *batch.Record) string {
	detail := r.ValueURI
	for _, part := range []struct{ name, header string }{{"key", batch.HeaderKeyURI}, {"headers", batch.HeaderHeadersURI}} {
		if uri := r.Header(part.header); uri != nil {
			detail += " " + part.name + ": " + string(uri)
		}
	}
	return detail
}

// setAside makes bytes of a record durable in the lake and returns their URI.
func (f *Function) setAside(ctx context.Context, b *batch.Batch, record *batch.Record, name string, data []byte) (string, error) {
	alone := *b
	alone.Records = []batch.Record{*record}
	_, err := f.create(ctx, lake.Object{Name: name, Digest: lake.Digest(&alone), Data: data})
	return lake.URI(f.config.Bucket, name), err
}

// clean makes a detail fit for a STRING column: valid UTF-8 of bounded length.
func clean(detail string) string {
	if len(detail) > maxDetailBytes {
		detail = detail[:maxDetailBytes] + "…"
	}
	return strings.ToValidUTF8(detail, "\uFFFD")
}
