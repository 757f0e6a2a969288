package payload

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/stationflow/stationflow/event"
)

// A Protobuf decodes Protocol Buffers: one message, without what a registry
// puts before it.
//
// A field belongs to the column of its name, in snake or in camel case. Where
// the message does not tell absence from a default (proto3 without optional)
// an absent field has its default.
type Protobuf struct {
	judge   *event.Judge
	message protoreflect.MessageDescriptor
	members []pbMember // in declared order
	dense   []int16    // the member of each small field number, and -1
	sparse  map[protowire.Number]int16
	slots   []slot // what the value has of each member
	scratch []byte
	texts   []byte // texts of rows that are not in the value as they are
}

var _ Decoder = (*Protobuf)(nil)

// A pbMember is a field of the message.
type pbMember struct {
	protoreflect.FieldDescriptor
	kind     protoreflect.Kind
	wire     protowire.Type
	column   int // or -1
	quoted   []byte
	presence bool // absence can be told from the default
	plain    bool // not a list, a map or a message that has no column type
	moment   bool // a google.protobuf.Timestamp
	wrapped  *pbMember
	symbols  map[protoreflect.EnumNumber][]byte
	preset   *slot                        // of a field that is absent and has a default of its own
	oneof    protoreflect.OneofDescriptor // that it is one of, or nil
}

// A slot is the last value of a member.
type slot struct {
	set   bool
	num   uint64
	bytes []byte
}

// maxDense is up to which number fields are found without a map.
const maxDense = 256

// NewProtobuf returns a decoder of messages.
func NewProtobuf(topic *event.Schema, message protoreflect.MessageDescriptor, reading Reading) (*Protobuf, error) {
	p := &Protobuf{judge: reading.judge(topic), message: message, sparse: map[protowire.Number]int16{}}
	fields := message.Fields()
	if fields.Len() > math.MaxInt16 {
		return nil, fmt.Errorf("reading a Protobuf schema: the message %s has %d fields", message.FullName(), fields.Len())
	}
	for range maxDense {
		p.dense = append(p.dense, -1)
	}
	for i := range fields.Len() {
		m := newMember(fields.Get(i))
		m.column = columnOf(topic, m.FieldDescriptor)
		if number := m.Number(); number < maxDense {
			p.dense[number] = int16(i)
		} else {
			p.sparse[number] = int16(i)
		}
		p.members = append(p.members, m)
	}
	p.distinct()
	p.slots = make([]slot, len(p.members))
	return p, nil
}

func newMember(f protoreflect.FieldDescriptor) pbMember {
	m := pbMember{FieldDescriptor: f, kind: f.Kind(), column: -1, quoted: appendQuoted(nil, []byte(f.Name())), presence: f.HasPresence()}
	m.plain = !f.IsList() && !f.IsMap()
	m.wire = wireOf(m.kind)
	if one := f.ContainingOneof(); one != nil && !one.IsSynthetic() {
		m.oneof = one
	}
	switch {
	case m.kind == protoreflect.EnumKind:
		m.symbols = map[protoreflect.EnumNumber][]byte{}
		for i := range f.Enum().Values().Len() {
			v := f.Enum().Values().Get(i)
			if m.symbols[v.Number()] == nil && utf8.ValidString(string(v.Name())) {
				m.symbols[v.Number()] = []byte(v.Name())
			}
		}
	case f.Message() != nil:
		name := f.Message().FullName()
		m.moment = name == "google.protobuf.Timestamp"
		value := f.Message().Fields().ByName("value")
		if name.Parent() == "google.protobuf" && strings.HasSuffix(string(name.Name()), "Value") && value != nil &&
			value.Message() == nil && value.Enum() == nil && f.Message().Fields().Len() == 1 && !value.IsList() {
			inner := newMember(value)
			m.wrapped = &inner
		}
		m.plain = m.plain && (m.moment || m.wrapped != nil)
	}
	if f.HasDefault() && m.plain && f.HasPresence() && (m.kind != protoreflect.StringKind || utf8.ValidString(f.Default().String())) {
		m.preset = presetOf(m.kind, f.Default())
	}
	return m
}

func presetOf(kind protoreflect.Kind, v protoreflect.Value) *slot {
	s := &slot{set: true}
	switch kind {
	case protoreflect.StringKind:
		s.bytes = []byte(v.String())
	case protoreflect.BytesKind:
		s.bytes = v.Bytes()
	case protoreflect.BoolKind:
		s.num = protowire.EncodeBool(v.Bool())
	case protoreflect.EnumKind:
		s.num = uint64(v.Enum())
	case protoreflect.FloatKind:
		s.num = uint64(math.Float32bits(float32(v.Float())))
	case protoreflect.DoubleKind:
		s.num = math.Float64bits(v.Float())
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		s.num = protowire.EncodeZigZag(v.Int())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		s.num = v.Uint()
	default:
		s.num = uint64(v.Int())
	}
	return s
}

