package event

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzDecode holds Decode to these:
//   - it does not panic, and a second decoder says the same;
//   - empty and not_utf8 are said of exactly those values;
//   - else not_json is said of exactly the values that encoding/json refuses
//     and those that break one of the stricter rules;
//   - not_object is said of exactly the JSON values that are none;
//   - an envelope's verdict is that of what is in it;
//   - an object's verdict is that of its fields, checked one by one;
//   - the fields and extra of an accepted event are what encoding/json reads;
//   - an accepted row, written as an event again, decodes to an equal row.
func FuzzDecode(f *testing.F) {
	for i, topic := range Topics() {
		f.Add(uint8(i), []byte(typical[topic]))
		f.Add(uint8(i), []byte(strings.Replace(typical[topic], "}", `,"more":{"a":[1,"\u00e9",null]}}`, 1)))
	}
	for _, value := range []string{"", " ", "null", "[]", "{}", "\xff", `{"id":"x","\u0069d":"y"}`, `{"a":{"b":1,"b":2}}`,
		`{"id":"\ud83d\ude00"}`, `{"id":"\ud83d"}`, `{"a":1e999999999}`, strings.Repeat("[", 65) + strings.Repeat("]", 65),
		with(f, "train_arrivals", "passengers", "9223372036854775807.0"), with(f, "train_arrivals", "passengers", "3e-1"),
		with(f, "train_arrivals", "timestamp", `"2026-03-29T02:30:00"`), with(f, "train_arrivals", "timestamp", `"20161231T235960,5+0000"`)} {
		f.Add(uint8(2), []byte(value))
	}
	inner := typical["train_arrivals"]
	for _, value := range []string{"\ufeff" + inner, `{"schema":{},"payload":` + inner + `}`, `{"schema":null,"payload":null}`,
		`{"before":null,"after":` + inner + `,"op":"c","source":{},"ts_ms":1}`, `{"before":` + inner + `,"after":null,"op":"d"}`,
		`{"specversion":"1.0","id":"e","source":"s","type":"t","data":` + inner + `}`, `{"specversion":"1.0","id":"e","source":"s","type":"t","data_base64":"e30="}`,
		strings.Replace(inner, "}", `,"__deleted":"true"}`, 1), strings.Replace(inner, `"id"`, `"ID"`, 1), "{\x00", "\x00{"} {
		f.Add(uint8(2), []byte(value))
	}
	paris := location(f, "Europe/Paris")
	f.Fuzz(func(t *testing.T, index uint8, value []byte) {
		holdDecode(t, Topics()[int(index)%len(Topics())], value, paris)
	})
}

// Events put together from known and unknown names and values of all kinds,
// most of them with one or two faults, held to the same as FuzzDecode.
func TestDecode_RandomMembers(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	paris := location(t, "Europe/Paris")
	values := []string{`"x"`, `""`, `"North"`, `"Major"`, `"\u0041\ud83d\ude00"`, `"\udc00"`, `"2026-11-22T07:30:00"`, `"20261122 0730Z"`, `"2026-11-22"`, `"2031-01-01T00:00:00Z"`, `"1999-12-31T23:59Z"`,
		"0", "-0", "3", "3.0", "3e2", "0.5", "1.5", "-1", "-1e-400", "1e400", "-1e400", "9223372036854775807", "9223372036854775808", "1e19", "01", "null", "true", "nul", "[]", "{}", `{"a":1,"a":2}`, `[{"id":"x"}]`}
	verdicts := map[Reason]int{}
	for n := range 20_000 {
		topic := Topics()[n%len(Topics())]
		schema := schemas()[topic]
		var members []string
		for _, c := range schema.Columns {
			if random.IntN(25) == 0 {
				continue
			}
			value := example(c)
			if random.IntN(8) == 0 {
				value = values[random.IntN(len(values))]
			}
			members = append(members, strconv.Quote(c.Name)+":"+value)
		}
		if random.IntN(8) == 0 {
			name := []string{"id", `\u0069d`, "ID", "more", "extra", ""}[random.IntN(6)]
			members = append(members, `"`+name+`":`+values[random.IntN(len(values))])
		}
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		verdicts[holdDecode(t, topic, []byte("{"+strings.Join(members, ",")+"}"), paris)]++
	}
	for _, reason := range []Reason{"", NotJSON, MissingField, WrongType, OutOfRange, UnknownValue, BadTimestamp, AbsurdTimestamp} {
		if verdicts[reason] < 50 {
			t.Errorf("only %d events were %q: %v", verdicts[reason], reason, verdicts)
		}
	}
}

// FuzzParseTimestamp holds it to these: it does not panic and comes to an end
// in every zone, the zones differ only for local times, what the time package
// reads as well is the same, and what it returns can be written and read.
func FuzzParseTimestamp(f *testing.F) {
	for _, text := range []string{"2026-11-22T07:30:00", "2026-11-22T07:30:00.123456Z", "20261122T073000,5+0100", "2026-11-22 07:30-05",
		"2016-12-31T23:59:60Z", "2026-11-22T24:00:00", "2026-03-29T02:30:00", "2026-11-22T07:30+01:00[Europe/Paris][u-ca=iso8601]",
		"2026-11-22T07:30[Europe/Paris]", "2026-11-22 07:30:00 UTC", "2026-11-22 07:30:00.0 +00:00:00", "2026-11-22 07:30:00 +0100 CET", "2040-12-31T12:00:00", "0000-01-01T00:00"} {
		f.Add([]byte(text))
	}
	utc, paris, york := &clock{location: time.UTC}, &clock{location: location(f, "Europe/Paris")}, &clock{location: location(f, "America/New_York")}
	f.Fuzz(func(t *testing.T, text []byte) {
		micros, ok := utc.parse(text)
		for _, c := range []*clock{paris, york} {
			local, read := c.parse(text)
			if read != ok && bytes.Contains(text, []byte("60")) {
				continue // a leap second in one of the zones only
			}
			if hours := (micros - local) / 3_600_000_000; read != ok || hours < -15 || hours > 15 {
				t.Fatalf("%q is %d in UTC (%t), %d in %s (%t)", text, micros, ok, local, c.location, read)
			}
		}
		if !ok {
			return
		}
		if at, err := time.Parse(time.RFC3339Nano, string(text)); err == nil && at.UnixMicro() != micros {
			t.Fatalf("%q is %d, want %d", text, micros, at.UnixMicro())
		}
		at := time.UnixMicro(micros).UTC()
		if at.Year() < 0 || at.Year() > 9999 {
			return
		}
		written := at.Format(time.RFC3339Nano)
		if again, ok := paris.parse([]byte(written)); !ok || again != micros {
			t.Fatalf("%q is %d, written as %s %d", text, micros, written, again)
		}
	})
}
