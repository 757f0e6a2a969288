package warehouse

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	bigquery "google.golang.org/api/bigquery/v2"
)

// parquetFile is a Parquet file as BigQuery loads it.
type parquetFile struct {
	file   *parquet.File
	lists  bool // LIST is an array, as with enableListInference; else a record of a repeated record
	fields []*bigquery.TableFieldSchema
}

func openParquet(content []byte, lists bool) (*parquetFile, error) {
	file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("reading the Parquet file: %w", err)
	}
	p := &parquetFile{file: file, lists: lists}
	p.fields, err = p.schemaOf(file.Schema().Fields())
	return p, err
}

// schemaOf converts types as https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet says.
func (p *parquetFile) schemaOf(fields []parquet.Field) ([]*bigquery.TableFieldSchema, error) {
	schema := make([]*bigquery.TableFieldSchema, len(fields))
	for i, f := range fields {
		of := &bigquery.TableFieldSchema{Name: f.Name(), Mode: "NULLABLE"}
		switch {
		case f.Repeated():
			of.Mode = "REPEATED"
		case f.Required():
			of.Mode = "REQUIRED"
		}
		inner, err := []*bigquery.TableFieldSchema(nil), error(nil)
		switch logical := logicalOf(f); {
		case f.Leaf():
			of.Type, err = leafType(f)
		case is[*format.MapType](logical):
			err = errors.New("the local warehouse loads no MAP")
		case is[*format.ListType](logical):
			err = p.listSchema(of, f)
		default:
			of.Type = "RECORD"
			inner, err = p.schemaOf(f.Fields())
			of.Fields = inner
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name(), err)
		}
		schema[i] = of
	}
	return schema, nil
}

func (p *parquetFile) listSchema(of *bigquery.TableFieldSchema, f parquet.Field) error {
	list := f.Fields()
	if len(list) != 1 || len(list[0].Fields()) != 1 {
		return errors.New("the local warehouse loads lists of three levels only")
	}
	element, err := p.schemaOf(list[0].Fields())
	if err != nil {
		return err
	}
	if p.lists {
		of.Type, of.Fields, of.Mode = element[0].Type, element[0].Fields, "REPEATED"
		if element[0].Mode == "REPEATED" {
			return errors.New("BigQuery has no array of arrays")
		}
		return nil
	}
	of.Type = "RECORD"
	of.Fields = []*bigquery.TableFieldSchema{{Name: list[0].Name(), Type: "RECORD", Mode: "REPEATED", Fields: element}}
	return nil
}

// logicalOf is the logical type of a field, nil where it has none.
func logicalOf(f parquet.Field) format.LogicalTypeValue {
	if logical := f.Type().LogicalType(); logical != nil {
		return logical.Value
	}
	return nil
}

// is says whether a logical type is the one of T.
func is[T format.LogicalTypeValue](logical format.LogicalTypeValue) bool {
	_, ok := logical.(T)
	return ok
}

func leafType(f parquet.Field) (string, error) {
	switch logical := logicalOf(f).(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		return "STRING", nil
	case *format.DateType:
		return "DATE", nil
	case *format.TimeType:
		return "TIME", nil
	case *format.TimestampType:
		return "TIMESTAMP", nil
	case *format.DecimalType:
		if logical.Scale <= 9 && logical.Precision-logical.Scale <= 29 {
			return "NUMERIC", nil
		}
		return "BIGNUMERIC", nil
	}
	switch f.Type().Kind() {
	case parquet.Boolean:
		return "BOOLEAN", nil
	case parquet.Int32, parquet.Int64:
		return "INTEGER", nil
	case parquet.Int96:
		return "TIMESTAMP", nil
	case parquet.Float, parquet.Double:
		return "FLOAT", nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return "BYTES", nil
	}
	return "", fmt.Errorf("the local warehouse does not load %s", f.Type())
}

// rows calls each with the rows, in the form that BigQuery's JSON has for the types of the target.
func (p *parquetFile) rows(target []*bigquery.TableFieldSchema, each func(map[string]any) error) error {
	reader := parquet.NewReader(p.file)
	defer reader.Close()
	for {
		var row any
		if err := reader.Read(&row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a row of the Parquet file: %w", err)
		}
		values, err := p.record(p.file.Schema().Fields(), row, target)
		if err != nil {
			return err
		}
		if err := each(values); err != nil {
			return err
		}
	}
}

