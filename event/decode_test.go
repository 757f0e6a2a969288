package event

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// reference is the Kafka timestamp of the records in these tests.
var reference = time.Date(2026, 11, 22, 7, 35, 0, 0, time.UTC)

// schemas are those of all topics, made once. Tests only read them.
var schemas = sync.OnceValue(func() map[string]*Schema {
	all := map[string]*Schema{}
	for _, topic := range append(Topics(), CanaryTopic) {
		all[topic], _ = SchemaOf(topic)
	}
	return all
})

func newDecoder(t testing.TB, topic string, location *time.Location) (*Decoder, Row) {
	t.Helper()
	schema, ok := schemas()[topic]
	if !ok {
		t.Fatalf("no topic %s", topic)
	}
	return NewDecoder(schema, location), make(Row, len(schema.Columns)+1)
}

// with returns the topic's typical event with another value for a field; an
// empty one removes the field.
func with(t testing.TB, topic, field, value string) string {
	t.Helper()
	member := regexp.MustCompile(`"` + field + `":("[^"]*"|[^,}]*),?`)
	text := typical[topic]
	at := member.FindStringIndex(text)
	if at == nil {
		t.Fatalf("%s has no field %s", text, field)
	}
	if value != "" {
		value = `"` + field + `":` + value + ","
	}
	changed := text[:at[0]] + value + text[at[1]:]
	return strings.Replace(changed, ",}", "}", 1)
}

// check decodes a value and compares the verdict: "" for accepted, else the
// reason. detail, if any, must be part of the rejection's.
func check(t *testing.T, topic, value string, want Reason, detail string) Row {
	t.Helper()
	decoder, row := newDecoder(t, topic, time.UTC)
	rejection := decoder.Decode(row, []byte(value), reference)
	switch {
	case rejection == nil && want == "":
		return row
	case rejection == nil:
		t.Errorf("%.200s\naccepted, want %s", value, want)
	case rejection.Reason != want:
		t.Errorf("%.200s\nrefused: %s (%s), want %q", value, rejection.Reason, rejection.Detail, want)
	case !strings.Contains(rejection.Detail, detail):
		t.Errorf("%.200s\ndetail %q, want it to say %q", value, rejection.Detail, detail)
	}
	return nil
}

func TestDecode_TypicalEventsAreAccepted(t *testing.T) {
	for _, topic := range Topics() {
		check(t, topic, typical[topic], "", "")
		schema, _ := SchemaOf(topic)
		for _, column := range schema.Columns {
			if column.Nullable {
				check(t, topic, with(t, topic, column.Name, ""), "", "")
				check(t, topic, with(t, topic, column.Name, "null"), "", "")
			}
		}
	}
}

// Every field of every topic, against every rule that its type and tags give.
func TestDecode_EveryFieldOfEveryTopic(t *testing.T) {
	kinds := map[string]Type{`"text"`: String, `12`: Int64, `true`: 0, `false`: 0, `{}`: 0, `{"a":[1]}`: 0, `[]`: 0, `["a"]`: 0, `"12"`: String}
	for _, topic := range Topics() {
		schema, _ := SchemaOf(topic)
		for _, c := range schema.Columns {
			name := fmt.Sprintf("field %q", c.Name)
			refused := func(value string, want Reason) {
				t.Helper()
				check(t, topic, with(t, topic, c.Name, value), want, name)
			}
			if !c.Nullable {
				refused("", MissingField)
				refused("null", MissingField)
			}
			if c.NonEmpty {
				refused(`""`, MissingField)
			}
			for value, kind := range kinds {
				numeric := c.Type == Int64 || c.Type == Float64
				if kind == 0 || numeric == (kind == String) {
					refused(value, WrongType)
				}
			}
			switch c.Type {
			case Int64:
				refused("3.5", WrongType)
				refused("1e-3", WrongType)
				refused("-1", OutOfRange)
				refused("9223372036854775808", OutOfRange)
				refused("1e999999999", OutOfRange)
			case Float64:
				refused("-0.5", OutOfRange)
				refused("1e309", OutOfRange)
				refused("-1e309", OutOfRange)
			case Timestamp:
				refused(`"yesterday"`, BadTimestamp)
				refused(`""`, BadTimestamp)
				refused(`"1999-12-31T23:59:59.999999Z"`, AbsurdTimestamp)
				refused(`"2026-11-23T07:35:00.000001Z"`, AbsurdTimestamp)
				check(t, topic, with(t, topic, c.Name, `"2026-11-23T07:35:00Z"`), "", "")
				check(t, topic, with(t, topic, c.Name, `"2000-01-01T00:00:00Z"`), "", "")
			}
			if c.OneOf != nil {
				refused(`"`+strings.ToLower(c.OneOf[0])+`"`, UnknownValue)
				refused(`""`, UnknownValue)
				for _, allowed := range c.OneOf {
					check(t, topic, with(t, topic, c.Name, `"`+allowed+`"`), "", "")
				}
			}
		}
	}
}

