package event

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// A judge that is told typed values comes to the verdict, the row and the
// detail of a decoder that reads them as JSON.
func TestJudge_AgreesWithJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	texts := []string{"x", "", "North", "Major", "north", "412", "2026-11-22T07:30:00", "2026-11-22", "1999-12-31T23:59:59Z", "2031-01-01T00:00:00Z"}
	ints := []int64{0, 1, -1, 412, math.MaxInt64, math.MinInt64}
	floats := []float64{0, 0.5, 1, 1.5, -0.5, 3, 1e300, -1e300, 5e-324}
	verdicts := map[Reason]int{}
	for n := range 20_000 {
		topic := Topics()[n%len(Topics())]
		schema, _ := SchemaOf(topic)
		judge, decoder := NewJudge(schema, time.UTC), NewDecoder(schema, time.UTC)
		row, want := make(Row, len(schema.Columns)+1), make(Row, len(schema.Columns)+1)
		members := map[string]any{}
		judge.Begin(row, reference)
		for i, c := range schema.Columns {
			kind := random.IntN(60)
			if kind > 6 {
				kind = 6 + int(c.Type) // as it should be
			}
			switch kind {
			case 0: // absent
			case 1:
				judge.Null(i)
				members[c.Name] = nil
			case 2:
				text := texts[random.IntN(len(texts))]
				judge.Text(i, []byte(text))
				members[c.Name] = text
			case 3:
				number := ints[random.IntN(len(ints))]
				judge.Int(i, number)
				members[c.Name] = number
			case 4:
				number := floats[random.IntN(len(floats))]
				judge.Float(i, number)
				members[c.Name] = json.Number(strconv.FormatFloat(number, 'g', -1, 64))
			case 6 + int(Int64):
				judge.Int(i, 7)
				members[c.Name] = 7
			case 6 + int(Float64):
				judge.Float(i, 0.25)
				members[c.Name] = 0.25
			case 6 + int(Timestamp):
				at := reference.Add(-time.Minute)
				judge.Time(i, at.UnixMicro())
				members[c.Name] = at
			default:
				if kind < 7 {
					judge.Wrong(i, "an object")
					members[c.Name] = struct{}{}
					break
				}
				text := "typical"
				if c.OneOf != nil {
					text = c.OneOf[0]
				}
				judge.Text(i, []byte(text))
				members[c.Name] = text
			}
		}
		if random.IntN(4) == 0 {
			judge.Unknown([]byte(`"more"`), []byte(`[1]`))
			members["more"] = []int{1}
		}
		got := judge.End()
		value, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		rejection := decoder.Decode(want, value, reference)
		if (got == nil) != (rejection == nil) || got != nil && got.Reason != rejection.Reason {
			t.Fatalf("%s\ntyped: %v, JSON: %v", value, got, rejection)
		}
		if got != nil {
			verdicts[got.Reason]++
			continue
		}
		verdicts[""]++
		for i := range row {
			if show(&row[i]) != show(&want[i]) {
				t.Fatalf("%s\ncolumn %d typed: %s, JSON: %s", value, i, show(&row[i]), show(&want[i]))
			}
		}
	}
	for _, reason := range []Reason{"", MissingField, WrongType, OutOfRange, UnknownValue, BadTimestamp, AbsurdTimestamp} {
		if verdicts[reason] < 20 {
			t.Errorf("only %d events were %q: %v", verdicts[reason], reason, verdicts)
		}
	}
}

func TestJudge_RefusesNumbersThatAreNone(t *testing.T) {
	schema, _ := SchemaOf("incidents")
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		judge := NewJudge(schema, time.UTC)
		judge.Begin(make(Row, len(schema.Columns)+1), reference)
		for i, c := range schema.Columns {
			switch c.Name {
			case "duration":
				judge.Float(i, x)
			case "timestamp":
				judge.Time(i, reference.UnixMicro())
			case "severity":
				judge.Text(i, []byte("Minor"))
			default:
				judge.Text(i, []byte("x"))
			}
		}
		if r := judge.End(); r == nil || r.Reason != OutOfRange {
			t.Errorf("%v: %v", x, r)
		}
	}
}

// What is kept of a record that was given up, since its bytes do not fit their
// schema, takes no memory from then on, and nothing from the rows before it.
func TestJudge_ForgetsARecordWithoutAnEnd(t *testing.T) {
	schema, _ := SchemaOf(CanaryTopic)
	j := NewJudge(schema, time.UTC)
	accept := func(extra string) Row {
		row := make(Row, len(schema.Columns)+1)
		j.Begin(row, reference)
		j.Text(0, []byte("canary-1"))
		j.Time(1, reference.UnixMicro())
		j.Unknown([]byte(`"x"`), []byte(extra))
		if refused := j.End(); refused != nil {
			t.Fatal(refused)
		}
		return row
	}
	first := accept("1")
	for range 1000 {
		j.Begin(make(Row, len(schema.Columns)+1), reference)
		j.Unknown([]byte(`"x"`), bytes.Repeat([]byte("9"), 1000))
	}
	second := accept("2")
	if got := string(first[2].Text()) + string(second[2].Text()); got != `{"x":1}{"x":2}` {
		t.Errorf("extra is %s", got)
	}
	if n := cap(j.arena); n > 4000 {
		t.Errorf("it takes %d bytes", n)
	}
}
