package preview

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A kind is one of agate's types.
type kind int

const (
	nothing kind = iota // NULL
	integer
	number
	boolean
	moment // a date or a time of a date
	text
)

// A cell is a value as agate has it.
type cell struct {
	kind  kind
	value jinja.Value // of --output json, but for times
	shown string      // Python's text of it
	iso   string      // of a moment
	exact *big.Rat    // of a number; nil for an infinite one
}

func cellOf(value bigquery.Value, field *bigquery.FieldSchema) cell {
	switch v := value.(type) {
	case nil:
		return cell{}
	case int64:
		return cell{kind: integer, value: v, shown: strconv.FormatInt(v, 10), exact: new(big.Rat).SetInt64(v)}
	case float64:
		return numberOf(v)
	case *big.Rat:
		float, _ := v.Float64()
		c := numberOf(float)
		c.exact = v
		return c
	case bool:
		shown, _ := jinja.Text(v)
		return cell{kind: boolean, value: v, shown: shown}
	case civil.Date:
		return cell{kind: moment, shown: v.String(), iso: v.String()}
	case civil.DateTime:
		return momentOf(v.Date.String()+"T"+clock(v.Time), "")
	case time.Time:
		v = v.UTC()
		return momentOf(v.Format(time.DateOnly)+"T"+clock(civil.TimeOf(v)), "+00:00")
	}
	if field.Type == bigquery.JSONFieldType && !field.Repeated {
		if source, isText := value.(string); isText {
			return ofJSON(source)
		}
	}
	plain := plainOf(value, field)
	shown, ok := plain.(string)
	if !ok {
		shown, _ = jinja.JSON(plain, false)
	}
	return cell{kind: text, value: shown, shown: shown}
}

// ofJSON is a value of type JSON, which the client of Python decodes.
func ofJSON(source string) cell {
	v, err := jinja.FromJSON(source)
	if err != nil {
		return cell{kind: text, value: source, shown: source}
	}
	switch v := v.(type) {
	case nil, int64, float64, bool:
		return cellOf(v, &bigquery.FieldSchema{})
	case string:
		return cell{kind: text, value: v, shown: v}
	}
	shown, _ := jinja.JSON(v, false)
	return cell{kind: text, value: shown, shown: shown}
}

func numberOf(f float64) cell {
	c := cell{kind: number, value: f}
	switch {
	case math.IsNaN(f):
		c.shown = "NaN"
	case math.IsInf(f, 1):
		c.shown = "Infinity"
	case math.IsInf(f, -1):
		c.shown = "-Infinity"
	default:
		c.exact, _ = new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return c
}

func momentOf(iso, zone string) cell {
	return cell{kind: moment, shown: strings.Replace(iso, "T", " ", 1) + zone, iso: iso + zone}
}

// clock is Python's text of a time of day, which has microseconds or none.
func clock(t civil.Time) string {
	out := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if micros := t.Nanosecond / 1000; micros > 0 {
		out += fmt.Sprintf(".%06d", micros)
	}
	return out
}

// plainOf is a value as the JSON of a list or struct has it; of bytes and of a
// time of day Python's text.
func plainOf(value bigquery.Value, field *bigquery.FieldSchema) jinja.Value {
	list, isList := value.([]bigquery.Value)
	switch {
	case isList && field.Repeated:
		one := *field
		one.Repeated = false
		out := jinja.NewList()
		for _, item := range list {
			out.Items = append(out.Items, plainOf(item, &one))
		}
		return out
	case isList:
		out := jinja.NewDict()
		for i, item := range list {
			_ = out.Set(field.Schema[i].Name, plainOf(item, field.Schema[i])) // a text is always a key
		}
		return out
	}
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return bytesText(v)
	case civil.Time:
		return clock(v)
	case civil.Date, civil.DateTime, time.Time:
		return cellOf(v, field).iso
	case nil, int64, float64, bool, *big.Rat:
		return cellOf(v, field).value
	}
	return fmt.Sprint(value)
}

// bytesText is Python's text of bytes.
func bytesText(of []byte) string {
	mark := byte('\'')
	if strings.Contains(string(of), "'") && !strings.Contains(string(of), `"`) {
		mark = '"'
	}
	var out strings.Builder
	out.WriteString("b" + string(mark))
	for _, b := range of {
		switch {
		case b == mark || b == '\\':
			out.WriteString(`\` + string(rune(b)))
		case b == '\n':
			out.WriteString(`\n`)
		case b == '\r':
			out.WriteString(`\r`)
		case b == '\t':
			out.WriteString(`\t`)
		case b < ' ' || b > '~':
			fmt.Fprintf(&out, `\x%02x`, b)
		default:
			out.WriteByte(b)
		}
	}
	return out.String() + string(mark)
}

// in is the cell's text in a column.
func (c cell) in(of column) string {
	if of.kind != number || c.exact == nil {
		return c.shown
	}
	return grouped(c.exact, of)
}

// json is the cell's value in a column.
func (c cell) json(of column) jinja.Value {
	switch {
	case c.kind == nothing:
		return nil
	case of.kind == text:
		return c.shown
	case of.kind == moment:
		return c.iso
	case of.kind == number && c.kind == integer:
		float, _ := c.exact.Float64()
		return float
	}
	return c.value
}

// mostPlaces are the decimal places that are shown.
const mostPlaces = 3

// placesOf are the decimal places that the numbers of a column need, and
// whether they need more than are shown. Python's decimals have 28 digits.
func placesOf(rows [][]cell, j int) (places int, isCut bool) {
	whole := 1
	for _, row := range rows {
		exact := row[j].exact
		if exact == nil {
			continue
		}
		digits := strings.TrimRight(exact.FloatString(40), "0")
		before, after, _ := strings.Cut(strings.TrimLeft(digits, "-0"), ".")
		whole, places = max(whole, len(before)), max(places, len(after))
	}
	if whole+places > 28 {
		places = 28 - whole
	}
	return min(places, mostPlaces), places > mostPlaces
}

// grouped writes a number with a comma before each three digits, rounded half to
// even.
func grouped(exact *big.Rat, of column) string {
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(of.places)), nil))
	scaled := new(big.Rat).Mul(new(big.Rat).Abs(exact), scale)
	whole, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	twice := new(big.Int).Lsh(rest, 1).Cmp(scaled.Denom())
	if twice > 0 || twice == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	digits := whole.String()
	if missing := of.places + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	before, after := digits[:len(digits)-of.places], digits[len(digits)-of.places:]
	for at := len(before) - 3; at > 0; at -= 3 {
		before = before[:at] + "," + before[at:]
	}
	if after != "" {
		before += "." + after
	}
	if exact.Sign() < 0 {
		before = "-" + before
	}
	if of.isCut {
		before += "…"
	}
	return before
}
