package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/values"
	"github.com/stationflow/stationflow/internal/vectors"
)

// Limits of a quarantine row besides rows.MaxRecordBytes, in bytes.
const (
	maxKeyBytes    = 64 << 10 // of a key whose value is too large for a row
	maxDetailBytes = 4 << 10
)

// quarantine makes the rejected records durable with their bytes, as rows of
// the quarantine; what is too large for a row goes to the lake first. A record
// that is refused even here is an error once the others are durable: the
// delivery then fails, and the batch ends in the dead letter with all its bytes.
// digest is that of the batch.
func (f *Function) quarantine(ctx context.Context, b *batch.Batch, rejections []rejection, digest func() uint64) error {
	if len(rejections) == 0 {
		return nil
	}
	slices.SortFunc(rejections, func(a, b rejection) int { return a.record - b.record }) // as sinks want rows
	failed := &unstorable{partitions: make(map[int32]bool)}
	refused, kept, err := f.quarantineRows(ctx, b, rejections, failed)
	if err != nil {
		return err
	}
	keeper := f.sinks.ofQuarantine()
	all := &rows.Batch{Batch: b, Table: f.quarantined, Set: refused, All: f.allQuarantined, Digest: digest}
	stored, err := keeper.storeWhatGoes(ctx, all, true)
	if err != nil {
		return err
	}
	for _, r := range stored.Refused {
		failed.add(&b.Records[kept[r.Row].record], fmt.Sprintf("the %s refuses it: %s", keeper.name, r.Detail))
	}
	if failed.records > 0 {
		return failed
	}
	return nil
}

// release says in the quarantine which records of a retry were accepted: all
// but the rejected. Everything of the batch is durable by then. A crash before
// leaves records that are both in quarantine and accepted; a further retry ends
// that.
func (f *Function) release(ctx context.Context, b *batch.Batch, rejections []rejection, digest func() uint64) error {
	refused := make(map[int]bool, len(rejections))
	for i := range rejections {
		refused[rejections[i].record] = true
	}
	var accepted []rejection
	for i := range b.Records {
		if !refused[i] {
			accepted = append(accepted, rejection{record: i, reason: event.Accepted})
		}
	}
	return f.quarantine(ctx, b, accepted, digest)
}

// quarantineRows returns the rows of rejected records, but for those whose bytes
// cannot be put aside: they are added to failed. kept are the others.
func (f *Function) quarantineRows(
	ctx context.Context, b *batch.Batch, rejections []rejection, failed *unstorable,
) (refused rows.Set, kept []rejection, err error) {
	f.quarantined.Begin(&refused, b, len(rejections), new(vectors.Memory))
	row := make(event.Row, 0, f.quarantined.Width())
	for i := range rejections {
		row, err = f.appendQuarantined(ctx, row[:0], b, &rejections[i])
		if err != nil && classify(err) == fault.OfBatch {
			failed.add(&b.Records[rejections[i].record], err.Error())
			continue
		}
		if err != nil {
			return rows.Set{}, nil, err
		}
		refused.Append(row)
		kept = append(kept, rejections[i])
	}
	return refused, kept, nil
}

// allQuarantined returns the rows of all records of the batch, as if each were
// refused.
func (f *Function) allQuarantined(ctx context.Context, b *batch.Batch) (rows.Set, error) {
	rejections := make([]rejection, len(b.Records))
	for i := range rejections {
		rejections[i].record = i
	}
	failed := &unstorable{partitions: make(map[int32]bool)}
	all, _, err := f.quarantineRows(ctx, b, rejections, failed)
	if err == nil && failed.records > 0 {
		err = failed
	}
	return all, err
}

// appendQuarantined adds the values that a row does not share, in the order of
// event.QuarantineColumns.
func (f *Function) appendQuarantined(ctx context.Context, row []event.Value, b *batch.Batch, r *rejection) ([]event.Value, error) {
	record := &b.Records[r.record]
	var key, value []byte // of an accepted record they are where it went
	detail := r.detail
	if r.reason != event.Accepted {
		var err error
		if key, value, detail, err = f.offload(ctx, b, record, r.detail); err != nil {
			return nil, &sinkFault{kind: lake.Fault(err), err: err}
		}
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
