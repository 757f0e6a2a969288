package view

import (
	"net/url"
	"strings"
	"testing"
)

// What cannot be asked is refused with a sentence that says what can.
func TestParseAsk_Refuses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"range=month":                               "use today, yesterday, 7d, 28d",
		"range=dates":                               "the first day (from) is missing: choose a date, such as 2026-11-29",
		"from=2026-11-01":                           "the last day (to) is missing",
		"to=2026-11-01":                             "the first day (from) is missing",
		"range=7d&from=2026-11-01":                  `the days (range) are "7d", but from and to choose others`,
		"range=dates&from=2026-11-01":               "the last day (to) is missing",
		"range=dates&from=2026-11-02&to=2026-11-01": "the first day (from), 2026-11-02, is later than the last (to), 2026-11-01: exchange them",
		"range=dates&from=2026-02-30&to=2026-11-01": `the first day (from) is "2026-02-30", which is not a date`,
		"range=dates&from=2026-11-01&to=1.11.2026":  `the last day (to) is "1.11.2026", which is not a date`,
		"range=dates&from=2026-08-01&to=2026-11-01": "the first day (from), 2026-08-01, is too long ago: the page has the last 90 days, so choose 2026-09-01 or later",
		"range=dates&from=2026-11-01&to=2026-11-30": "the last day (to), 2026-11-30, is still to come: choose 2026-11-29, which is today",
		"hours=12-6":                                "two hours of the day",
		"hours=6-25":                                "two hours of the day",
		"hours=x":                                   "two hours of the day",
		"compare=year":                              "use both, before, week or none",
	} {
		values, _ := url.ParseQuery(address)
		if _, err := ParseAsk(values, today); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a sentence with %q", address, err, want)
		}
	}
}

// Dates need not be announced, and who chose them reads them.
func TestParseAsk_Dates(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"from=2026-11-20&to=2026-11-21":                          "dates: 20 Nov to 21 Nov, 18 Nov to 19 Nov, 13 Nov to 14 Nov",
		"from=2026-11-29&to=2026-11-29":                          "dates: Sun 29 Nov, today, Sat 28 Nov, yesterday, Sun 22 Nov, a week ago",
		"range=dates&from=2026-11-22&to=2026-11-22&compare=none": "dates: Sun 22 Nov, a week ago",
		"compare=week": "today: today, a week ago",
	} {
		values, _ := url.ParseQuery(address)
		a, err := ParseAsk(values, today)
		got := a.Range + ":"
		for i, p := range a.periods(today) {
			got += map[bool]string{true: ","}[i > 0] + " " + p.Label
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", address, got, err, want)
		}
	}
}
