// Package payload reads values that are not JSON: Avro and Protocol Buffers,
// each by the schema that its writer used. What it finds it tells an
// event.Judge, so that a value gets the same verdict, reason and row in every
// format. Fields are matched by name; those that the topic does not have go to
// the column extra, as JSON.
//
// Schemas and bytes come from anywhere: the depth of both, the size of a
// schema, the number of values in a record and the size of extra are bounded,
// and nothing in them ends the program.
package payload

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hamba/avro/v2"

	"github.com/stationflow/stationflow/event"
)

// A Decoder turns the values of one topic's records, written with one schema,
// into rows, as event.Decoder does for JSON. It is not safe for concurrent use.
// What its rows hold is valid until Reset and as long as the values they were
// decoded from.
type Decoder interface {
	// Decode fills row, which has room for the schema's columns and extra, and
	// returns nil, or why the value is refused.
	Decode(row event.Row, value []byte, reference time.Time) *event.Rejection
	// Reset forgets the rows decoded so far.
	Reset()
}

// A Reading is what the writer's schema does not say.
type Reading struct {
	Location *time.Location  // of timestamps without an offset
	Epoch    event.EpochUnit // of timestamps that are plain numbers
}

func (r Reading) judge(schema *event.Schema) *event.Judge {
	judge := event.NewJudge(schema, r.Location)
	judge.ReadEpoch(r.Epoch)
	return judge
}

// maxSchemaBytes and maxDepth bound a schema, maxDepth a value too.
const (
	maxSchemaBytes = 1 << 20
	maxDepth       = 64
)

// A node is a type of an Avro schema as the decoder needs it.
type node struct {
	kind     kind
	size     int      // of a fixed
	scale    int      // of a decimal
	symbols  [][]byte // of an enum
	items    *node    // of an array or a map
	fields   []field  // of a record
	branches []*node  // of a union
}

// A field is one of a record. Its column is that of the topic, at the top
// level, or -1.
type field struct {
	column  int
	name    string
	aliases []string
	quoted  []byte // the name as JSON
	of      *node
}

type kind uint8

// The kinds of values: Avro's types, and those that a logical type makes of
// them.
const (
	null kind = iota
	boolean
	integer // an int or a long
	float
	double
	text
	raw   // bytes
	fixed // bytes of a known number
	enum
	array
	mapping
	record
	union
	decimal      // in bytes
	fixedDecimal // in a fixed
	fixedUUID
	date
	timeOfDay
	duration
	millis // moments, by unit
	micros
	nanos
	localMillis // the same without a zone
	localMicros
	localNanos
)

// names are the kinds for people.
var names = [...]string{null: "null", boolean: "a truth value", integer: "a whole number", float: "a number", double: "a number", text: "a string",
	raw: "bytes", fixed: "bytes", enum: "a string", array: "an array", mapping: "a map", record: "a record", union: "a union",
	decimal: "a decimal", fixedDecimal: "a decimal", fixedUUID: "a UUID", date: "a date", timeOfDay: "a time of day", duration: "a duration",
	millis: "a timestamp", micros: "a timestamp", nanos: "a timestamp", localMillis: "a timestamp", localMicros: "a timestamp", localNanos: "a timestamp"}

// An Avro decodes Avro's binary encoding.
type Avro struct {
	judge *event.Judge
	root  *node
	wire
	scratch []byte // texts of rows that are not in the value as they are
	room    int    // for unknown fields of the record
}

var _ Decoder = (*Avro)(nil)

