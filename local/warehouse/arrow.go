package warehouse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	bigquery "google.golang.org/api/bigquery/v2"
)

// arrowSchema gives columns the types of Arrow that the Storage Read API documents
// (https://cloud.google.com/bigquery/docs/reference/storage#arrow_schema_details).
func arrowSchema(fields []*bigquery.TableFieldSchema) (*arrow.Schema, error) {
	columns, err := arrowFields(fields)
	return arrow.NewSchema(columns, nil), err
}

func arrowFields(fields []*bigquery.TableFieldSchema) ([]arrow.Field, error) {
	columns := make([]arrow.Field, len(fields))
	for i, f := range fields {
		kind, err := arrowType(f)
		if err != nil {
			return nil, err
		}
		columns[i] = arrow.Field{Name: f.Name, Type: kind, Nullable: f.Mode != "REQUIRED" && f.Mode != "REPEATED"}
		if f.Mode == "REPEATED" {
			columns[i].Type = arrow.ListOfField(arrow.Field{Name: "item", Type: kind, Nullable: true})
		}
		if f.Type == "JSON" || f.Type == "DATETIME" || f.Type == "GEOGRAPHY" {
			columns[i].Metadata = arrow.NewMetadata([]string{"ARROW:extension:name"}, []string{"google:sqlType:" + strings.ToLower(f.Type)})
		}
	}
	return columns, nil
}

func arrowType(f *bigquery.TableFieldSchema) (arrow.DataType, error) {
	switch f.Type {
	case "INTEGER":
		return arrow.PrimitiveTypes.Int64, nil
	case "FLOAT":
		return arrow.PrimitiveTypes.Float64, nil
	case "BOOLEAN":
		return arrow.FixedWidthTypes.Boolean, nil
	case "STRING", "JSON", "GEOGRAPHY":
		return arrow.BinaryTypes.String, nil
	case "BYTES":
		return arrow.BinaryTypes.Binary, nil
	case "NUMERIC":
		return &arrow.Decimal128Type{Precision: 38, Scale: 9}, nil
	case "BIGNUMERIC":
		return &arrow.Decimal256Type{Precision: 76, Scale: 38}, nil
	case "DATE":
		return arrow.FixedWidthTypes.Date32, nil
	case "TIME":
		return arrow.FixedWidthTypes.Time64us, nil
	case "DATETIME":
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	case "TIMESTAMP":
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, nil
	case "RECORD":
		inner, err := arrowFields(f.Fields)
		return arrow.StructOf(inner...), err
	}
	return nil, fmt.Errorf("the local warehouse does not read columns of type %s over the Storage Read API: %s", f.Type, f.Name)
}

// arrowMessage is the schema as the API sends it.
func arrowMessage(schema *arrow.Schema) ([]byte, error) {
	payload := ipc.GetSchemaPayload(schema, memory.DefaultAllocator)
	defer payload.Release()
	var out bytes.Buffer
	_, err := payload.WritePayload(&out)
	return out.Bytes(), err
}

// arrowBatch is rows as the API sends them: a message without its schema.
func arrowBatch(schema *arrow.Schema, fields []*bigquery.TableFieldSchema, rows []json.RawMessage) ([]byte, error) {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for _, raw := range rows {
		cells, err := cellsOf(raw)
		if err != nil {
			return nil, err
		}
		for i, f := range fields {
			if err := appendArrow(builder.Field(i), f, cells[i], f.Mode == "REPEATED"); err != nil {
				return nil, fmt.Errorf("column %s: %w", f.Name, err)
			}
		}
	}
	batch := builder.NewRecordBatch()
	defer batch.Release()
	payload, err := ipc.GetRecordBatchPayload(batch)
	if err != nil {
		return nil, err
	}
	defer payload.Release()
	var out bytes.Buffer
	_, err = payload.WritePayload(&out)
	return out.Bytes(), err
}

// cellsOf are the values of a row, or of a record in one.
func cellsOf(raw json.RawMessage) ([]json.RawMessage, error) {
	var record struct {
		F []cell `json:"f"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return nil, err
	}
	values := make([]json.RawMessage, len(record.F))
	for i, c := range record.F {
		values[i] = c.V
	}
	return values, nil
}

func appendArrow(b array.Builder, f *bigquery.TableFieldSchema, raw json.RawMessage, list bool) error {
	if list {
		items := b.(*array.ListBuilder)
		items.Append(true)
		var cells []cell
		if err := json.Unmarshal(raw, &cells); err != nil {
			return err
		}
		for _, c := range cells {
			if err := appendArrow(items.ValueBuilder(), f, c.V, false); err != nil {
				return err
			}
		}
		return nil
	}
	if raw == nil || isNull(raw) {
		b.AppendNull()
		return nil
	}
	if f.Type == "RECORD" {
		cells, err := cellsOf(raw)
		if err != nil {
			return err
		}
		record := b.(*array.StructBuilder)
		record.Append(true)
		for i, inner := range f.Fields {
			if err := appendArrow(record.FieldBuilder(i), inner, cells[i], inner.Mode == "REPEATED"); err != nil {
				return err
			}
		}
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	return appendScalar(b, f.Type, text)
}

func appendScalar(b array.Builder, kind, text string) (err error) {
	switch builder := b.(type) {
	case *array.StringBuilder:
		builder.Append(text)
	case *array.BinaryBuilder:
		var content []byte
		content, err = base64.StdEncoding.DecodeString(text)
		builder.Append(content)
	case *array.BooleanBuilder:
		builder.Append(text == "true")
	case *array.Float64Builder:
		var x float64
		x, err = strconv.ParseFloat(text, 64)
		builder.Append(x)
	case *array.Decimal128Builder:
		var n decimal128.Num
		n, err = decimal128.FromString(text, 38, 9)
		builder.Append(n)
	case *array.Decimal256Builder:
		var n decimal256.Num
		n, err = decimal256.FromString(text, 76, 38)
		builder.Append(n)
	default:
		var n int64
		if n, err = wholeOf(kind, text); err != nil {
			return err
		}
		switch builder := b.(type) {
		case *array.Int64Builder:
			builder.Append(n)
		case *array.Date32Builder:
			builder.Append(arrow.Date32(n))
		case *array.Time64Builder:
			builder.Append(arrow.Time64(n))
		case *array.TimestampBuilder:
			builder.Append(arrow.Timestamp(n))
		}
	}
	return err
}

// wholeOf is the number that both formats keep of a value: itself, days or microseconds.
func wholeOf(kind, text string) (int64, error) {
	switch kind {
	case "DATE":
		at, err := time.Parse(time.DateOnly, text)
		return int64(math.Floor(float64(at.Unix()) / 86400)), err
	case "TIME":
		at, err := time.Parse("15:04:05.999999", text)
		return at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds(), err
	case "DATETIME":
		at, err := time.Parse("2006-01-02T15:04:05.999999", text)
		return at.UnixMicro(), err
	}
	return strconv.ParseInt(text, 10, 64)
}
