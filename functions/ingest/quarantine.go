package ingest

import (
	"context"
	"fmt"
	"strings"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/values"
)

// Limits of a quarantine row besides rows.MaxRecordBytes, in bytes.
const (
	maxKeyBytes    = 64 << 10 // of a key whose value is too large for a row
	maxDetailBytes = 4 << 10
)

// quarantine makes the rejected records durable with their bytes, as rows of
// the quarantine; what is too large for a row goes to the lake first. A row
// that the sink refuses even here is an error: the delivery then fails, and
// the batch ends in the dead letter with all its bytes.
func (f *Function) quarantine(ctx context.Context, b *batch.Batch, rejections []rejection) error {
	if len(rejections) == 0 {
		return nil
	}
	refused, err := f.quarantineRows(ctx, b, rejections)
	if err != nil {
		return err
	}
	keeper := f.sinks.ofQuarantine()
	stored, err := keeper.store(ctx, &rows.Batch{Batch: b, Table: f.quarantined, Set: refused, All: f.allQuarantined})
	if err != nil {
		return err
	}
	if len(stored.Refused) > 0 {
		first := stored.Refused[0]
		record := &b.Records[rejections[first.Row].record]
		failed := &unstorable{partitions: make(map[int32]bool), detail: fmt.Sprintf("quarantining: the %s refuses %d rows, first that of partition %d, offset %d: %s",
			keeper.name, len(stored.Refused), record.Partition, record.Offset, first.Detail)}
		for _, r := range stored.Refused {
			failed.partitions[b.Records[rejections[r.Row].record].Partition] = true
		}
		return failed
	}
	return nil
}

func (f *Function) quarantineRows(ctx context.Context, b *batch.Batch, rejections []rejection) (rows.Set, error) {
	width := f.quarantined.Width
	all := make([]event.Value, 0, len(rejections)*width)
	refused := rows.Set{Shared: f.quarantined.Shared(b), Own: make([]event.Row, 0, len(rejections))}
	for i := range rejections {
		var err error
		if all, err = f.appendQuarantined(ctx, all, b, &rejections[i]); err != nil {
			return rows.Set{}, err
		}
		refused.Own = append(refused.Own, all[i*width:(i+1)*width])
	}
	return refused, nil
}

// allQuarantined returns the rows of all records of the batch, as if each were
// refused.
func (f *Function) allQuarantined(ctx context.Context, b *batch.Batch) (rows.Set, error) {
	rejections := make([]rejection, len(b.Records))
	for i := range rejections {
		rejections[i].record = i
	}
	return f.quarantineRows(ctx, b, rejections)
}

// appendQuarantined adds the values that a row does not share, in the order of
// event.QuarantineColumns.
func (f *Function) appendQuarantined(ctx context.Context, row []event.Value, b *batch.Batch, r *rejection) ([]event.Value, error) {
	record := &b.Records[r.record]
	key, value, detail, err := f.offload(ctx, b, record, r.detail)
	if err != nil {
		return nil, &sinkFault{kind: lake.Fault(err), err: err}
	}
	row = rows.AppendCoordinates(row, record)
	return append(row, bytesOrNull(key), bytesOrNull(value),
		event.StringValue([]byte(r.reason)), event.StringValue([]byte(clean(detail))),
		textOrNull(values.SchemaID(record))), nil
}

// offload returns what of the record goes into its quarantine row. Bytes that
// do not fit are made durable in the lake and named in the detail.
func (f *Function) offload(ctx context.Context, b *batch.Batch, record *batch.Record, detail string) (key, value []byte, newDetail string, err error) {
	key, value = record.Key, record.Value
	if len(key)+len(value) <= rows.MaxRecordBytes {
		return key, value, detail, nil
	}
	if len(value) > 0 {
		if detail, err = f.bucket.SetAsideValue(ctx, b, record); err != nil {
			return nil, nil, "", err
		}
		value = nil
	}
	if len(key) > maxKeyBytes {
		uri, err := f.bucket.SetAsideKey(ctx, b, record)
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

// bytesOrNull returns a BYTES, NULL for nil.
func bytesOrNull(b []byte) event.Value {
	if b == nil {
		return event.Value{}
	}
	v := event.StringValue(b)
	v.Type = event.Bytes
	return v
}

// clean makes a detail fit for a STRING column: valid UTF-8 of bounded length.
func clean(detail string) string {
	if len(detail) > maxDetailBytes {
		detail = detail[:maxDetailBytes] + "…"
	}
	return strings.ToValidUTF8(detail, "\uFFFD")
}
