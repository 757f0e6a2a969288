package event

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What programs put around an event is taken off, where nothing else can be
// meant.
func TestDecode_Envelopes(t *testing.T) {
	inner := typical["incidents"]
	noID := with(t, "incidents", "id", "")
	cloud := func(data string) string {
		return `{"specversion":"1.0","id":"envelope-1","source":"/stations","type":"io.stations.incident","time":"2026-11-22T07:30:01Z","data":` + data + `}`
	}
	debezium := func(op, before, after string) string {
		return fmt.Sprintf(`{"before":%s,"after":%s,"source":{"version":"3.0.8.Final","id":"source-1"},"op":%q,"ts_ms":1795332600000,"ts_us":1795332600000000,"transaction":null}`, before, after, op)
	}
	connect := func(payload string) string {
		return `{"schema":{"type":"struct","fields":[]},"payload":` + payload + `}`
	}
	extended := func(more string) string { return strings.TrimSuffix(inner, "}") + "," + more + "}" }
	tests := []struct {
		name, value string
		want        Reason
		detail      string
	}{
		{"connect", connect(inner), "", ""},
		{"connect without a schema", `{"schema":null,"payload":` + inner + `}`, "", ""},
		{"connect, other order and spaces", "\n{ \"payload\" : " + inner + " ,\n\"schema\" : {} }\n", "", ""},
		{"connect behind a byte order mark", "\ufeff" + connect(inner), "", ""},
		{"connect, null", connect("null"), Tombstone, "payload is null"},
		{"connect, no object", connect("[1]"), NotObject, "in Kafka Connect's payload: the value is an array"},
		{"connect, event without id", connect(noID), MissingField, `in Kafka Connect's payload: field "id" is absent`},
		{"connect and more", `{"schema":{},"payload":` + inner + `,"more":1}`, MissingField, `field "id" is absent`},
		{"debezium, create", debezium("c", "null", inner), "", ""},
		{"debezium, read", debezium("r", "null", inner), "", ""},
		{"debezium, update", debezium("u", noID, inner), "", ""},
		{"debezium, delete", debezium("d", inner, "null"), Deleted, "op is d"},
		{"debezium, truncate", `{"source":{},"op":"t","ts_ms":1}`, Deleted, "op is t"},
		{"debezium, message", debezium("m", "null", "null"), MissingField, ""},
		{"debezium, unknown op", debezium("x", "null", inner), MissingField, ""},
		{"debezium, event without id", debezium("c", "null", noID), MissingField, `in Debezium's after: field "id" is absent`},
		{"debezium with its schema", connect(debezium("c", "null", inner)), "", ""},
		{"debezium with its schema, delete", connect(debezium("d", inner, "null")), Deleted, ""},
		{"debezium, flattened delete", extended(`"__deleted":"true"`), Deleted, "__deleted"},
		{"debezium, flattened delete as truth", extended(`"__deleted":true`), Deleted, "__deleted"},
		{"debezium, flattened", extended(`"__deleted":"false"`), "", ""},
		{"cloudevent", cloud(inner), "", ""},
		{"cloudevent in base64", strings.Replace(cloud(strconv.Quote(base64.StdEncoding.EncodeToString([]byte(inner)))), `"data"`, `"data_base64"`, 1), "", ""},
		{"cloudevent in base64, not UTF-8", strings.Replace(cloud(`"/w=="`), `"data"`, `"data_base64"`, 1), NotUTF8, ""},
		{"cloudevent in base64 that is none", strings.Replace(cloud(`"???"`), `"data"`, `"data_base64"`, 1), NotJSON, "base64"},
		{"cloudevent, event without id", cloud(noID), MissingField, `in the CloudEvent's data: field "id" is absent`},
		{"cloudevent with attributes as the event's fields", strings.TrimSuffix(cloud(noID), "}") + `,"station":"s","location":"l","timestamp":"2026-11-22T07:30:00Z","severity":"Major","duration":1}`, MissingField, `"id"`},
		{"cloudevent without data", `{"specversion":"1.0","id":"x","source":"/s","type":"t"}`, MissingField, ""},
		{"cloudevent, text", cloud(`"text"`), NotObject, "a string"},
		{"cloudevent of a change event with its schema", cloud(connect(debezium("c", "null", inner))), "", ""},
		{"an event with fields of such names", extended(`"schema":{},"payload":{"id":"y"},"op":"d","after":{"id":"z"},"data":{"id":"d"},"specversion":"1.0"`), "", ""},
		{"an envelope that is no JSON", connect(inner) + "x", NotJSON, ""},
		{"deep", strings.Repeat(`{"schema":null,"payload":`, 40) + inner + strings.Repeat("}", 40), MissingField, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			row := check(t, "incidents", test.value, test.want, test.detail)
			if row == nil {
				return
			}
			if id := string(row[0].Text()); id != "incident-20261122-000117" {
				t.Errorf("id is %s", id)
			}
			if test.value != extended(`"__deleted":"false"`) && !strings.HasPrefix(test.name, "an event") && !row[len(row)-1].Null() {
				t.Errorf("extra is %s", row[len(row)-1].Text())
			}
		})
	}
}

