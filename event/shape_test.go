package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// twins are two decoders of one topic: one that takes the shortcut where it
// can, one that never does.
type twins struct {
	quick, plain *Decoder
	row, want    Row
	rows         []Row  // of the accepted values since the last Reset
	bytes        []byte // what they were when they were decoded
	taken        int    // how many values took the shortcut
}

func newTwins(t testing.TB, topic string, zone *time.Location, unit EpochUnit) *twins {
	w := &twins{}
	w.quick, w.row = newDecoder(t, topic, zone)
	w.plain, w.want = newDecoder(t, topic, zone)
	w.quick.ReadEpoch(unit)
	w.plain.ReadEpoch(unit)
	return w
}

// hold decodes the next value of a sequence in both ways, and fails the test
// where the verdicts or the rows differ.
func (w *twins) hold(t testing.TB, value []byte) *Rejection {
	t.Helper()
	row, used, extra := make(Row, len(w.row)), len(w.quick.arena), len(w.quick.judge.arena)
	for i := range row {
		row[i] = StringValue([]byte("of a record before"))
	}
	if w.quick.byHabit(row, value, reference) {
		w.taken++
	} else if len(w.quick.arena) != used || len(w.quick.judge.arena) != extra {
		t.Fatalf("%q\nis not read, and leaves something", value)
	}
	rejection, want := w.quick.Decode(row, value, reference), w.plain.plain(w.want, value, reference)
	switch {
	case (rejection == nil) != (want == nil) || rejection != nil && *rejection != *want:
		t.Fatalf("%q\nis %+v, want %+v", value, rejection, want)
	case want != nil:
		return rejection
	}
	was := len(w.bytes)
	w.rows, w.bytes = append(w.rows, row), appendRow(w.bytes, row)
	if got, want := w.bytes[was:], appendRow(nil, w.want); !bytes.Equal(got, want) {
		t.Fatalf("%q\nis  %q\nnot %q", value, got, want)
	}
	return nil
}

// reset ends a batch, of which the rows must still be what they were.
func (w *twins) reset(t testing.TB) {
	t.Helper()
	var now []byte
	for _, row := range w.rows {
		now = appendRow(now, row)
	}
	if !bytes.Equal(now, w.bytes) {
		t.Fatalf("rows were\n%q\nand became\n%q", w.bytes, now)
	}
	w.rows, w.bytes = w.rows[:0], w.bytes[:0]
	w.quick.Reset()
	w.plain.Reset()
}

// appendRow adds all that is in a row to b.
func appendRow(b []byte, row Row) []byte {
	for i := range row {
		b = append(b, byte(row[i].Type))
		b = binary.BigEndian.AppendUint64(b, row[i].num)
		b = append(b, row[i].Text()...)
	}
	return b
}

// A style is how a producer writes an object.
type style struct {
	begin, colon, comma, end string
	shuffled                 bool
}

var styles = []style{
	{"{", ":", ",", "}", false},
	{"{", ": ", ", ", "}", false},                       // Python's
	{"{\n  ", ": ", ",\n  ", "\n}\n", false},            // indented
	{"{\r\n\t\t\t\t\t", " : ", " ,\t ", " }\r\n", true}, // with long separators
	{"\ufeff{", ":", ",", "}", false},
	{" {", ":", ",", "}", true},
	{"{", ":", ",", "} ", true},
}

// A producer writes events of a topic in one style, each with other values.
type producer struct {
	style
	schema  *Schema
	names   []string // of the members, quoted
	wrapped bool     // in Kafka Connect's envelope
	random  *rand.Rand
}

func newProducer(topic string, random *rand.Rand) *producer {
	p := &producer{style: styles[random.IntN(len(styles))], wrapped: random.IntN(10) == 0, random: random}
	p.schema = schemas()[topic]
	for _, c := range p.schema.Columns {
		p.names = append(p.names, strconv.Quote(c.Name))
	}
	for range random.IntN(4) - 1 { // unknown ones
		p.names = append(p.names, []string{`"gate"`, `"a\u00e9\""`, `"é"`, `"ID"`, `""`, `"op"`, `"__deleted"`, `"longer_than_a_few_words_of_eight_bytes"`}[random.IntN(8)])
	}
	if p.shuffled {
		random.Shuffle(len(p.names), func(i, j int) { p.names[i], p.names[j] = p.names[j], p.names[i] })
	}
	if random.IntN(4) == 0 {
		i := random.IntN(len(p.names))
		p.names[i] = strings.Replace(strings.Replace(p.names[i], "t", `\u0074`, 1), "i", `\u0069`, 1)
	}
	return p
}

