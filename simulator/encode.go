package simulator

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// A layout writes the events of one struct type as JSON objects: the fields
// in declared order under their json names, nil pointers left out. The result
// depends on nothing but the struct.
type layout []field

type field struct {
	name   string // with quotes and colon
	index  int
	append func(b []byte, v reflect.Value) []byte
}

// layoutOf returns the layout of a struct type of package event. A legacy one
// leaves out all pointers, which are what later producers add.
func layoutOf(of reflect.Type, legacy bool) layout {
	fields := make(layout, 0, of.NumField())
	for i := range of.NumField() {
		f := of.Field(i)
		if legacy && f.Type.Kind() == reflect.Pointer {
			continue
		}
		name, _ := json.Marshal(f.Tag.Get("json")) // a string never fails
		fields = append(fields, field{name: string(name) + ":", index: i, append: appenderOf(f.Type)})
	}
	return fields
}

// encode adds the struct v as a JSON object to b.
func (l layout) encode(b []byte, v reflect.Value) []byte {
	separator := byte('{')
	for i := range l {
		f := v.Field(l[i].index)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		b = append(b, separator)
		b = append(b, l[i].name...)
		b = l[i].append(b, f)
		separator = ','
	}
	return append(b, '}')
}

// appenderOf returns what adds a value of the type, or of what it points to.
func appenderOf(of reflect.Type) func([]byte, reflect.Value) []byte {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of == reflect.TypeFor[time.Time]():
		return appendTime
	case of.Kind() == reflect.String:
		return appendString
	case of.Kind() == reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }
	case of.Kind() == reflect.Float64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendFloat(b, v.Float(), 'f', -1, 64) }
	}
	panic(fmt.Sprintf("simulator: package event has a field of type %v, which has no JSON form here", of))
}

func appendTime(b []byte, v reflect.Value) []byte {
	b = append(b, '"')
	b = v.Addr().Interface().(*time.Time).AppendFormat(b, time.RFC3339)
	return append(b, '"')
}

// appendString quotes a text; only one with special characters takes the long
// way.
func appendString(b []byte, v reflect.Value) []byte {
	text := v.String()
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string never fails
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}
