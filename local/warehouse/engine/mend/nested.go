package mend

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strconv"

	googlesql "github.com/goccy/go-googlesql"
	"github.com/goccy/go-json"
)

// nestedType is the emulator's description of an ARRAY or STRUCT.
type nestedType struct {
	Element stdjson.RawMessage `json:"elementType"`
	Fields  []struct {
		Name string             `json:"name"`
		Type stdjson.RawMessage `json:"type"`
	} `json:"fieldTypes"`
}

// castNested is CAST to an ARRAY or STRUCT: each element, and each field by its place. The emulator looks fields up by
// their names. ok is false for what is neither. args are those of cast.
func castNested(original scalar, to kind, args []any) (result any, ok bool, err error) {
	if to != googlesql.TypeKindTypeArray && to != googlesql.TypeKindTypeStruct {
		return nil, false, nil
	}
	many, isNested := decode(args[0]).(other)
	if !isNested {
		return nil, false, nil
	}
	_, values, err := contents(many)
	var before, after nestedType
	if err := errors.Join(err, describe(args[1], &before), describe(args[2], &after)); err != nil {
		return nil, true, fmt.Errorf("casting an ARRAY or STRUCT: %w", err)
	}
	if to == googlesql.TypeKindTypeArray {
		for i := range values {
			if values[i], err = castPart(original, values[i], before.Element, after.Element, args[3]); err != nil {
				return nil, true, err
			}
		}
		return array(values), true, nil
	}
	if len(before.Fields) != len(values) || len(after.Fields) != len(values) {
		return nil, true, errors.New("a struct's fields and its type differ")
	}
	names := make([]string, len(values))
	for i, field := range after.Fields {
		if names[i] = field.Name; field.Name == "" {
			names[i] = unnamedField(i)
		}
		if values[i], err = castPart(original, values[i], before.Fields[i].Type, field.Type, args[3]); err != nil {
			return nil, true, err
		}
	}
	body, err := json.Marshal(map[string]any{"keys": names, "values": values})
	return other{encodeAs("struct", string(body))}, true, err
}

func describe(description any, into *nestedType) error {
	text, _ := decode(description).(string)
	return json.Unmarshal([]byte(text), into)
}

// castPart casts an element or a field, unless it has its type.
func castPart(original scalar, value any, from, to stdjson.RawMessage, safe any) (any, error) {
	if bytes.Equal(from, to) {
		return value, nil
	}
	return cast(original)(value, encode(string(from)), encode(string(to)), safe)
}

// fieldsNamed gives a struct's fields without a name the name that the emulator gives them in literals: it compares structs as
// texts in places.
func fieldsNamed(original scalar) scalar {
	return func(args ...any) (any, error) {
		for i := 0; i < len(args); i += 2 {
			if decode(args[i]) == "" {
				args[i] = encode(unnamedField(i / 2))
			}
		}
		return original(args...)
	}
}

func unnamedField(i int) string { return "_field_" + strconv.Itoa(i) }
