package payload

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bounds of what one record may make.
const (
	maxDecimal = 64      // bytes of a decimal's digits, and digits behind its point
	maxExtra   = 4 << 20 // bytes of a field that is kept as JSON
)

// maxKept is how many bytes all fields that are kept as JSON may have. Names and
// symbols are in the schema, so that a small value may make a large text.
func maxKept(value []byte) int { return 16<<10 + 64*len(value) }

const keptTooLarge = "its unknown fields are too large as JSON"

// A wire reads Avro's binary encoding. After a fault it reads zeros, to the
// end.
type wire struct {
	data   []byte
	at     int
	budget int // how many values may still be read
	fault  string
}

func (w *wire) fail(fault string) {
	if w.fault == "" {
		w.fault = fmt.Sprintf("at byte %d: %s", w.at, fault)
	}
	w.at = len(w.data)
}

func (w *wire) long() int64 {
	if w.at < len(w.data) && w.data[w.at] < 0x80 {
		c := w.data[w.at]
		w.at++
		return int64(c>>1) ^ -int64(c&1)
	}
	n, size := binary.Uvarint(w.data[w.at:])
	if size <= 0 {
		w.fail("a number is cut off or too long")
		return 0
	}
	w.at += size
	return int64(n>>1) ^ -int64(n&1)
}

// days reads a date, which is an int.
func (w *wire) days() int64 {
	n := w.long()
	if n != int64(int32(n)) {
		w.fail("a date has more than 32 bits")
		return 0
	}
	return n
}

func (w *wire) take(n int64) []byte {
	if n < 0 || n > int64(len(w.data)-w.at) {
		w.fail("the value ends within a field")
		return nil
	}
	taken := w.data[w.at : w.at+int(n) : w.at+int(n)]
	w.at += int(n)
	return taken
}

func (w *wire) text() []byte { return w.validText(w.take(w.long())) }

func (w *wire) float() float64 {
	if b := w.take(4); b != nil {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return 0
}

func (w *wire) double() float64 {
	if b := w.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (w *wire) symbol(of *node) []byte {
	i := w.long()
	if i < 0 || i >= int64(len(of.symbols)) {
		w.fail("an enum has no such symbol")
		return nil
	}
	return of.symbols[i]
}

// branch returns the type of a value, which for a union is said by the value.
func (w *wire) branch(of *node) *node {
	if of.kind != union {
		return of
	}
	i := w.long()
	if i < 0 || i >= int64(len(of.branches)) {
		w.fail("a union has no such branch")
		return &node{}
	}
	return of.branches[i]
}

// bytesOf reads the bytes of a value that consists of them.
func (w *wire) bytesOf(of *node) []byte {
	size := int64(of.size)
	if of.kind == raw || of.kind == decimal {
		size = w.long()
	}
	b := w.take(size)
	if (of.kind == decimal || of.kind == fixedDecimal) && (len(b) > maxDecimal || of.scale > maxDecimal) {
		w.fail("a decimal is too long")
		return nil
	}
	return b
}

// moment reads a timestamp, in microseconds; what is finer is cut off. One in
// milliseconds that is beyond all dates comes out as the last or the first.
func (w *wire) moment(of kind) int64 { return inMicros(of, w.long()) }

func inMicros(of kind, n int64) int64 {
	switch of {
	case millis, localMillis:
		return max(min(n, math.MaxInt64/1000), math.MinInt64/1000) * 1000
	case nanos, localNanos:
		return floorDiv(n, 1000)
	}
	return n
}

// exactly is the moment that inMicros rounds.
func exactly(of kind, n int64) time.Time {
	switch of {
	case millis, localMillis:
		return time.UnixMilli(n).UTC()
	case nanos, localNanos:
		return time.Unix(0, n).UTC()
	}
	return time.UnixMicro(n).UTC()
}

func floorDiv(n, by int64) int64 {
	if n%by < 0 {
		return n/by - 1
	}
	return n / by
}

// json reads a value of any type and appends it as JSON.
func (w *wire) json(dst []byte, of *node, depth int) []byte {
	of = w.branch(of)
	w.budget--
	switch {
	case w.fault != "":
		return dst
	case w.budget < 0:
		w.fail("the record has too many values")
		return dst
	case depth > maxDepth:
		w.fail(fmt.Sprintf("nested deeper than %d levels", maxDepth))
		return dst
	case len(dst) > maxExtra:
		w.fail("an unknown field is too large")
		return dst
	}
	switch of.kind {
	case null:
		return append(dst, "null"...)
	case boolean:
		b := w.take(1)
		return strconv.AppendBool(dst, len(b) > 0 && b[0] != 0)
	case integer:
		return strconv.AppendInt(dst, w.long(), 10)
	case float:
		return appendFloat(dst, w.float())
	case double:
		return appendFloat(dst, w.double())
	case text:
		return appendQuoted(dst, w.text())
	case enum:
		return appendQuoted(dst, w.symbol(of))
	case raw, fixed, duration:
		return appendBase64(dst, w.bytesOf(of))
	case decimal, fixedDecimal:
		return append(dst, decimalText(w.bytesOf(of), of.scale)...)
	case fixedUUID:
		return append(appendUUID(append(dst, '"'), w.bytesOf(of)), '"')
	case date:
		return time.Unix(w.days()*86_400, 0).UTC().AppendFormat(dst, `"2006-01-02"`)
	case timeOfDay:
		return strconv.AppendInt(dst, w.long(), 10)
	case millis, micros, nanos:
		return exactly(of.kind, w.long()).AppendFormat(dst, `"2006-01-02T15:04:05.999999999Z07:00"`)
	case localMillis, localMicros, localNanos:
		return exactly(of.kind, w.long()).AppendFormat(dst, `"2006-01-02T15:04:05.999999999"`)
	case array, mapping:
		return w.items(dst, of, depth)
	}
	return w.fields(dst, of, depth)
}

// fields reads a record.
func (w *wire) fields(dst []byte, of *node, depth int) []byte {
	dst = append(dst, '{')
	for i := range of.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, of.fields[i].quoted...), ':')
		if dst = w.json(dst, of.fields[i].of, depth+1); w.fault != "" {
			return dst
		}
	}
	return append(dst, '}')
}

// items reads the blocks of an array or a map.
func (w *wire) items(dst []byte, of *node, depth int) []byte {
	opening, closing := byte('['), byte(']')
	if of.kind == mapping {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	for first := true; ; {
		count := w.long()
		if count < 0 {
			count = -count // and the block's size in bytes follows
			w.long()
		}
		if count == 0 || w.fault != "" {
			return append(dst, closing)
		}
		for ; count != 0 && w.fault == ""; count-- {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if of.kind == mapping {
				dst = append(appendQuoted(dst, w.text()), ':')
			}
			dst = w.json(dst, of.items, depth+1)
		}
	}
}

func appendFloat(dst []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), x, 'g', -1, 64), '"')
	}
	return strconv.AppendFloat(dst, x, 'g', -1, 64)
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// appendQuoted appends a text, which is UTF-8, as a JSON string.
func appendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func appendUUID(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[c>>4], hex[c&15])
	}
	return dst
}
