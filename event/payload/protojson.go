package payload

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// appendScalar appends what a slot holds as JSON.
func (p *Protobuf) appendScalar(dst []byte, m *pbMember, s *slot) []byte {
	switch m.kind {
	case protoreflect.StringKind:
		return appendQuoted(dst, s.bytes)
	case protoreflect.BytesKind:
		return appendBase64(dst, s.bytes)
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, s.num != 0)
	case protoreflect.FloatKind:
		return appendFloat(dst, float64(math.Float32frombits(uint32(s.num))))
	case protoreflect.DoubleKind:
		return appendFloat(dst, math.Float64frombits(s.num))
	case protoreflect.EnumKind:
		if symbol := m.symbols[protoreflect.EnumNumber(s.num)]; symbol != nil {
			return appendQuoted(dst, symbol)
		}
		return strconv.AppendInt(dst, int64(int32(s.num)), 10)
	}
	if unsigned(m.kind) {
		return strconv.AppendUint(dst, s.num, 10)
	}
	return strconv.AppendInt(dst, integerOf(m.kind, s.num), 10)
}

// misfit says what of a message, or of one within it, the library passes over: a
// field that the schema does not have, or has as another type. The library has
// read the value, so that it is whole and of a bounded depth.
func misfit(value []byte, message protoreflect.MessageDescriptor) string {
	for len(value) > 0 {
		number, typ, n := protowire.ConsumeTag(value)
		value = value[n:]
		f := message.Fields().ByNumber(number)
		if f == nil {
			return fmt.Sprintf("field number %d is not in %s", number, message.FullName())
		}
		wire := wireOf(f.Kind())
		packed := f.IsList() && typ == protowire.BytesType && wire != protowire.StartGroupType
		if typ != wire && !packed {
			return fmt.Sprintf("the field %s is of another type", f.FullName())
		}
		within := value
		if typ == protowire.StartGroupType {
			within, n = protowire.ConsumeGroup(number, value)
		} else if n = protowire.ConsumeFieldValue(number, typ, value); typ == protowire.BytesType {
			within, _ = protowire.ConsumeBytes(value)
		}
		if f.Message() != nil {
			if fault := misfit(within, f.Message()); fault != "" {
				return fault
			}
		}
		value = value[n:]
	}
	return ""
}

// appendPB appends a value of any type as JSON: messages and maps as objects
// with names as they are declared, timestamps as text, numbers as numbers.
// budget is how many values may still be appended; below 0 none is.
func appendPB(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value, budget *int) []byte {
	switch {
	case f.IsList():
		dst = append(dst, '[')
		for i := range v.List().Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendOne(dst, f, v.List().Get(i), budget)
		}
		return append(dst, ']')
	case f.IsMap():
		var keys []protoreflect.MapKey
		v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
			keys = append(keys, k)
			return true
		})
		slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return slices.Compare([]byte(a.String()), []byte(b.String())) })
		dst = append(dst, '{')
		for i, k := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, []byte(k.String())), ':')
			dst = appendOne(dst, f.MapValue(), v.Map().Get(k), budget)
		}
		return append(dst, '}')
	}
	return appendOne(dst, f, v, budget)
}

func appendOne(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value, budget *int) []byte {
	if *budget--; *budget < 0 || len(dst) > maxExtra {
		*budget = -1
		return append(dst, "null"...)
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		return appendQuoted(dst, []byte(v.String()))
	case protoreflect.BytesKind:
		return appendBase64(dst, v.Bytes())
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return appendFloat(dst, v.Float())
	case protoreflect.EnumKind:
		if symbol := f.Enum().Values().ByNumber(v.Enum()); symbol != nil {
			return appendQuoted(dst, []byte(symbol.Name()))
		}
		return strconv.AppendInt(dst, int64(v.Enum()), 10)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(dst, v.Message(), budget)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(dst, v.Uint(), 10)
	}
	return strconv.AppendInt(dst, v.Int(), 10)
}

func appendMessage(dst []byte, m protoreflect.Message, budget *int) []byte {
	fields := m.Descriptor().Fields()
	if m.Descriptor().FullName() == "google.protobuf.Timestamp" && fields.Len() == 2 {
		seconds, nanos := m.Get(fields.Get(0)).Int(), m.Get(fields.Get(1)).Int()
		if at := time.Unix(seconds, nanos).UTC(); at.Year() >= 1 && at.Year() <= 9999 && at.Unix() == seconds { // else none that the type may have
			return at.AppendFormat(dst, `"2006-01-02T15:04:05.999999999Z07:00"`)
		}
	}
	dst = append(dst, '{')
	first := true
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) && (f.HasPresence() || f.IsList() || f.IsMap()) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendQuoted(dst, []byte(f.Name())), ':')
		dst = appendPB(dst, f, m.Get(f), budget)
	}
	return append(dst, '}')
}