func TestDecode_MarksAndOtherEncodings(t *testing.T) {
	encode := func(text string, width int, big bool) string {
		var b strings.Builder
		for _, c := range text {
			unit := make([]byte, width)
			for i := range unit {
				at := i
				if big {
					at = width - 1 - i
				}
				unit[at] = byte(uint32(c) >> (8 * i))
			}
			b.Write(unit)
		}
		return b.String()
	}
	inner := typical["incidents"]
	check(t, "incidents", "\ufeff"+inner, "", "")
	check(t, "incidents", "\ufeff", NotJSON, "")
	check(t, "incidents", "\ufeff\ufeff"+inner, NotJSON, "at byte 3")
	check(t, "incidents", "\ufeff"+inner+"x", NotJSON, "'x'")
	for _, big := range []bool{false, true} {
		check(t, "incidents", encode("\ufeff"+inner, 2, big), NotUTF8, "the value is in UTF-16: write it in UTF-8")
		check(t, "incidents", encode("\ufeff"+inner, 4, big), NotUTF8, "the value is in UTF-32: write it in UTF-8")
		check(t, "incidents", encode(inner, 2, big), NotJSON, "the value is in UTF-16: write it in UTF-8")
		check(t, "incidents", encode(inner, 4, big), NotJSON, "the value is in UTF-32: write it in UTF-8")
	}
	check(t, "incidents", encode(strings.Replace(inner, "Gare", "Gär", 1), 2, false), NotUTF8, "UTF-16")
}

// A field that is there under another spelling, and a number in quotes, are
// refused with a sentence that shows it.
func TestDecode_OtherSpellings(t *testing.T) {
	for name, other := range map[string]string{"id": "ID", "train_id": "trainId", "waiting_time": "WAITING_TIME", "ticket_check_time": "Ticket-Check-Time", "reduced_flow_factor": "reducedFlowFactor"} {
		value := strings.Replace(typical["passenger_flow"], `"`+name+`"`, `"`+other+`"`, 1)
		check(t, "passenger_flow", value, MissingField, fmt.Sprintf("field %q is absent, but `%s` is there", name, other))
	}
	check(t, "incidents", strings.ToUpper(`{"id":"x"}`), MissingField, "but `ID` is there")
	check(t, "incidents", strings.Replace(typical["incidents"], `"id"`, `"idx"`, 1), MissingField, `field "id" is absent`)
	check(t, "train_arrivals", with(t, "train_arrivals", "passengers", `"412"`), WrongType, `field "passengers" is a string, not a whole number, but 412 is in it: write it without quotes`)
	check(t, "incidents", with(t, "incidents", "duration", `"4.5e1"`), WrongType, "but 4.5e1 is in it")
	check(t, "incidents", with(t, "incidents", "duration", `"4.5 min"`), WrongType, "is a string, not a number")
}

func TestDecode_NumbersForTimestamps(t *testing.T) {
	const half = "2026-11-22T07:30:00.5Z"
	tests := []struct {
		unit   EpochUnit
		number string
		want   string // the moment or the reason
		detail string
	}{
		{"", "1795332600", "wrong_type", "STATION_EPOCH_UNIT"},
		{Seconds, "1795332600", "2026-11-22T07:30:00Z", ""},
		{Seconds, "1795332600.500000000", half, ""}, // Jackson 2
		{Seconds, "1795332600.0", "2026-11-22T07:30:00Z", ""},
		{Seconds, "1795332600.1234569", "2026-11-22T07:30:00.123456Z", ""},
		{Seconds, "17.953326005e8", half, ""},
		{Seconds, "17953326005e-1", half, ""},
		{Milliseconds, "1795332600500", half, ""},
		{Milliseconds, "1795332600500.25", "2026-11-22T07:30:00.50025Z", ""},
		{Microseconds, "1795332600500000", half, ""},
		{Microseconds, "1795332600500000.9", half, ""},
		{Nanoseconds, "1795332600500000999", half, ""},
		{Nanoseconds, "1.7953326005e18", half, ""},
		{Seconds, "1795332600000", "absurd_timestamp", "1795332600000, which as s since 1970 is "},
		{Milliseconds, "1795332600", "absurd_timestamp", "1970-01-21T"},
		{Seconds, "0", "absurd_timestamp", "1970-01-01"},
		{Seconds, "-1795332600", "absurd_timestamp", "before the year 2000"},
		{Seconds, "1e300", "absurd_timestamp", "beyond all dates"},
		{Seconds, "-1e999999999999999999999", "absurd_timestamp", "beyond all dates"},
		{Seconds, "1e-999999999999999999999", "absurd_timestamp", "1970-01-01"},
		{Seconds, "9223372036854775808", "absurd_timestamp", "beyond all dates"},
		{Nanoseconds, strings.Repeat("9", 100_000), "absurd_timestamp", "beyond all dates"},
	}
	for _, test := range tests {
		decoder, row := newDecoder(t, "incidents", time.UTC)
		decoder.ReadEpoch(test.unit)
		rejection := decoder.Decode(row, []byte(with(t, "incidents", "timestamp", test.number)), reference)
		got, detail := "", ""
		if rejection != nil {
			got, detail = string(rejection.Reason), rejection.Detail
		} else {
			got = row[4].Time().Format(time.RFC3339Nano)
		}
		if got != test.want || !strings.Contains(detail, test.detail) {
			t.Errorf("%.40s in %q is %s (%s), want %s (%s)", test.number, test.unit, got, detail, test.want, test.detail)
		}
	}
	decoder, row := newDecoder(t, "incidents", time.UTC)
	decoder.ReadEpoch(Seconds)
	if r := decoder.Decode(row, []byte(typical["incidents"]), reference); r != nil {
		t.Errorf("with a unit, text is refused: %v", *r)
	}
}
