package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

// print writes all rows; the first is there already, nil for none.
func (c *queryCall) print(rows *bigquery.RowIterator, first []bigquery.Value, read int64) error {
	each := func(show func([]bigquery.Value) error) error {
		for row, err := first, error(nil); row != nil; {
			if err = show(row); err != nil {
				return err
			}
			row = nil
			if err = rows.Next(&row); errors.Is(err, iterator.Done) {
				return nil
			} else if err != nil {
				return err
			}
		}
		return nil
	}
	switch c.format {
	case "json":
		return printRowsJSON(c.streams.Out, rows.Schema, read, each)
	case "csv":
		return printRowsCSV(c.streams.Out, rows.Schema, each)
	}
	return c.printTable(rows.Schema, each)
}

type eachRow func(show func([]bigquery.Value) error) error

// errShown ends a table that has as many rows as it may.
var errShown = errors.New("shown")

// printTable fits each row into a line of the terminal.
func (c *queryCall) printTable(schema bigquery.Schema, each eachRow) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	var names []string
	for _, field := range schema {
		names = append(names, strings.ToUpper(field.Name))
	}
	fmt.Fprintln(table, strings.Join(names, "\t"))
	shown := 0
	err := each(func(row []bigquery.Value) error {
		if shown == c.rows {
			return errShown
		}
		shown++
		cells := make([]string, len(row))
		for i, value := range row {
			cells[i] = oneLine(rowText(value, schema[i], "null"))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
		return nil
	})
	more := errors.Is(err, errShown)
	if err != nil && !more {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	width, onTerminal := c.streams.terminal()
	for line := range strings.Lines(text.String()) {
		if line = strings.TrimRight(line, " \n"); onTerminal {
			line = cut(line, width)
		}
		fmt.Fprintln(c.streams.Out, line)
	}
	if more {
		fmt.Fprintf(c.streams.Err, "there are more rows: these are the first %d (--rows)\n", shown)
	}
	return nil
}

func printRowsCSV(out io.Writer, schema bigquery.Schema, each eachRow) error {
	w := csv.NewWriter(out)
	names := make([]string, len(schema))
	for i, field := range schema {
		names[i] = field.Name
	}
	if err := w.Write(names); err != nil {
		return err
	}
	err := each(func(row []bigquery.Value) error {
		cells := make([]string, len(row))
		for i, value := range row {
			cells[i] = rowText(value, schema[i], "")
		}
		return w.Write(cells)
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

// printRowsJSON prints one object, with a line for each row.
func printRowsJSON(out io.Writer, schema bigquery.Schema, read int64, each eachRow) error {
	names := []string{}
	for _, field := range schema {
		names = append(names, field.Name)
	}
	head, err := jsonLine(names)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "{\n  \"bytes_read\": %d,\n  \"columns\": %s,\n  \"rows\": [", read, head)
	separator := "\n    "
	err = each(func(row []bigquery.Value) error {
		line, err := jsonLine(rowObject(row, schema))
		if err == nil {
			_, err = fmt.Fprintf(out, "%s%s", separator, line)
		}
		separator = ",\n    "
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, "\n  ]\n}\n")
	return err
}

func jsonLine(v any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// An object is written with its members in the order of the columns.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		name, err := jsonLine(m.name)
		if err != nil {
			return nil, err
		}
		value, err := jsonLine(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(name + ":" + value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func rowObject(row []bigquery.Value, schema bigquery.Schema) object {
	o := make(object, len(row))
	for i, value := range row {
		o[i] = member{schema[i].Name, jsonValue(value, schema[i])}
	}
	return o
}

// jsonValue is a value as JSON has it: numbers with all their digits, bytes in
// base64, times as text.
func jsonValue(value bigquery.Value, field *bigquery.FieldSchema) any {
	if list, isList := value.([]bigquery.Value); isList {
		if !field.Repeated {
			return rowObject(list, field.Schema)
		}
		of := *field
		of.Repeated = false
		all := make([]any, len(list))
		for i, one := range list {
			all[i] = jsonValue(one, &of)
		}
		return all
	}
	switch v := value.(type) {
	case nil, bool, int64:
		return v
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64) // JSON has no such number
		}
		return v
	case *big.Rat:
		return json.Number(decimal(v))
	}
	if field.Type == bigquery.JSONFieldType {
		if text, isText := value.(string); isText && json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	}
	return rowText(value, field, "")
}

// rowText is a value as text; null stands for one that is NULL.
func rowText(value bigquery.Value, field *bigquery.FieldSchema, null string) string {
	switch v := value.(type) {
	case nil:
		return null
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case *big.Rat:
		return decimal(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []bigquery.Value:
		text, err := jsonLine(jsonValue(v, field))
		if err != nil {
			return fmt.Sprint(v)
		}
		return text
	}
	return fmt.Sprint(value)
}

// decimal writes a NUMERIC or BIGNUMERIC.
func decimal(r *big.Rat) string {
	text := bigquery.BigNumericString(r)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// cut shortens a line of a table.
func cut(line string, width int) string {
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:max(width-1, 0)]) + "…"
}