func wireOf(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.Fixed32Type
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

// columnOf returns the column of a field, or -1.
func columnOf(topic *event.Schema, f protoreflect.FieldDescriptor) int {
	for i, c := range topic.Columns {
		if string(f.Name()) == c.Name {
			return i
		}
	}
	for i, c := range topic.Columns {
		if string(f.Name()) == camel(c.Name) || f.JSONName() == c.Name {
			return i
		}
	}
	return -1
}

// camel writes a name as Protobuf's JSON does: trainId for train_id.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		if words[i] != "" {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
	}
	return strings.Join(words, "")
}

// distinct leaves each column to one field: to that of its very name, else to
// the first.
func (p *Protobuf) distinct() {
	owner := map[int]int{}
	for i := range p.members {
		m := &p.members[i]
		if m.column < 0 {
			continue
		}
		other, taken := owner[m.column]
		switch {
		case !taken:
			owner[m.column] = i
		case camel(string(p.members[other].Name())) == string(p.members[other].Name()) && strings.Contains(string(m.Name()), "_"):
			p.members[other].column, owner[m.column] = -1, i
		default:
			m.column = -1
		}
	}
}

// Reset forgets the rows decoded so far.
func (p *Protobuf) Reset() {
	p.texts = p.texts[:0]
	p.judge.Reset()
}

// Decode reads one message.
func (p *Protobuf) Decode(row event.Row, value []byte, reference time.Time) *event.Rejection {
	clear(p.slots)
	if fault := p.scan(value); fault != "" {
		return undecodable(fault)
	}
	p.judge.Begin(row, reference)
	var whole protoreflect.Message // only where something is not plain
	room := maxKept(value)
	for i := range p.members {
		m, s := &p.members[i], &p.slots[i]
		if !s.set && m.preset != nil {
			s = m.preset
		}
		if !s.set && (m.presence || !m.plain) {
			continue
		}
		switch {
		case m.column >= 0 && m.plain:
			p.tell(m.column, m, s)
		case m.column >= 0:
			p.judge.Wrong(m.column, nameOf(m))
		case m.plain && !m.moment && m.wrapped == nil:
			p.scratch = p.appendScalar(p.scratch[:0], m, s)
			if fault := p.keep(m, &room); fault != "" {
				return undecodable(fault)
			}
		default:
			if whole == nil {
				read := dynamicpb.NewMessage(p.message)
				if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth, AllowPartial: true}).Unmarshal(value, read); err != nil {
					return undecodable(err.Error())
				}
				if fault := misfit(value, p.message); fault != "" {
					return undecodable(fault)
				}
				whole = read
			}
			budget := 1<<16 + 8*len(value)
			p.scratch = appendPB(p.scratch[:0], m.FieldDescriptor, whole.Get(m.FieldDescriptor), &budget)
			if budget < 0 || len(p.scratch) > maxExtra {
				return undecodable(keptTooLarge)
			}
			if fault := p.keep(m, &room); fault != "" {
				return undecodable(fault)
			}
		}
	}
	return p.judge.End()
}

// keep has an unknown field, whose JSON is in scratch, kept in what room there
// is left, in bytes. Nobody has checked the texts of proto2 within lists and
// messages, nor the names of a schema that came as a descriptor.
func (p *Protobuf) keep(m *pbMember, room *int) (fault string) {
	if *room -= len(m.quoted) + len(p.scratch); *room < 0 {
		return keptTooLarge
	}
	if !utf8.Valid(m.quoted) || !utf8.Valid(p.scratch) {
		return fmt.Sprintf("the field %s is not UTF-8", m.Name())
	}
	p.judge.Unknown(m.quoted, p.scratch)
	return ""
}

// scan notes what the message has of each member: of several the last.
func (p *Protobuf) scan(value []byte) (fault string) {
	for rest := value; len(rest) > 0; {
		number, typ, n := protowire.Number(rest[0]>>3), protowire.Type(rest[0]&7), 1
		if rest[0] >= 0x80 || number == 0 {
			if number, typ, n = protowire.ConsumeTag(rest); n < 0 {
				return "a field's tag cannot be read"
			}
		}
		rest = rest[n:]
		at := p.member(number)
		if at < 0 {
			return fmt.Sprintf("field number %d is not in it", number)
		}
		m, s := &p.members[at], &p.slots[at]
		s.set = true
		switch {
		case !m.plain:
			if n = protowire.ConsumeFieldValue(number, typ, rest); n < 0 {
				return fmt.Sprintf("the field %s cannot be read", m.Name())
			}
			rest = rest[n:]
			continue
		case typ != m.wire:
			return fmt.Sprintf("the field %s is of another type", m.Name())
		case typ == protowire.VarintType:
			s.num, n = protowire.ConsumeVarint(rest)
		case typ == protowire.Fixed64Type:
			s.num, n = protowire.ConsumeFixed64(rest)
		case typ == protowire.Fixed32Type:
			var short uint32
			short, n = protowire.ConsumeFixed32(rest)
			s.num = uint64(short)
		default:
			var b []byte
			if b, n = protowire.ConsumeBytes(rest); m.kind == protoreflect.MessageKind && s.bytes != nil {
				b = append(s.bytes[:len(s.bytes):len(s.bytes)], b...) // messages that come twice are merged
			}
			s.bytes = b
		}
		if n < 0 {
			return fmt.Sprintf("the field %s ends early", m.Name())
		}
		if m.kind == protoreflect.StringKind && !utf8.Valid(s.bytes) {
			return fmt.Sprintf("the field %s is not UTF-8", m.Name())
		}
		rest = rest[n:]
		if m.oneof != nil {
			p.only(at, m.oneof)
		}
	}
	return ""
}