func (p *parquetFile) record(fields []parquet.Field, value any, target []*bigquery.TableFieldSchema) (map[string]any, error) {
	row, _ := value.(map[string]any)
	out := make(map[string]any, len(row))
	for _, f := range fields {
		to := fieldNamed(target, f.Name())
		if to == nil {
			continue
		}
		converted, err := p.value(f, row[f.Name()], to)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name(), err)
		}
		out[f.Name()] = converted
	}
	return out, nil
}

func (p *parquetFile) value(f parquet.Field, value any, to *bigquery.TableFieldSchema) (any, error) {
	items, isList := value.([]any)
	switch {
	case value == nil:
		return nil, nil
	case !f.Leaf() && is[*format.ListType](logicalOf(f)):
		list := f.Fields()[0]
		element := list.Fields()[0]
		converted := make([]any, len(items))
		for i, item := range items {
			inner := to
			if !p.lists {
				inner = to.Fields[0].Fields[0]
			}
			one, err := p.value(element, item, inner)
			if err != nil {
				return nil, err
			}
			if converted[i] = one; !p.lists {
				converted[i] = map[string]any{element.Name(): one}
			}
		}
		if !p.lists {
			return map[string]any{list.Name(): converted}, nil
		}
		return converted, nil
	case isList:
		converted := make([]any, len(items))
		for i, item := range items {
			var err error
			if converted[i], err = p.single(f, item, to); err != nil {
				return nil, err
			}
		}
		return converted, nil
	}
	return p.single(f, value, to)
}

func (p *parquetFile) single(f parquet.Field, value any, to *bigquery.TableFieldSchema) (any, error) {
	if !f.Leaf() {
		return p.record(f.Fields(), value, to.Fields)
	}
	switch v := value.(type) {
	case *big.Float:
		return v.Text('f', int(logicalOf(f).(*format.DecimalType).Scale)), nil
	case deprecated.Int96:
		const julianEpoch = 2440588
		nanos := int64(v[1])<<32 | int64(v[0])
		return time.Unix((int64(v[2])-julianEpoch)*86400, nanos).UTC().Format(time.RFC3339Nano), nil
	case string:
		switch logicalOf(f).(type) {
		case *format.StringType, *format.EnumType, *format.JsonType:
			return v, nil
		}
		return base64.StdEncoding.EncodeToString([]byte(v)), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	case int32:
		return wholeNumber(int64(v), f, to)
	case int64:
		return wholeNumber(v, f, to)
	case float64:
		if decimal, ok := logicalOf(f).(*format.DecimalType); ok {
			return decimalOf(v, int(decimal.Scale))
		}
	}
	return value, nil
}

// decimalOf writes a decimal that was stored as a whole number, which the library
// gives by way of a float: of more digits than that keeps, some would be lost.
func decimalOf(v float64, scale int) (any, error) {
	if math.Abs(v)*math.Pow10(scale) > 1<<53 {
		return nil, fmt.Errorf("the local warehouse would lose digits of %g: BigQuery loads it; here store such decimals as FIXED_LEN_BYTE_ARRAY", v)
	}
	return strconv.FormatFloat(v, 'f', scale, 64), nil
}

// wholeNumber writes what a number stands for: itself, a day or a time.
func wholeNumber(n int64, f parquet.Field, to *bigquery.TableFieldSchema) (any, error) {
	switch logical := logicalOf(f).(type) {
	case *format.IntType:
		if n < 0 && !logical.IsSigned && logical.BitWidth == 64 {
			return nil, fmt.Errorf("%d is more than an INTEGER holds", uint64(n))
		}
		if n < 0 && !logical.IsSigned { // stored in 32 bits
			return int64(uint32(n)), nil
		}
	case *format.DateType:
		return time.Unix(n*86400, 0).UTC().Format(time.DateOnly), nil
	case *format.TimeType:
		return time.Unix(0, n*int64(durationOf(logical.Unit))).UTC().Format("15:04:05.999999"), nil
	case *format.TimestampType:
		unit := durationOf(logical.Unit)
		per := int64(time.Second / unit)
		at := time.Unix(n/per, n%per*int64(unit)).UTC()
		if to.Type == "DATETIME" {
			return at.Format("2006-01-02T15:04:05.999999"), nil
		}
		return at.Format(time.RFC3339Nano), nil
	}
	return n, nil
}

func durationOf(unit format.TimeUnit) time.Duration {
	if unit.Value == nil {
		return time.Microsecond
	}
	return unit.Value.Duration()
}
