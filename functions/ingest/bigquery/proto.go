package bigquery

import (
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/vectors"
)

// An Encoder turns rows of one table into protocol buffers for the Storage
// Write API: field n of the message is column n of the table.
// https://cloud.google.com/bigquery/docs/supported-data-types gives the
// pairs of types: a TIMESTAMP is an int64 of microseconds.
type Encoder struct {
	rows.Layout
	tags  []uint64 // field number and wire type, as they precede a value
	own   []int    // the columns that a row does not share
	lacks []bool   // which columns the table does not have; nil for none
	extra int      // the position of the column extra; -1 in the quarantine
}

// NewEncoder returns the encoder of a table's rows.
func NewEncoder(l rows.Layout) *Encoder {
	e := &Encoder{Layout: l, extra: slices.IndexFunc(l.Columns, func(c event.Column) bool { return c.Name == "extra" })}
	for i := range l.Columns {
		e.tags = append(e.tags, protowire.EncodeTag(protowire.Number(i+1), wireType(l.Columns[i].Type)))
		if l.Own[i] >= 0 {
			e.own = append(e.own, i)
		}
	}
	return e
}

// Descriptor describes the rows to the warehouse.
func (e *Encoder) Descriptor() *descriptorpb.DescriptorProto {
	d := &descriptorpb.DescriptorProto{Name: proto.String("Row")}
	for i := range e.Columns {
		if e.lacks != nil && e.lacks[i] {
			continue
		}
		label := descriptorpb.FieldDescriptorProto_LABEL_REQUIRED
		if e.Columns[i].Nullable {
			label = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		}
		d.Field = append(d.Field, &descriptorpb.FieldDescriptorProto{
			Name:   proto.String(e.Columns[i].Name),
			Number: proto.Int32(int32(i + 1)),
			Label:  &label,
			Type:   fieldType(e.Columns[i].Type).Enum(),
		})
	}
	return d
}

// appendShared adds the part of the encoding that every row ends with. stamp
// is the rows' ingested_at, in microseconds since 1970-01-01 UTC.
func (e *Encoder) appendShared(dst []byte, shared event.Row, stamp int64) []byte {
	at := event.TimeValue(stamp)
	for i := range shared {
		if i == e.Stamp {
			dst = e.appendValue(dst, i, &at)
		} else if e.Own[i] < 0 {
			dst = e.appendValue(dst, i, &shared[i])
		}
	}
	return dst
}

// appendOwn adds the part of the encoding that is the row's own.
func (e *Encoder) appendOwn(dst []byte, own []*vectors.Vector, row int32) []byte {
	if e.lacks != nil {
		return e.appendLacking(dst, own, row)
	}
	for _, i := range e.own {
		v := own[e.Own[i]]
		if v.Null(row) {
			continue
		}
		dst = appendVarint(dst, e.tags[i])
		switch {
		case v.Kind != vectors.Numbers:
			dst = appendText(dst, v.Text(row))
		case v.Type == event.Float64:
			dst = protowire.AppendFixed64(dst, uint64(v.Numbers[row]))
		default:
			dst = appendVarint(dst, uint64(v.Numbers[row]))
		}
	}
	return dst
}

func appendText(dst, text []byte) []byte {
	return append(appendVarint(dst, uint64(len(text))), text...)
}

// appendValue adds a value of column i.
func (e *Encoder) appendValue(dst []byte, i int, v *event.Value) []byte {
	if v.Null() {
		return dst
	}
	dst = appendVarint(dst, e.tags[i])
	switch v.Type {
	case event.String, event.Bytes:
		return appendText(dst, v.Text())
	case event.Float64:
		return protowire.AppendFixed64(dst, math.Float64bits(v.Float()))
	}
	return appendVarint(dst, uint64(v.Int()))
}

// appendVarint is protowire's, which is not inlined, with nearly all numbers
// done at once: tags, lengths and counts are short.
func appendVarint(dst []byte, n uint64) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return protowire.AppendVarint(dst, n)
}

func wireType(t event.Type) protowire.Type {
	switch t {
	case event.String, event.Bytes:
		return protowire.BytesType
	case event.Float64:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

func fieldType(t event.Type) descriptorpb.FieldDescriptorProto_Type {
	switch t {
	case event.String:
		return descriptorpb.FieldDescriptorProto_TYPE_STRING
	case event.Bytes:
		return descriptorpb.FieldDescriptorProto_TYPE_BYTES
	case event.Float64:
		return descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
	}
	return descriptorpb.FieldDescriptorProto_TYPE_INT64
}
