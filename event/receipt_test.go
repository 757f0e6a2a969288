package event

import (
	"math"
	"testing"
	"time"
)

func TestReceipt(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	received := ReceivedAt(at)
	for _, test := range []struct {
		name      string
		timestamp int64
		believed  bool
	}{
		{"none", -1, false},
		{"zero", 0, false},
		{"seconds", at.Unix(), false},
		{"the last moment of 1999", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1, false},
		{"the year 2000", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), true},
		{"a month ago", at.Add(-30 * 24 * time.Hour).UnixMilli(), true},
		{"now", at.UnixMilli(), true},
		{"a day ahead", at.Add(24 * time.Hour).UnixMilli(), true},
		{"more than a day ahead", at.Add(24*time.Hour).UnixMilli() + 1, false},
		{"microseconds", at.UnixMicro(), false},
		{"nanoseconds", at.UnixNano(), false},
		{"the largest number", math.MaxInt64, false},
		{"the smallest number", math.MinInt64, false},
	} {
		want := at
		if test.believed {
			want = time.UnixMilli(test.timestamp)
		}
		if received.Believes(test.timestamp) != test.believed || !received.Reference(test.timestamp).Equal(want) {
			t.Errorf("%s: believed %t, held against %v, want %v", test.name, received.Believes(test.timestamp), received.Reference(test.timestamp), want)
		}
	}
}
