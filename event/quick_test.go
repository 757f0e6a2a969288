package event

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// behind are what can follow a value: nothing, a short rest, a long one.
var behind = []string{"", "}", ",", " }", `,"id":"x"}`, ".", "e1", "a", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"}

// before is so long that each value has a word before or behind it.
const before = `{"name":`

func TestQuick_Digits(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	for range 50_000 {
		text := strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)
		n, end := digitsAt([]byte(before+text+behind[random.IntN(len(behind))]), len(before))
		want, err := strconv.ParseUint(text, 10, 64)
		switch {
		case len(text) > maxQuickDigits && end == failed:
		case err != nil || n != want || end != len(before)+len(text):
			t.Fatalf("%s is %d up to %d", text, n, end)
		}
	}
	for _, text := range []string{"", "-", "-1", "00", "01", "a1", "/1", ":1", "\xb01", "9876543210"} {
		for _, rest := range behind {
			if n, end := digitsAt([]byte(before+text+rest), len(before)); end != failed {
				t.Errorf("%q is %d up to %d", text+rest, n, end)
			}
		}
	}
}

func TestQuick_Decimals(t *testing.T) {
	random := rand.New(rand.NewPCG(33, 34))
	for range 50_000 {
		text := strconv.Itoa(random.IntN(10_000_000) >> random.IntN(24))
		if digits := random.IntN(maxQuickDigits + 1); digits > 0 {
			text += fmt.Sprintf(".%0*d", digits, random.IntN(int(tens[digits])))
		}
		rest := behind[random.IntN(5)]
		x, end := decimalAt([]byte(before+text+rest), len(before))
		if want, err := strconv.ParseFloat(text, 64); err != nil || x != want || end != len(before)+len(text) {
			t.Fatalf("%s before %q is %v up to %d", text, rest, x, end)
		}
	}
	for _, text := range []string{".5", "1.", "1..5", "1.x", "01.5", "12345678.5", "0.12345678", "-0.5"} {
		for _, rest := range behind {
			if x, end := decimalAt([]byte(before+text+rest), len(before)); end != failed {
				t.Errorf("%q is %v up to %d", text+rest, x, end)
			}
		}
	}
}

// Every second of a day, and every other byte at each of its places.
func TestQuick_TimesOfDay(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for s := range secondsPerDay {
		text := []byte(midnight.Add(time.Duration(s) * time.Second).Format("15:04:05"))
		if got := timeOfDay(wordOf(text)); got != int64(s) {
			t.Fatalf("%s is second %d", text, got)
		}
		if s%997 != 0 {
			continue
		}
		for at, was := range text {
			for c := range 256 {
				text[at] = byte(c)
				want := int64(-1)
				if at, err := time.Parse("15:04:05", string(text)); err == nil {
					want = int64(at.Hour()*3600 + at.Minute()*60 + at.Second())
				}
				if got := timeOfDay(wordOf(text)); got != want {
					t.Fatalf("%q is second %d, want %d", text, got, want)
				}
			}
			text[at] = was
		}
	}
}

// Timestamps of several days and offsets that take turns, at the end of the
// data too, are what the clock reads.
func TestQuick_Moments(t *testing.T) {
	random := rand.New(rand.NewPCG(35, 36))
	c := &clock{location: location(t, "Europe/Paris")}
	var m moments
	m.readDate([]byte("1970-01-01T"), 0)
	read := 0
	for range 50_000 {
		day := time.Date(2026, time.Month(1+random.IntN(12)), 1+random.IntN(2), 0, 0, 0, random.IntN(1e9), time.FixedZone("", (random.IntN(5)-2)*5400))
		text := []byte(day.Add(time.Duration(random.IntN(secondsPerDay)) * time.Second).Format([]string{
			"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.999999999", "20060102T150405"}[random.IntN(5)]))
		if random.IntN(4) == 0 {
			text[random.IntN(len(text))] = "0123456789-:TZ+.\x00\xff\""[random.IntN(19)]
		}
		data := append(append([]byte(`{"timestamp":"`), text...), []string{`"`, `"}`, `","id":"x"}`, ``}[random.IntN(4)]...)
		micros, end := m.at(data, len(`{"timestamp":`), c)
		if end == failed {
			continue
		}
		read++
		if want, ok := c.parse(data[len(`{"timestamp":"`) : end-1]); !ok || data[end-1] != '"' || micros != want {
			t.Fatalf("%s is %d up to %d, want %d (%v)", data, micros, end, want, ok)
		}
	}
	for _, text := range []string{"20261122T0712:00:00", "2026-11-22T07:30:00+01:0", "2026-11-22T07:30:00+01:00:00", "2026-02-29T07:30:00", "2026-11-22T07:30:00.", "2026-11-22T07:30:00.Z"} {
		if micros, end := m.at([]byte(before+`"`+text+`"}`), len(before), c); end != failed {
			t.Errorf("%s is %d up to %d", text, micros, end)
		}
	}
	if read < 20_000 {
		t.Errorf("only %d were read", read)
	}
}