// value returns the producer's next record.
func (p *producer) value() []byte {
	var members []string
	for _, name := range p.names {
		text, _ := strconv.Unquote(name)
		value := pick(p.random, "1", `"x"`, "null", "true", `{"a":[1,{"b":"\u00e9"}]}`, "1e400", "[]")
		for _, c := range p.schema.Columns {
			if c.Name != text {
				continue
			}
			if c.Nullable && p.random.IntN(6) == 0 {
				value = pick(p.random, "", "null")
			} else {
				value = p.valueOf(c)
			}
		}
		if value != "" {
			members = append(members, name+p.colon+value)
		}
	}
	value := p.begin + strings.Join(members, p.comma) + p.end
	if p.wrapped {
		value = `{"schema":null,"payload":` + value + `}`
	}
	return []byte(value)
}

// valueOf writes a value that mostly is good, in one of many ways.
func (p *producer) valueOf(c Column) string {
	r := p.random
	digits := strings.Repeat("7", r.IntN(9))
	switch {
	case r.IntN(60) == 0:
		return pick(r, `""`, "null", "true", "-1", "1.5", `"12"`, "{}", "1e400", `"x\u0000"`, `"\ud800"`, "01", "1.", "-", `"North`, `"Up"`, `"2026-11-22"`,
			`"1999-12-31T23:59:59"`, `"2026-12-22T07:00:00Z"`, "9223372036854775808", "2026", "00", "0.", ".5", "1e", "nul", "0x1", `"a`+"\t"+`"`, "\"\xe9\"", "\"\xc3\"", `"\"`, `'x'`)
	case c.OneOf != nil:
		return strconv.Quote(c.OneOf[r.IntN(len(c.OneOf))])
	case c.Type == String:
		return `"` + pick(r, "x", "Gare du Nord", "Châtelet", "La Défense", "12345678", `with \"quotes\"`, `Ch\u00e2telet`, "1234567", "a text of rather many words, with an é, and a blank at the end ", "😀",
			"\x7f", "a/b", "€"+digits, digits+"é") + `x"`
	case c.Type == Int64:
		return pick(r, strconv.Itoa(r.IntN(1000)), "0", "1"+digits, "-0", "1.0", "3e2", "1"+digits+".000", "100000000000000000000e-2", strconv.Itoa(r.IntN(100_000_000)))
	case c.Type == Float64 && c.Max != nil:
		return pick(r, "0.9", "1", "1.0", "0", "0.0", "0.0001", "5e-324", "0."+digits+"1", fmt.Sprintf("%.*f", 1+r.IntN(18), 0.5+r.Float64()/2))
	case c.Type == Float64:
		return pick(r, "0", "0.5", "-0.0", strconv.Itoa(r.IntN(100)), "1"+digits+"."+digits+"3", "1e3", strconv.FormatFloat(r.ExpFloat64(), 'g', -1, 64), fmt.Sprintf("%.*f", r.IntN(9), 100*r.Float64()))
	}
	at := reference.Add(-time.Duration(r.IntN(90)) * time.Minute * time.Duration(1+r.IntN(2)*r.IntN(90_000)))
	if r.IntN(20) == 0 {
		return pick(r, `"2026-10-25T02:30:00"`, `"2026-03-29T02:30:00"`, `"2016-12-31T23:59:60Z"`, `"2026-11-21T24:00:00"`, `"2026-11-22t07:00:00z"`, `"20261122T073000Z"`, `"2026-11-22T07:30Z"`,
			`"2026-11-22 07:30:00+01:00"`, `"2026-11-22T07:30:00[Europe/Paris]"`, `"2026-11-22T07:30:00+0100"`, `"2026-11-22T07:30:00,5"`, "1795332600", "1795332600000", `"2026-11-22T07:30:00."`,
			`"2026-11-22T07:30:00+01:00x"`, `"2026-11-22T07:30:00Z "`, `"2026-11-22T07:30:00\u005a"`, `"2026-11-22T07:30:00+24:00"`, `"2026-11-22T07:60:00"`, `"2026-11-22T0:30:000"`)
	}
	return at.In(time.FixedZone("", r.IntN(3)*1800)).Format(pick(r, `"2006-01-02T15:04:05"`, `"2006-01-02T15:04:05Z07:00"`, `"2006-01-02T15:04:05Z07:00"`, `"2006-01-02T15:04:05.000Z07:00"`, `"2006-01-02T15:04:05.000000"`))
}

func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

