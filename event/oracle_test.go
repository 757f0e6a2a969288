package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// holdDecode decodes a value and fails the test when the outcome breaks what
// FuzzDecode says.
func holdDecode(t *testing.T, topic string, value []byte, location *time.Location) Reason {
	t.Helper()
	decoder, row := newDecoder(t, topic, location)
	rejection := decoder.Decode(row, value, reference)

	again, other := newDecoder(t, topic, location)
	again.Decode(make(Row, len(row)), []byte(typical[topic]), reference)
	if second := again.Decode(other, value, reference); (rejection == nil) != (second == nil) || rejection != nil && *rejection != *second {
		t.Fatalf("%s\nfirst %v, then %v", value, rejection, second)
	}
	if len(value) > 3 {
		value = bytes.TrimPrefix(value, []byte("\xef\xbb\xbf"))
	}
	want := syntaxReason(value)
	if want == "" {
		value, want = unwrapped(t, value)
	}
	if want == "" {
		want = fieldsReason(t, decoder, value)
	}
	if rejection == nil {
		if want != "" {
			t.Fatalf("%s\naccepted, want %s", value, want)
		}
		compareWithEncodingJSON(t, decoder, row, value)
		compareWhenWrittenAgain(t, decoder, row)
		return ""
	}
	if rejection.Reason != want {
		t.Fatalf("%s\nrefused: %v, want %q", value, *rejection, want)
	}
	if !utf8.ValidString(rejection.Detail) || rejection.Detail == "" || len(rejection.Detail) > 300 {
		t.Fatalf("%s\ndetail %q", value, rejection.Detail)
	}
	return want
}

// fieldsReason is the verdict on an object, found field by field from what
// encoding/json reads.
func fieldsReason(t *testing.T, decoder *Decoder, value []byte) Reason {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		t.Fatal(err)
	}
	found := map[Reason]bool{}
	for _, f := range decoder.judge.fields {
		found[fieldReason(decoder, &f, string(members[f.Name]))] = true
	}
	for _, reason := range Reasons() {
		if found[reason] {
			return reason
		}
	}
	return ""
}

func fieldReason(decoder *Decoder, f *field, raw string) Reason {
	var text string
	var number json.Number
	isText := strings.HasPrefix(raw, `"`) && json.Unmarshal([]byte(raw), &text) == nil
	isNumber := !isText && json.Unmarshal([]byte(raw), &number) == nil
	switch numeric := f.Type == Int64 || f.Type == Float64; {
	case raw == "" || raw == "null":
		if f.Nullable {
			return ""
		}
		return MissingField
	case numeric != isNumber || !numeric && !isText:
		return WrongType
	case numeric:
		return numberReason(f, number.String())
	case f.NonEmpty && text == "":
		return MissingField
	case f.OneOf != nil && !slices.Contains(f.OneOf, text):
		return UnknownValue
	case f.Type == Timestamp:
		clock := clock{location: decoder.judge.clock.location}
		micros, ok := clock.parse([]byte(text)) // held by tests of its own
		if at := time.UnixMicro(micros); !ok {
			return BadTimestamp
		} else if at.Before(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) || at.After(reference.Add(24*time.Hour)) {
			return AbsurdTimestamp
		}
	}
	return ""
}

func numberReason(f *field, text string) Reason {
	x, err := strconv.ParseFloat(text, 64)
	if f.Type == Int64 {
		_, whole, fits := parseInt([]byte(text)) // held by tests of its own
		if !whole {
			return WrongType
		}
		if !fits {
			return OutOfRange
		}
	}
	if err != nil || f.Min != nil && x < *f.Min || f.Over != nil && x <= *f.Over || f.Max != nil && x > *f.Max {
		return OutOfRange
	}
	return ""
}

// syntaxReason is the verdict on a value as far as it does not depend on
// fields, or "" for an object.
func syntaxReason(value []byte) Reason {
	switch {
	case value == nil:
		return Tombstone
	case len(value) == 0:
		return Empty
	case !utf8.Valid(value):
		return NotUTF8
	case !json.Valid(value) || halfSurrogate(value) || tooDeepOrRepeated(value):
		return NotJSON
	case bytes.TrimLeft(value, " \t\r\n")[0] != '{':
		return NotObject
	}
	return ""
}

// halfSurrogate reports whether a JSON text has an escaped surrogate without its
// partner. encoding/json reads such a one as U+FFFD.
func halfSurrogate(value []byte) bool {
	high := -1 // where the partner of a high surrogate must be
	for i := 0; i < len(value); i++ {
		if i == high && !bytes.HasPrefix(value[i:], []byte(`\u`)) {
			return true
		}
		if value[i] != '\\' {
			continue
		}
		if value[i+1] != 'u' {
			i++
			continue
		}
		unit, _ := strconv.ParseUint(string(value[i+2:i+6]), 16, 16)
		isHigh, isLow := unit>>10 == 0xd800>>10, unit>>10 == 0xdc00>>10
		if isLow != (i == high) {
			return true
		}
		if isHigh {
			high = i + 6
		}
		i += 5
	}
	return false
}

// tooDeepOrRepeated walks over a JSON text by encoding/json's tokens.
func tooDeepOrRepeated(value []byte) bool {
	type level struct {
		keys  map[string]bool // nil in an array
		value bool            // a value comes next
	}
	var levels []level
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return false
		}
		if err != nil {
			return false // json.Valid has its say
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels) - 1; n >= 0 && levels[n].keys != nil {
			if key, ok := token.(string); ok && !levels[n].value {
				if levels[n].keys[key] {
					return true
				}
				levels[n].keys[key], levels[n].value = true, true
				continue
			}
			levels[n].value = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{keys: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		}
		if len(levels) > maxDepth {
			return true
		}
	}
}