func TestDecode_ReducedFlowFactorIsOverZeroAndAtMostOne(t *testing.T) {
	for value, want := range map[string]Reason{
		"0": OutOfRange, "0.0": OutOfRange, "-0": OutOfRange, "1e-400": OutOfRange, "1.0000001": OutOfRange, "-0.1": OutOfRange, "2": OutOfRange,
		"1": "", "1.0": "", "0.0001": "", "5e-324": "", "10e-1": "",
	} {
		check(t, "passenger_flow", with(t, "passenger_flow", "reduced_flow_factor", value), want, "")
	}
}

func TestDecode_Reasons(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	extra := func(value string) string { return with(t, "incidents", "type", `"x","more":`+value) }
	tests := []struct {
		value  string
		want   Reason
		detail string
	}{
		{"", Empty, "no bytes"},
		{" \t\r\n", NotJSON, "the value ends where a value should be"},
		{"\xff", NotUTF8, "at byte 0: 0xff is not UTF-8"},
		{"{\"id\":\"\xc3\"}", NotUTF8, "at byte 7: 0xc3"},
		{"{\"id\":\"\xed\xa0\x80\"}", NotUTF8, ""}, // a surrogate in UTF-8
		{"{\"id\":\"\xc0\x80\"}", NotUTF8, ""},     // NUL in two bytes
		{"{\"id\":\"é\",\xe9}", NotUTF8, "at byte 11"},
		{"not json \xff", NotUTF8, ""},
		{"null", NotObject, "null"},
		{" null ", NotObject, "null"},
		{"true", NotObject, "a truth value"},
		{"-1.5e3", NotObject, "a number"},
		{`"text"`, NotObject, "a string"},
		{`[{"id":"x"}]`, NotObject, "an array"},
		{"nul", NotJSON, "at byte 0"},
		{"\f{}", NotJSON, "at byte 0"},
		{"{}\v", NotJSON, "at byte 2"},
		{"{\u00a0}", NotJSON, "at byte 1"},
		{"NaN", NotJSON, ""},
		{"{}", MissingField, `field "id" is absent`},
		{" { } ", MissingField, `field "id" is absent`},
		{"{", NotJSON, "at byte 1: the value ends where a key should be"},
		{"{}}", NotJSON, "at byte 2: '}' where the value's end should be"},
		{"{} {}", NotJSON, "at byte 3"},
		{`{"id":"x",}`, NotJSON, "at byte 10"},
		{`{,"id":"x"}`, NotJSON, "at byte 1"},
		{`{"id" "x"}`, NotJSON, "where a colon should be"},
		{`{"id":"x" "station":"y"}`, NotJSON, "a comma or the object's end"},
		{`{id:"x"}`, NotJSON, "where a key should be"},
		{`{'id':"x"}`, NotJSON, ""},
		{`{"id":"x"`, NotJSON, "at byte 9"},
		{`{"id":"x`, NotJSON, "the string's end"},
		{`{"id":`, NotJSON, "where a value should be"},
		{`{"id":"x"} // comment`, NotJSON, ""},
		{"{\"id\":\"a\nb\"}", NotJSON, "control character 0x0a"},
		{"{\"id\":\"a\x00b\"}", NotJSON, "control character 0x00"},
		{"{\"id\":\"a\\n\x01\"}", NotJSON, "control character 0x01"},
		{"{\"id\":\x00\"a\"}", NotJSON, ""},
		{`{"id":"\x41"}`, NotJSON, "an escape"},
		{`{"id":"\u12g4"}`, NotJSON, "four hexadecimal digits"},
		{`{"id":"\u12"}`, NotJSON, "four hexadecimal digits"},
		{`{"id":"\`, NotJSON, ""},
		{`{"id":"\ud83d"}`, NotJSON, `\ud83d is half of a surrogate pair`},
		{`{"id":"\ude00"}`, NotJSON, `\ude00 is half of a surrogate pair`},
		{`{"id":"\ud83dx"}`, NotJSON, "surrogate pair"},
		{`{"id":"\ud83d\ud83d"}`, NotJSON, "surrogate pair"},
		{`{"id":"\ude00\ud83d"}`, NotJSON, "surrogate pair"},
		{`{"id":"x","id":"x"}`, NotJSON, `key "id" occurs twice`},
		{`{"id":"x","\u0069d":"y"}`, NotJSON, `key "id" occurs twice`},
		{`{"\u0069d":"x","id":"y"}`, NotJSON, `key "id" occurs twice`},
		{`{"a":1,"b":2,"a":3}`, NotJSON, `key "a" occurs twice`},
		{`{"a":1,"\u0061":3}`, NotJSON, `key "a" occurs twice`},
		{`{"":1,"":3}`, NotJSON, `key "" occurs twice`},
		{extra(`{"a":{"b":1,"b":1}}`), NotJSON, `key "b" occurs twice`},
		{extra(`[{"b":1,"c":[],"b":1}]`), NotJSON, `key "b" occurs twice`},
		{with(t, "incidents", "duration", `{"b":1,"b":2}`), NotJSON, `key "b" occurs twice`},
		{extra(`{"a":1,"b":{"a":1,"more":{"a":2}},"c":{"a":1}}`), "", ""},
		{extra(deep(63)), "", ""},
		{extra(deep(64)), NotJSON, "deeper than 64 levels"},
		{deep(64), NotObject, ""},
		{deep(65), NotJSON, "deeper than 64 levels"},
		{strings.Repeat(`{"a":`, 100_000), NotJSON, "deeper than 64 levels"},
		{extra(`01`), NotJSON, ""},
		{extra(`-`), NotJSON, "a digit"},
		{extra(`1.`), NotJSON, "a digit"},
		{extra(`.5`), NotJSON, ""},
		{extra(`1e`), NotJSON, "a digit"},
		{extra(`1e+`), NotJSON, "a digit"},
		{extra(`+1`), NotJSON, ""},
		{extra(`0x10`), NotJSON, ""},
		{extra(`Infinity`), NotJSON, ""},
		{extra(`truE`), NotJSON, ""},
		{extra(`[1,]`), NotJSON, ""},
		{extra(`[1 2]`), NotJSON, "a comma or the array's end"},
		{extra(`[`), NotJSON, ""},
		{extra(`1e999999999`), "", ""},
		{with(t, "incidents", "duration", `01`), NotJSON, ""},
		{with(t, "incidents", "duration", `1_000`), NotJSON, ""},
		{with(t, "incidents", "id", `"\u0000"`), "", ""},
		{with(t, "incidents", "id", `" "`), "", ""},
		{with(t, "incidents", "type", `""`), "", ""},
	}
	for _, test := range tests {
		check(t, "incidents", test.value, test.want, test.detail)
	}
	decoder, row := newDecoder(t, "incidents", time.UTC)
	if r := decoder.Decode(row, nil, reference); r == nil || *r != (Rejection{Tombstone, "the value is null"}) {
		t.Errorf("null: %v", r)
	}
}

func TestDecode_ObjectsWithManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, `,"key%d":0`, i)
	}
	text := strings.TrimSuffix(typical["incidents"], "}")
	check(t, "incidents", text+b.String()+"}", "", "")
	check(t, "incidents", text+b.String()+`,"key7":0}`, NotJSON, `key "key7" occurs twice`)
}

// Two faults in one event, in both orders: the reason declared first wins.
func TestDecode_Precedence(t *testing.T) {
	faults := []struct {
		reason Reason
		field  string
		value  string
	}{
		{MissingField, "station", "null"},
		{WrongType, "train_number", "1"},
		{OutOfRange, "passengers", "-1"},
		{UnknownValue, "direction", `"Up"`},
		{BadTimestamp, "scheduled_timestamp", `"soon"`},
		{AbsurdTimestamp, "timestamp", `"1970-01-01T00:00:00Z"`},
	}
	rest := map[string]string{"id": `"x"`, "station": `"s"`, "timestamp": `"2026-11-22T07:00:00Z"`, "passengers": "1", "dock_number": "1", "wagon_count": "1", "direction": `"North"`}
	for i, first := range faults {
		for _, second := range faults[i+1:] {
			bad := []string{fmt.Sprintf("%q:%s", first.field, first.value), fmt.Sprintf("%q:%s", second.field, second.value)}
			var good []string
			for field, value := range rest {
				if field != first.field && field != second.field {
					good = append(good, fmt.Sprintf("%q:%s", field, value))
				}
			}
			for _, order := range [][]string{{bad[0], bad[1]}, {bad[1], bad[0]}} {
				event := "{" + strings.Join(append(order, good...), ",") + "}"
				check(t, "train_arrivals", event, first.reason, first.field)
				check(t, "train_arrivals", event+"x", NotJSON, "")
				check(t, "train_arrivals", strings.Replace(event, "}", ",\"id\":\"x\"}", 1), NotJSON, "occurs twice")
				check(t, "train_arrivals", event+"x\xff", NotUTF8, "")
			}
		}
	}
	check(t, "incidents", `[1,`, NotJSON, "")
	check(t, "incidents", `["\ud800"]`, NotJSON, "")
	check(t, "incidents", `{"id":1}`, MissingField, `"type" is absent`)
}

func TestReasons_AreInDeclaredOrder(t *testing.T) {
	source, err := os.ReadFile("row.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`\bReason += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	reasons := Reasons()
	if len(declared) != len(reasons) {
		t.Fatalf("%d constants, %d reasons", len(declared), len(reasons))
	}
	for i, constant := range declared {
		if Reason(constant[1]) != reasons[i] {
			t.Errorf("reason %d is %s, declared is %s", i, reasons[i], constant[1])
		}
	}
}

// A field of another case is unknown, so the field itself is missing.
func TestDecode_NamesMatchExactly(t *testing.T) {
	for _, name := range []string{"ID", "Id", "id ", " id", "iD", "ıd"} {
		check(t, "incidents", strings.Replace(typical["incidents"], `"id"`, `"`+name+`"`, 1), MissingField, `"id" is absent`)
	}
	check(t, "incidents", strings.Replace(typical["incidents"], `"id"`, `"\u0069\u0064"`, 1), "", "")
}

// A detail repeats at most a short part of the record, and stays UTF-8.
func TestDecode_DetailsAreShort(t *testing.T) {
	long := strings.Repeat("é", 1_000_000)
	for _, value := range []string{
		with(t, "incidents", "severity", `"x`+long+`"`),
		with(t, "incidents", "timestamp", `"`+long+`"`),
		with(t, "incidents", "duration", "-1"+strings.Repeat("0", 1_000_000)),
		with(t, "train_arrivals", "passengers", "1."+strings.Repeat("1", 1_000_000)),
		`{"x` + long + `":1,"x` + long + `":1}`,
	} {
		topic := "incidents"
		if strings.Contains(value, "passengers") {
			topic = "train_arrivals"
		}
		decoder, row := newDecoder(t, topic, time.UTC)
		rejection := decoder.Decode(row, []byte(value), reference)
		if rejection == nil || len(rejection.Detail) > 200 {
			t.Errorf("%.40s: %v", value, rejection)
		}
		if rejection != nil && strings.Contains(rejection.Detail, `\x`) {
			t.Errorf("detail %s cuts a character in two", rejection.Detail)
		}
	}
}