// only forgets the other members of a oneof.
func (p *Protobuf) only(at int, one protoreflect.OneofDescriptor) {
	for i := range one.Fields().Len() {
		if other := p.member(one.Fields().Get(i).Number()); other != at {
			p.slots[other] = slot{}
		}
	}
}

func (p *Protobuf) member(number protowire.Number) int {
	if number < maxDense {
		return int(p.dense[number])
	}
	if at, ok := p.sparse[number]; ok {
		return int(at)
	}
	return -1
}

// tell has the value of a column judged.
func (p *Protobuf) tell(column int, m *pbMember, s *slot) {
	switch {
	case m.moment:
		p.tellMoment(column, s.bytes)
	case m.wrapped != nil:
		p.tellWrapped(column, m.wrapped, s.bytes)
	case m.kind == protoreflect.StringKind:
		p.judge.Text(column, s.bytes)
	case m.kind == protoreflect.EnumKind:
		symbol := m.symbols[protoreflect.EnumNumber(s.num)]
		if symbol == nil {
			start := len(p.texts)
			p.texts = strconv.AppendInt(p.texts, int64(int32(s.num)), 10)
			symbol = p.texts[start:len(p.texts):len(p.texts)]
		}
		p.judge.Text(column, symbol)
	case m.kind == protoreflect.FloatKind:
		p.judge.Float(column, float64(math.Float32frombits(uint32(s.num))))
	case m.kind == protoreflect.DoubleKind:
		p.judge.Float(column, math.Float64frombits(s.num))
	case m.kind == protoreflect.BoolKind, m.kind == protoreflect.BytesKind:
		p.judge.Wrong(column, nameOf(m))
	case unsigned(m.kind) && s.num > math.MaxInt64:
		p.judge.Number(column, strconv.AppendUint(nil, s.num, 10))
	default:
		p.judge.Int(column, integerOf(m.kind, s.num))
	}
}

func unsigned(kind protoreflect.Kind) bool {
	return kind == protoreflect.Uint64Kind || kind == protoreflect.Fixed64Kind
}

// integerOf returns the number that a varint or a fixed one stands for.
func integerOf(kind protoreflect.Kind, num uint64) int64 {
	switch kind {
	case protoreflect.Sint32Kind:
		return int64(int32(protowire.DecodeZigZag(num & math.MaxUint32)))
	case protoreflect.Sint64Kind:
		return protowire.DecodeZigZag(num)
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return int64(int32(num))
	case protoreflect.Uint32Kind:
		return int64(uint32(num))
	}
	return int64(num)
}

// tellMoment has a google.protobuf.Timestamp judged: seconds and nanoseconds.
func (p *Protobuf) tellMoment(column int, message []byte) {
	var seconds, nanos int64
	for len(message) > 0 {
		if message[0] != 0x08 && message[0] != 0x10 { // field 1 or 2, a varint
			p.judge.Wrong(column, "a message that is not a timestamp")
			return
		}
		n, size := binary.Uvarint(message[1:])
		if size <= 0 {
			p.judge.Wrong(column, "a message that is not a timestamp")
			return
		}
		if message[0] == 0x08 {
			seconds = int64(n)
		} else {
			nanos = int64(int32(n))
		}
		message = message[1+size:]
	}
	const most = math.MaxInt64/1_000_000 - 10
	p.judge.Time(column, max(min(seconds, most), -most)*1_000_000+floorDiv(nanos, 1000))
}

// tellWrapped has judged what is in one of Google's wrappers.
func (p *Protobuf) tellWrapped(column int, inner *pbMember, message []byte) {
	var s slot
	for len(message) > 0 {
		number, typ, n := protowire.ConsumeTag(message)
		if n < 0 || number != 1 || typ != inner.wire {
			p.judge.Wrong(column, "a message that is not a wrapper")
			return
		}
		message = message[n:]
		switch typ {
		case protowire.VarintType:
			s.num, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			s.num, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			var short uint32
			short, n = protowire.ConsumeFixed32(message)
			s.num = uint64(short)
		default:
			s.bytes, n = protowire.ConsumeBytes(message)
		}
		if n < 0 || inner.kind == protoreflect.StringKind && !utf8.Valid(s.bytes) {
			p.judge.Wrong(column, "a message that is not a wrapper")
			return
		}
		message = message[n:]
	}
	p.tell(column, inner, &s)
}

// nameOf names a member's kind for a person.
func nameOf(m *pbMember) string {
	switch {
	case m.IsMap():
		return "a map"
	case m.IsList():
		return "a list"
	case m.kind == protoreflect.BoolKind:
		return "a truth value"
	case m.kind == protoreflect.BytesKind:
		return "bytes"
	}
	return "a message"
}
