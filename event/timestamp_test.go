package event

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestParseTimestamp(t *testing.T) {
	const refused = "refused"
	tests := []struct{ text, want string }{
		// The extended format.
		{"2026-11-22T07:30:00Z", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30:00z", "2026-11-22T07:30:00Z"},
		{"2026-11-22t07:30:00Z", "2026-11-22T07:30:00Z"},
		{"2026-11-22 07:30:00Z", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30Z", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30:59Z", "2026-11-22T07:30:59Z"},
		{"2026-11-22T23:59:59.999999Z", "2026-11-22T23:59:59.999999Z"},
		// Fractions, truncated to microseconds.
		{"2026-11-22T07:30:00.5Z", "2026-11-22T07:30:00.5Z"},
		{"2026-11-22T07:30:00,25Z", "2026-11-22T07:30:00.25Z"},
		{"2026-11-22T07:30:00.000001Z", "2026-11-22T07:30:00.000001Z"},
		{"2026-11-22T07:30:00.0000019Z", "2026-11-22T07:30:00.000001Z"},
		{"2026-11-22T07:30:00.999999999Z", "2026-11-22T07:30:00.999999Z"},
		{"2026-11-22T07:30:00." + strings.Repeat("9", 1000) + "Z", "2026-11-22T07:30:00.999999Z"},
		{"2026-11-22T07:30:00.0Z", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30:00.Z", refused},
		{"2026-11-22T07:30:00.", refused},
		{"2026-11-22T07:30:00.-5Z", refused},
		{"2026-11-22T07:30.5Z", refused}, // a fraction of a minute
		// Offsets.
		{"2026-11-22T07:30:00+01:00", "2026-11-22T06:30:00Z"},
		{"2026-11-22T07:30:00+0100", "2026-11-22T06:30:00Z"},
		{"2026-11-22T07:30:00+01", "2026-11-22T06:30:00Z"},
		{"2026-11-22T07:30-05:30", "2026-11-22T13:00:00Z"},
		{"2026-11-22T07:30:00.5-0530", "2026-11-22T13:00:00.5Z"},
		{"2026-11-22T07:30:00-00:00", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30:00+23:59", "2026-11-21T07:31:00Z"},
		{"2026-11-22T07:30:00+24:00", refused},
		{"2026-11-22T07:30:00+01:60", refused},
		{"2026-11-22T07:30:00+1", refused},
		{"2026-11-22T07:30:00+1:00", refused},
		{"2026-11-22T07:30:00+01:0", refused},
		{"2026-11-22T07:30:00+01:00:00", refused},
		{"2026-11-22T07:30:00+", refused},
		{"2026-11-22T07:30:00 +01:00", refused},
		{"2026-11-22T07:30:00 Z", refused},
		{"2026-11-22T07:30:00ZZ", refused},
		{"2026-11-22T07:30:00UTC", refused},
		{"2026-11-22T07:30:00−01:00", refused}, // U+2212
		// Suffixes in brackets (RFC 9557): the offset counts, else the zone.
		{"2026-11-22T07:30:00Z[UTC]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00+01:00[Europe/Paris]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30+01:00[Europe/Paris]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00.25+01:00[Europe/Paris][u-ca=iso8601]", "2026-11-22T07:30:00.25Z"},
		{"2026-11-22T08:30:00+01:00[!Europe/Paris]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00+01:00[No/Such_Zone]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00+01:00[u-ca=japanese]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00+01:00[_foo=bar-baz]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00+01:00[!foo=bar]", refused},
		{"2026-11-22T08:30:00+01:00[+01:00]", "2026-11-22T07:30:00Z"},
		{"2026-11-22 08:30:00+01:00[Europe/Paris]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30:00[Europe/Paris]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T08:30[Europe/Paris]", "2026-11-22T07:30:00Z"},
		{"2026-07-22T09:30:00[Europe/Paris]", "2026-07-22T07:30:00Z"},
		{"2026-11-22T08:30:00[+01:00]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30:00[UTC]", "2026-11-22T07:30:00Z"},
		{"2026-11-22T07:30:00[No/Such_Zone]", refused},
		{"2026-11-22T07:30:00[Local]", refused},
		{"2026-11-22T07:30:00[../etc/passwd]", refused},
		{"2026-11-22T07:30:00[/etc/localtime]", refused},
		{"2026-11-22T07:30:00[u-ca=iso8601]", refused},
		{"2026-11-22T07:30:00[]", refused},
		{"2026-11-22T07:30:00Z[]", refused},
		{"2026-11-22T07:30:00Z[!]", refused},
		{"2026-11-22T07:30:00Z[UTC", refused},
		{"2026-11-22T07:30:00Z[UTC]x", refused},
		{"2026-11-22T07:30:00Z[UTC][Europe/Paris]", refused},
		{"2026-11-22T07:30:00Z[a b]", refused},
		{"2026-11-22T07:30:00+1[Europe/Paris]", refused},
		// Spaced offsets: Ruby, BigQuery's export, Rust's time, Go.
		{"2026-11-22 07:30:00 UTC", "2026-11-22T07:30:00Z"},
		{"2026-11-22 07:30:00.123456 UTC", "2026-11-22T07:30:00.123456Z"},
		{"2026-11-22 08:30:00 +0100", "2026-11-22T07:30:00Z"},
		{"2026-11-22 08:30:00 +01:00", "2026-11-22T07:30:00Z"},
		{"2026-11-22 07:30:00.0 +00:00:00", "2026-11-22T07:30:00Z"},
		{"2026-11-22 08:30:00.5 +01:00:00", "2026-11-22T07:30:00.5Z"},
		{"2026-11-22 07:39:21.0 +00:09:21", "2026-11-22T07:30:00Z"},
		{"2026-11-22 07:20:39.0 -00:09:21", "2026-11-22T07:30:00Z"},
		{"2026-11-22 08:30:00 +0100 CET", "2026-11-22T07:30:00Z"},
		{"2026-11-22 13:00:00 +0530 +0530", "2026-11-22T07:30:00Z"},
		{"2026-11-22 07:30:00.5 +0000 UTC", "2026-11-22T07:30:00.5Z"},
		{"2026-11-22 07:30:00 CET", refused},
		{"2026-11-22 07:30:00 utc", refused},
		{"2026-11-22 07:30:00 UTC UTC", refused},
		{"2026-11-22 07:30:00 ", refused},
		{"2026-11-22 07:30:00 +", refused},
		{"2026-11-22 07:30:00 +0100 ", refused},
		{"2026-11-22 07:30:00 +0100 cet", refused},
		{"2026-11-22 07:30:00 +0000 UTC m=+0.1", refused},
		{"2026-11-22 07:30:00  UTC", refused},
		{"2026-11-22 07:30:00UTC", refused},
		{"2026-11-22 07:30:00+00:00:00", refused},
		{"2026-11-22 07:30:00.0 +00:00:60", refused},
		{"2026-11-22T07:30:00 UTC", refused},
		// The basic format.
		{"20261122T073000Z", "2026-11-22T07:30:00Z"},
		{"20261122T0730Z", "2026-11-22T07:30:00Z"},
		{"20261122 073000.25+0100", "2026-11-22T06:30:00.25Z"},
		{"20261122t073000,5z", "2026-11-22T07:30:00.5Z"},
		{"20261122T073000+01:00", "2026-11-22T06:30:00Z"},
		{"20261122T07300Z", refused},
		{"20261122T07:30:00Z", refused}, // one format and the other
		{"2026-11-22T073000Z", refused},
		{"2026-1122T07:30:00Z", refused},
		{"202611-22T07:30:00Z", refused},
		{"2026-11/22T07:30:00Z", refused},
		{"2026-11-22T07:3000Z", refused},
		// Dates that do not exist, and texts that are not a date and time.
		{"2026-02-29T00:00:00Z", refused},
		{"2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"2100-02-29T00:00:00Z", refused},
		{"2026-04-31T00:00:00Z", refused},
		{"2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z"},
		{"2026-12-32T00:00:00Z", refused},
		{"2026-13-01T00:00:00Z", refused},
		{"2026-00-01T00:00:00Z", refused},
		{"2026-01-00T00:00:00Z", refused},
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
		{"10000-01-01T00:00:00Z", refused},
		{"-2026-01-01T00:00:00Z", refused},
		{"+002026-11-22T07:30:00Z", refused},
		{"26-11-22T07:30:00Z", refused},
		{"2026-11-22", refused},
		{"20261122", refused},
		{"2026-11-22T", refused},
		{"2026-11-22Z", refused},
		{"2026-11-22T07", refused},
		{"2026-11-22T07Z", refused},
		{"2026-11-22T07:", refused},
		{"2026-11-22T07:30:", refused},
		{"2026-11-22T07:30:0", refused},
		{"2026-11-22T7:30:00", refused},
		{"2026-11-22T07:30:00.5.5", refused},
		{"2026-11-22_07:30:00Z", refused},
		{"2026-11-22  07:30:00Z", refused},
		{" 2026-11-22T07:30:00Z", refused},
		{"2026-11-22T07:30:00Z ", refused},
		{"2026/11/22 07:30:00", refused},
		{"22.11.2026 07:30", refused},
		{"2026-326T07:30:00Z", refused},   // an ordinal date
		{"2026-W47-7T07:30:00Z", refused}, // a week date
		{"07:30:00", refused},
		{"1795332600", refused},
		{"Sun, 22 Nov 2026 07:30:00 GMT", refused},
		{"2026-11-22T0７:30:00Z", refused},
		{"", refused},
		{"T", refused},
		// The end of a day.
		{"2026-11-22T24:00:00Z", "2026-11-23T00:00:00Z"},
		{"2026-11-22T24:00Z", "2026-11-23T00:00:00Z"},
		{"2026-12-31T24:00:00.000+01:00", "2026-12-31T23:00:00Z"},
		{"20261122T240000Z", "2026-11-23T00:00:00Z"},
		{"2026-11-22T24:00:01Z", refused},
		{"2026-11-22T24:00:00.1Z", refused},
		{"2026-11-22T24:01Z", refused},
		{"2026-11-22T25:00Z", refused},
		{"2026-11-22T23:60Z", refused},
		// Leap seconds.
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"2016-12-31T23:59:60.75Z", "2017-01-01T00:00:00.75Z"},
		{"2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z"},
		{"2016-12-31T23:59:61Z", refused},
		{"2016-12-31T23:58:60Z", refused},
		{"2016-12-31T23:59:60+01:00", refused},
	}
	for _, test := range tests {
		c := clock{location: time.UTC}
		got := refused
		if micros, ok := c.parse([]byte(test.text)); ok {
			got = time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
		}
		if got != test.want {
			t.Errorf("%q is %s, want %s", test.text, got, test.want)
		}
	}
}

// Without an offset a time is local. A time that occurs twice is the earlier
// moment; one that is skipped is read with the offset before the change.
func TestParseTimestamp_Local(t *testing.T) {
	tests := []struct{ location, text, want string }{
		{"UTC", "2026-11-22T07:30:00", "2026-11-22T07:30:00Z"},
		{"Europe/Paris", "2026-11-22T07:30:00", "2026-11-22T06:30:00Z"},
		{"Europe/Paris", "20260722T0730", "2026-07-22T05:30:00Z"},
		{"Europe/Paris", "2026-07-22T07:30:00Z", "2026-07-22T07:30:00Z"},
		{"Europe/Paris", "2026-07-22T24:00:00", "2026-07-22T22:00:00Z"},
		{"Europe/Paris", "2017-01-01T00:59:60", "2017-01-01T00:00:00Z"},
		// Forward on 2026-03-29 at 01:00 UTC: no 02:00 to 03:00.
		{"Europe/Paris", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"},
		{"Europe/Paris", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z"},
		{"Europe/Paris", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z"},
		{"Europe/Paris", "2026-03-29T02:59:59", "2026-03-29T01:59:59Z"},
		{"Europe/Paris", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z"},
		// Back on 2026-10-25 at 01:00 UTC: 02:00 to 03:00 twice.
		{"Europe/Paris", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"},
		{"Europe/Paris", "2026-10-25T02:00:00", "2026-10-25T00:00:00Z"},
		{"Europe/Paris", "2026-10-25T02:59:59", "2026-10-25T00:59:59Z"},
		{"Europe/Paris", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z"},
		{"America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z"},
		{"America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z"}, // half an hour twice
		{"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"},        // a whole day skipped
		{"Asia/Kolkata", "2026-07-22T07:30:00", "2026-07-22T02:00:00Z"},
		{"Europe/Paris", "2028-12-31T12:00:00", "2028-12-31T11:00:00Z"},
		{"Europe/Paris", "2096-12-31T12:00:00", "2096-12-31T11:00:00Z"},
		{"America/New_York", "2040-12-31T22:00:00", "2041-01-01T03:00:00Z"},
		{"Europe/Paris", "0001-01-01T00:00:00", "0000-12-31T23:50:39Z"}, // local mean time
		{"Europe/Paris", "2090-07-22T07:30:00", "2090-07-22T05:30:00Z"},
	}
	clocks := map[string]*clock{}
	for range 2 { // the second time with clocks that remember
		for _, test := range tests {
			if clocks[test.location] == nil {
				clocks[test.location] = &clock{location: location(t, test.location)}
			}
			micros, ok := clocks[test.location].parse([]byte(test.text))
			if got := time.UnixMicro(micros).UTC().Format(time.RFC3339Nano); !ok || got != test.want {
				t.Errorf("%s %s is %s, want %s", test.location, test.text, got, test.want)
			}
		}
	}
}

// The same rule stated by search: the earliest moment with that local time;
// if there is none, the offset of the moment before the change.
func TestOffsetAt_AgainstSearch(t *testing.T) {
	for _, name := range []string{"Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Caracas", "Pacific/Apia", "Antarctica/Troll", "America/Nuuk"} {
		c := clock{location: location(t, name)}
		random := rand.New(rand.NewPCG(5, 6))
		var quiet int64 // before then the offset stays as it is
		for at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2045; at = at.Add(time.Duration(1+random.IntN(120)) * time.Minute) {
			if at.Unix() < quiet {
				continue
			}
			if !atTransition(at, c.location) {
				if _, end := at.In(c.location).ZoneBounds(); !end.IsZero() {
					quiet = end.Unix() - 26*3600
				}
				continue
			}
			for _, local := range []int64{at.Unix(), at.Unix() - random.Int64N(36_000)} { // forth and back
				if got, want := c.offsetAt(local), searchOffset(c.location, local); got != want {
					t.Fatalf("%s %s: offset %d, want %d", name, time.Unix(local, 0).UTC().Format(time.DateTime), got, want)
				}
			}
		}
	}
}

func atTransition(at time.Time, location *time.Location) bool {
	_, before := at.Add(-26 * time.Hour).In(location).Zone()
	_, after := at.Add(26 * time.Hour).In(location).Zone()
	return before != after
}

func searchOffset(location *time.Location, local int64) int64 {
	offset := func(at int64) int64 {
		_, offset := time.Unix(at, 0).In(location).Zone()
		return int64(offset)
	}
	for at := local - 15*3600; at <= local+15*3600; at += 15 * 60 { // offsets are multiples of a quarter
		if at+offset(at) == local {
			return offset(at)
		}
	}
	for at := local - 30*3600; ; at += 60 { // no such moment: the first one that shows a later time
		if at+offset(at) > local {
			return offset(at - 60)
		}
	}
}

func TestParseDate_AgainstTimePackage(t *testing.T) {
	c := clock{location: time.UTC}
	for year := range 10_000 {
		for month := time.January; month <= time.December; month++ {
			before := fmt.Sprintf("%04d-%02d-", year, month)
			for _, day := range []string{"01", "28", "29", "30", "31"} {
				text := before + day + "T00:00:00Z"
				want, err := time.Parse(time.RFC3339, text)
				micros, ok := c.parse([]byte(text))
				if ok != (err == nil) || ok && micros != want.UnixMicro() {
					t.Fatalf("%s is %d, want %v", text, micros, want)
				}
			}
		}
	}
}

// What the time package formats is read back.
func TestParseTimestamp_ReadsWhatTimeFormats(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	c := clock{location: time.UTC}
	for range 100_000 {
		zone := time.FixedZone("", (random.IntN(2*14*4)-14*4)*15*60)
		at := time.UnixMicro(random.Int64N(8e15) - 2e15).In(zone)
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.000000-0700", "20060102T150405,999999Z0700"} {
			text := at.Format(layout)
			if micros, ok := c.parse([]byte(text)); !ok || micros != at.UnixMicro() {
				t.Fatalf("%s is %d, want %d", text, micros, at.UnixMicro())
			}
		}
	}
}
