package warehouse

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
)

// avroSchema gives columns the types of Avro that the Storage Read API documents
// (https://cloud.google.com/bigquery/docs/reference/storage#avro_schema_details).
func avroSchema(fields []*bigquery.TableFieldSchema) (string, error) {
	record, err := avroRecord("__root__", fields)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(record)
	return string(text), err
}

func avroRecord(name string, fields []*bigquery.TableFieldSchema) (map[string]any, error) {
	columns := make([]any, len(fields))
	for i, f := range fields {
		kind, err := avroType(name, f)
		if err != nil {
			return nil, err
		}
		switch f.Mode {
		case "REPEATED":
			kind = map[string]any{"type": "array", "items": kind}
		case "REQUIRED":
		default:
			kind = []any{"null", kind}
		}
		columns[i] = map[string]any{"name": f.Name, "type": kind}
	}
	return map[string]any{"type": "record", "name": name, "fields": columns}, nil
}

func avroType(parent string, f *bigquery.TableFieldSchema) (any, error) {
	logical := func(kind, name string) any { return map[string]any{"type": kind, "logicalType": name} }
	switch f.Type {
	case "INTEGER":
		return "long", nil
	case "FLOAT":
		return "double", nil
	case "BOOLEAN":
		return "boolean", nil
	case "STRING":
		return "string", nil
	case "BYTES":
		return "bytes", nil
	case "JSON", "GEOGRAPHY", "DATETIME":
		return map[string]any{"type": "string", "sqlType": f.Type}, nil
	case "NUMERIC":
		return map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9}, nil
	case "BIGNUMERIC":
		return map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 77, "scale": 38}, nil
	case "DATE":
		return logical("int", "date"), nil
	case "TIME":
		return logical("long", "time-micros"), nil
	case "TIMESTAMP":
		return logical("long", "timestamp-micros"), nil
	case "RECORD":
		return avroRecord(strings.Trim(parent, "_")+"_"+f.Name, f.Fields)
	}
	return nil, fmt.Errorf("the local warehouse does not read columns of type %s over the Storage Read API: %s", f.Type, f.Name)
}

// avroRows encodes rows one after another.
func avroRows(fields []*bigquery.TableFieldSchema, rows []json.RawMessage) ([]byte, error) {
	var out []byte
	for _, raw := range rows {
		var err error
		if out, err = appendAvroRecord(out, fields, raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendAvroRecord(out []byte, fields []*bigquery.TableFieldSchema, raw json.RawMessage) ([]byte, error) {
	cells, err := cellsOf(raw)
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		switch {
		case f.Mode == "REPEATED":
			out, err = appendAvroList(out, f, cells[i])
		case f.Mode == "REQUIRED":
			out, err = appendAvro(out, f, cells[i])
		case cells[i] == nil || isNull(cells[i]):
			out = binary.AppendVarint(out, 0)
		default:
			out, err = appendAvro(binary.AppendVarint(out, 1), f, cells[i])
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
	}
	return out, nil
}

func appendAvroList(out []byte, f *bigquery.TableFieldSchema, raw json.RawMessage) ([]byte, error) {
	var cells []cell
	if err := json.Unmarshal(raw, &cells); err != nil {
		return nil, err
	}
	if len(cells) > 0 {
		out = binary.AppendVarint(out, int64(len(cells)))
	}
	for _, c := range cells {
		var err error
		if out, err = appendAvro(out, f, c.V); err != nil {
			return nil, err
		}
	}
	return binary.AppendVarint(out, 0), nil
}

func appendAvro(out []byte, f *bigquery.TableFieldSchema, raw json.RawMessage) ([]byte, error) {
	if f.Type == "RECORD" {
		return appendAvroRecord(out, f.Fields, raw)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	block := func(content []byte) []byte { return append(binary.AppendVarint(out, int64(len(content))), content...) }
	switch f.Type {
	case "STRING", "JSON", "GEOGRAPHY", "DATETIME":
		return block([]byte(text)), nil
	case "BYTES":
		content, err := base64.StdEncoding.DecodeString(text)
		return block(content), err
	case "BOOLEAN":
		if text == "true" {
			return append(out, 1), nil
		}
		return append(out, 0), nil
	case "FLOAT":
		x, err := strconv.ParseFloat(text, 64)
		return binary.LittleEndian.AppendUint64(out, math.Float64bits(x)), err
	case "NUMERIC":
		return decimalBlock(block, text, 9)
	case "BIGNUMERIC":
		return decimalBlock(block, text, 38)
	}
	n, err := wholeOf(f.Type, text)
	return binary.AppendVarint(out, n), err
}

// decimalBlock writes the unscaled number in two's complement.
func decimalBlock(block func([]byte) []byte, text string, scale int64) ([]byte, error) {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%q is no number", text)
	}
	n.Mul(n, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)))
	unscaled := new(big.Int).Quo(n.Num(), n.Denom())
	size := unscaled.BitLen()/8 + 1
	if unscaled.Sign() < 0 {
		unscaled.Add(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(size*8)))
	}
	return block(unscaled.FillBytes(make([]byte, size))), nil
}