// spoiled returns the value with some bytes changed, put in, taken out or
// repeated, or without its end.
func spoiled(random *rand.Rand, value []byte) []byte {
	value = bytes.Clone(value)
	for range 1 + random.IntN(2) {
		at := random.IntN(len(value) + 1)
		end := min(len(value), at+1+random.IntN(12))
		switch random.IntN(6) {
		case 0:
			if at < len(value) {
				value[at] ^= 1 << random.IntN(8)
			}
		case 1:
			piece := pick(random, "\x00", `"`, `\`, "\xff", "é", " ", ",", "}", "0", ".", "e", "-", "\n", `{"a":1}`, "\ufeff", "Z", ":", "T")
			value = bytes.Join([][]byte{value[:at], []byte(piece), value[at:]}, nil)
		case 2:
			value = append(value[:at], value[end:]...)
		case 3:
			value = value[:at]
		case 4:
			value = bytes.Join([][]byte{value[:end], value[at:]}, nil)
		case 5:
			other := random.IntN(len(value) + 1)
			value = bytes.Join([][]byte{value[:other], value[at:end], value[other:]}, nil)
		}
	}
	return value
}

// Sequences of records of one topic, from producers that take turns, with all
// kinds of faults.
func TestHabit_DecidesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	zones := []*time.Location{time.UTC, location(t, "Europe/Paris")}
	verdicts, values, taken := map[Reason]int{}, 0, 0
	for n := range 400 {
		topic := Topics()[n%len(Topics())]
		w := newTwins(t, topic, zones[random.IntN(2)], EpochUnit(pick(random, "", "", "s", "ms")))
		for range 1 + random.IntN(3) {
			p := newProducer(topic, random)
			for range random.IntN(150) {
				value := p.value()
				if random.IntN(3) == 0 {
					value = spoiled(random, value)
				}
				reason := Reason("")
				if r := w.hold(t, value); r != nil {
					reason = r.Reason
				}
				verdicts[reason]++
				values++
			}
			w.reset(t)
		}
		taken += w.taken
	}
	if taken < values/6 {
		t.Errorf("only %d of %d values took the shortcut", taken, values)
	}
	for _, reason := range []Reason{NotUTF8, NotJSON, MissingField, WrongType, OutOfRange, UnknownValue, BadTimestamp, AbsurdTimestamp} {
		if verdicts[reason] < 10 {
			t.Errorf("only %d values were %q: %v", verdicts[reason], reason, verdicts)
		}
	}
}

// Every byte of a record changed, each time after a good one: in one bit, and
// to what means something in JSON.
func TestHabit_EveryByte(t *testing.T) {
	for _, topic := range Topics() {
		w := newTwins(t, topic, location(t, "Europe/Paris"), "")
		value := []byte(typical[topic])
		w.hold(t, value)
		for at, was := range value {
			for bit := range 8 {
				value[at] = was ^ 1<<bit
				w.hold(t, value)
			}
			for _, c := range []byte("\x00\t \"\\{}[]:,.-+0123456789eTZn/;\x7f\x80\xc3\xff") {
				value[at] = c
				w.hold(t, value)
			}
			value[at] = was
			w.rows, w.bytes = w.rows[:0], w.bytes[:0] // they share the value's memory
			w.hold(t, value[:at])
		}
	}
}

// Every piece between two signs taken out of a record, each time after a good
// one, which begins with what is optional.
func TestHabit_EveryCut(t *testing.T) {
	w := newTwins(t, "train_arrivals", time.UTC, "")
	value := []byte(`{"train_number":"TR-1","gate":1,` + typical["train_arrivals"][1:])
	value = bytes.Replace(value, []byte(`,"train_number":"TR-1042"`), nil, 1)
	if r := w.hold(t, value); r != nil {
		t.Fatal(*r)
	}
	for from := range value {
		for to := from + 1; to <= len(value); to++ {
			if bytes.IndexByte([]byte(`{,":}`), value[from]) >= 0 {
				w.hold(t, append(bytes.Clone(value[:from]), value[to:]...))
			}
		}
	}
}

// The sequences that a fuzzer makes: records with a separator between them that
// no JSON has.
func FuzzHabit(f *testing.F) {
	const separator = "\x1e"
	random := rand.New(rand.NewPCG(23, 24))
	for i, topic := range Topics() {
		p := newProducer(topic, random)
		f.Add(uint8(i), []byte(typical[topic]+separator+typical[topic]+separator+string(p.value())+separator+string(p.value())+separator+string(spoiled(random, p.value()))))
	}
	paris := location(f, "Europe/Paris")
	f.Fuzz(func(t *testing.T, index uint8, values []byte) {
		w := newTwins(t, Topics()[int(index)%len(Topics())], paris, Milliseconds)
		for _, value := range bytes.Split(values, []byte(separator)) {
			w.quick.habit.credit = 0 // learn from each
			w.hold(t, value)
		}
		w.reset(t)
	})
}