// unwrapped returns what is in an object that is an envelope, as encoding/json
// reads it, or the verdict on it.
func unwrapped(t *testing.T, value []byte) ([]byte, Reason) {
	t.Helper()
	for range maxEnvelopes {
		var has map[string]json.RawMessage
		if err := json.Unmarshal(value, &has); err != nil {
			t.Fatal(err)
		}
		kind := func(name string) string { return string(append(has[name], ' ')[:1]) }
		var inner json.RawMessage
		other := func() bool {
			for name := range has {
				if !slices.Contains(strings.Fields("before after source op ts_ms ts_us ts_ns transaction"), name) {
					return true
				}
			}
			return false
		}
		switch op := string(has["op"]); {
		case len(has) == 2 && has["payload"] != nil && (kind("schema") == "{" || kind("schema") == "n"):
			if inner = has["payload"]; string(inner) == "null" {
				return nil, Tombstone
			}
		case string(has["__deleted"]) == "true" || string(has["__deleted"]) == `"true"` || !other() && (op == `"d"` || op == `"t"`):
			return nil, Deleted
		case !other() && (op == `"c"` || op == `"u"` || op == `"r"`) && kind("after") == "{":
			inner = has["after"]
		case kind("specversion")+kind("id")+kind("source")+kind("type") == `""""`:
			encoded := has["data_base64"]
			inner = has["data"]
			if (inner == nil) == (encoded == nil) {
				return value, ""
			}
			if inner == nil {
				var text string
				if kind("data_base64") != `"` {
					return value, ""
				}
				if json.Unmarshal(encoded, &text) != nil {
					return nil, NotJSON
				}
				decoded, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					return nil, NotJSON
				}
				inner = append([]byte{}, decoded...)
				if bytes.HasPrefix(inner, []byte("\xef\xbb\xbf")) && len(inner) > 3 {
					inner = inner[3:]
				}
			}
		default:
			return value, ""
		}
		value = inner
		if reason := syntaxReason(value); reason == Empty {
			return nil, NotJSON
		} else if reason != "" {
			return nil, reason
		}
	}
	return value, ""
}

func compareWithEncodingJSON(t *testing.T, decoder *Decoder, row Row, value []byte) {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(value, &raw); err != nil {
		t.Fatal(err)
	}
	for i := range decoder.judge.fields {
		f, v := &decoder.judge.fields[i], &row[i]
		text, ok := raw[f.Name]
		delete(raw, f.Name)
		if !ok || string(text) == "null" {
			if !v.Null() || !f.Nullable {
				t.Fatalf("%s is %s, want NULL", f.Name, show(v))
			}
			continue
		}
		if v.Type != f.Type || !sameValue(t, v, text) {
			t.Fatalf("%s is %s, want %s", f.Name, show(v), text)
		}
	}
	extra := row[len(decoder.judge.fields)]
	if extra.Null() != (len(raw) == 0) {
		t.Fatalf("extra is %s for %v", show(&extra), raw)
	}
	if !extra.Null() {
		var kept map[string]json.RawMessage
		if err := json.Unmarshal(extra.Text(), &kept); err != nil || len(kept) != len(raw) {
			t.Fatalf("extra %s has not the %d fields of %v: %v", extra.Text(), len(raw), raw, err)
		}
		for name, text := range raw {
			if !bytes.Equal(kept[name], text) {
				t.Fatalf("extra has %s for %q, want %s", kept[name], name, text)
			}
		}
	}
}

func sameValue(t *testing.T, v *Value, text []byte) bool {
	t.Helper()
	switch v.Type {
	case Int64:
		if len(text) > 1000 {
			return true
		}
		want, ok := new(big.Rat).SetString(string(text))
		return ok && want.Cmp(new(big.Rat).SetInt64(v.Int())) == 0
	case Float64:
		want, err := strconv.ParseFloat(string(text), 64)
		return err == nil && want == v.Float()
	}
	var want string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if v.Type == Timestamp {
		at, err := time.Parse(time.RFC3339Nano, want)
		if err != nil {
			return true // one of the formats that the time package does not read
		}
		return at.UnixMicro() == v.Int() || strings.Contains(want, ":60")
	}
	return want == string(v.Text())
}

func compareWhenWrittenAgain(t *testing.T, decoder *Decoder, row Row) {
	t.Helper()
	fields := map[string]any{}
	if extra := row[len(row)-1]; !extra.Null() {
		var unknown map[string]json.RawMessage
		if err := json.Unmarshal(extra.Text(), &unknown); err != nil {
			t.Fatal(err)
		}
		for name, text := range unknown {
			fields[name] = text
		}
	}
	for i := range decoder.judge.fields {
		fields[decoder.judge.fields[i].Name] = goValue(&row[i])
		if row[i].Type == Timestamp {
			fields[decoder.judge.fields[i].Name] = row[i].Time()
		}
	}
	written, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	again := make(Row, len(row))
	if rejection := decoder.Decode(again, written, reference); rejection != nil {
		t.Fatalf("written again as %s: %v", written, *rejection)
	}
	for i := range decoder.judge.fields {
		if goValue(&again[i]) != goValue(&row[i]) {
			t.Fatalf("%s is %s, written again %s", decoder.judge.fields[i].Name, show(&row[i]), show(&again[i]))
		}
	}
}