// parseAvro reads a schema, which is JSON
// (https://avro.apache.org/docs/1.12.0/specification), after those whose types
// it names.
func parseAvro(writer string, imports []Import) (parsed avro.Schema, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the library failed: %v", r)
		}
	}()
	cache := &avro.SchemaCache{} // what others name is not known here
	for _, other := range append(imports[:len(imports):len(imports)], Import{Text: writer}) {
		if err := checkSchema(other.Text); err != nil {
			return nil, err
		}
		if parsed, err = avro.ParseWithCache(other.Text, "", cache); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// Avro returns a decoder of the topic's values that were written with the
// schema, which must be of AvroFormat.
func (s *Schema) Avro(topic *event.Schema, reading Reading) *Avro {
	root := (compiler{}).compile(s.avro)
	for _, of := range append([]*node{root}, root.branches...) {
		of.match(topic)
	}
	return &Avro{judge: reading.judge(topic), root: root}
}

// checkSchema refuses a schema that is too large or too deep for a parser.
func checkSchema(writer string) error {
	if len(writer) > maxSchemaBytes {
		return fmt.Errorf("it has %d bytes, more than %d", len(writer), maxSchemaBytes)
	}
	depth, quoted := 0, false
	for i := 0; i < len(writer); i++ {
		switch c := writer[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > 4*maxDepth {
				return fmt.Errorf("it is nested deeper than %d levels", 4*maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// A compiler makes nodes of schemas. It remembers those that have names, which
// may contain themselves.
type compiler map[string]*node

func (c compiler) compile(schema avro.Schema) *node {
	if ref, ok := schema.(*avro.RefSchema); ok {
		schema = ref.Schema()
	}
	n := &node{}
	if named, ok := schema.(avro.NamedSchema); ok {
		if known := c[named.FullName()]; known != nil {
			return known
		}
		c[named.FullName()] = n
	}
	switch s := schema.(type) {
	case *avro.PrimitiveSchema:
		n.primitive(s)
	case *avro.FixedSchema:
		n.fixed(s)
	case *avro.EnumSchema:
		n.kind = enum
		for _, symbol := range s.Symbols() {
			n.symbols = append(n.symbols, []byte(symbol))
		}
	case *avro.ArraySchema:
		n.kind, n.items = array, c.compile(s.Items())
	case *avro.MapSchema:
		n.kind, n.items = mapping, c.compile(s.Values())
	case *avro.UnionSchema:
		n.kind = union
		for _, branch := range s.Types() {
			n.branches = append(n.branches, c.compile(branch))
		}
	case *avro.RecordSchema:
		n.kind = record
		for _, f := range s.Fields() {
			n.fields = append(n.fields, field{column: -1, name: f.Name(), aliases: f.Aliases(), quoted: appendQuoted(nil, []byte(f.Name())), of: c.compile(f.Type())})
		}
	}
	return n
}

// match gives the fields of the record their columns. One whose name is not a
// column's may have been renamed: then an alias is the name that it had.
func (n *node) match(topic *event.Schema) {
	taken := map[int]bool{}
	place := func(f *field, names ...string) {
		at := slices.IndexFunc(topic.Columns, func(c event.Column) bool { return slices.Contains(names, c.Name) })
		if at >= 0 && !taken[at] && f.column < 0 {
			f.column, taken[at] = at, true
		}
	}
	for i := range n.fields {
		place(&n.fields[i], n.fields[i].name)
	}
	for i := range n.fields {
		place(&n.fields[i], n.fields[i].aliases...)
	}
}

func (n *node) primitive(s *avro.PrimitiveSchema) {
	switch s.Type() {
	case avro.Boolean:
		n.kind = boolean
	case avro.Int, avro.Long:
		n.kind = integer
	case avro.Float:
		n.kind = float
	case avro.Double:
		n.kind = double
	case avro.String:
		n.kind = text
	case avro.Bytes:
		n.kind = raw
	}
	if d, ok := s.Logical().(*avro.DecimalLogicalSchema); ok {
		n.kind, n.scale = decimal, d.Scale()
		return
	}
	logical, _ := s.Prop("logicalType").(string) // of those that the library does not know
	if s.Logical() != nil {
		logical = string(s.Logical().Type())
	}
	if n.kind == integer {
		if of, ok := map[string]kind{"date": date, "time-millis": timeOfDay, "time-micros": timeOfDay,
			"timestamp-millis": millis, "timestamp-micros": micros, "timestamp-nanos": nanos,
			"local-timestamp-millis": localMillis, "local-timestamp-micros": localMicros, "local-timestamp-nanos": localNanos}[logical]; ok {
			n.kind = of
		}
	}
}

func (n *node) fixed(s *avro.FixedSchema) {
	n.kind, n.size = fixed, s.Size()
	logical, _ := s.Prop("logicalType").(string)
	if s.Logical() != nil {
		logical = string(s.Logical().Type())
	}
	switch d, ok := s.Logical().(*avro.DecimalLogicalSchema); {
	case ok:
		n.kind, n.scale = fixedDecimal, d.Scale()
	case logical == "uuid" && n.size == 16:
		n.kind = fixedUUID
	case logical == "duration" && n.size == 12:
		n.kind = duration
	}
}

// Reset forgets the rows decoded so far.
func (a *Avro) Reset() {
	a.scratch = a.scratch[:0]
	a.judge.Reset()
}

// Decode reads one value.
func (a *Avro) Decode(row event.Row, value []byte, reference time.Time) *event.Rejection {
	a.wire = wire{data: value, budget: 1<<16 + 8*len(value)}
	of := a.branch(a.root)
	switch {
	case a.fault != "":
		return undecodable(a.fault)
	case of.kind == null:
		return &event.Rejection{Reason: event.Tombstone, Detail: "the value is null"}
	case of.kind != record:
		return &event.Rejection{Reason: event.NotObject, Detail: "the value is " + names[of.kind] + ", not a record"}
	}
	a.room = maxKept(value)
	a.judge.Begin(row, reference)
	for i := range of.fields {
		f := &of.fields[i]
		if f.column >= 0 {
			a.tell(f.column, f.of)
		} else {
			a.keep(f)
		}
		if a.fault != "" {
			return undecodable(a.fault)
		}
	}
	if left := len(value) - a.at; left > 0 {
		return undecodable(fmt.Sprintf("%d bytes are left over behind the record", left))
	}
	return a.judge.End()
}

func undecodable(fault string) *event.Rejection {
	return &event.Rejection{Reason: event.Undecodable, Detail: "the bytes do not fit the schema: " + fault}
}

// keep has an unknown field kept as JSON.
func (a *Avro) keep(f *field) {
	start := len(a.scratch)
	a.scratch = a.json(a.scratch, f.of, 1)
	if a.room -= len(f.quoted) + len(a.scratch) - start; a.room < 0 {
		a.fail(keptTooLarge)
	}
	if a.fault == "" {
		a.judge.Unknown(f.quoted, a.scratch[start:])
	}
	a.scratch = a.scratch[:start] // the judge has copied it
}

// tell reads the value of a column and has it judged.
func (a *Avro) tell(column int, of *node) {
	of = a.branch(of)
	switch of.kind {
	case null:
		a.judge.Null(column)
	case text:
		a.judge.Text(column, a.text())
	case enum:
		a.judge.Text(column, a.symbol(of))
	case integer:
		a.judge.Int(column, a.long())
	case float:
		a.judge.Float(column, a.float())
	case double:
		a.judge.Float(column, a.double())
	case millis, micros, nanos:
		a.judge.Time(column, a.moment(of.kind))
	case localMillis, localMicros, localNanos:
		a.judge.LocalTime(column, a.moment(of.kind))
	case decimal, fixedDecimal:
		a.judge.Number(column, []byte(decimalText(a.bytesOf(of), of.scale)))
	case fixedUUID:
		start := len(a.scratch)
		a.scratch = appendUUID(a.scratch, a.bytesOf(of))
		a.judge.Text(column, a.scratch[start:len(a.scratch):len(a.scratch)])
	default:
		a.judge.Wrong(column, names[of.kind])
		start := len(a.scratch)
		a.scratch = a.json(a.scratch, of, 1)[:start]
	}
}

// decimalText writes a decimal, whose digits are a big-endian number in two's
// complement.
func decimalText(digits []byte, scale int) string {
	n := new(big.Int).SetBytes(digits)
	if len(digits) > 0 && digits[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(digits))))
	}
	if scale <= 0 {
		return n.String()
	}
	sign, text := "", n.Text(10)
	if n.Sign() < 0 {
		sign, text = "-", text[1:]
	}
	if len(text) <= scale {
		text = strings.Repeat("0", scale-len(text)+1) + text
	}
	return sign + text[:len(text)-scale] + "." + text[len(text)-scale:]
}

// validText reports a fault for a text that is not UTF-8.
func (w *wire) validText(text []byte) []byte {
	if !utf8.Valid(text) {
		w.fail("a string is not UTF-8")
		return nil
	}
	return text
}
