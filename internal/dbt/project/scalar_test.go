package project

import (
	"testing"
)

// What a text without quotes is in YAML 1.1.
func TestScalarOf(t *testing.T) {
	for text, want := range map[string]any{
		"": nil, "~": nil, "null": nil, "yes": true, "Off": false,
		"12": int64(12), "-12": int64(-12), "+12": int64(12), "0x1F": int64(31), "010": int64(8), "1_000": int64(1000), "1:30": int64(90),
		"1.5": 1.5, "-1.5": -1.5, "+1.5": 1.5, ".5": 0.5, "1.": 1.0,
		"a": "a", "a1": "a1", "1a": "1a", "-": "-", "<<": "<<", "<": "<", "1e3": "1e3", "é": "é", "2026-11-22": "2026-11-22",
	} {
		if got, err := scalarOf(text); err != nil || got != want {
			t.Errorf("%q is %#v (%v), want %#v", text, got, err, want)
		}
	}
	for _, text := range []string{"=", ".inf", "-.Inf", "+.INF", ".NaN", "1:30.5"} {
		if got, err := scalarOf(text); err == nil {
			t.Errorf("%q is %#v, want an error", text, got)
		}
	}
}

func TestIsMoment(t *testing.T) {
	for text, want := range map[string]bool{
		"2026-11-22": true, "1999-12-31": true, "0001-01-01": true, "9999-12-31": true, "2026-1-2 3:04:05": true, "2026-11-22T07:30:00.5Z": true, "2026-11-22 07:30:00 +1:30": true,
		"": false, "2026": false, "2026-1-2": false, "-2026-11-22": false, " 2026-11-22": false, "x2026-11-22": false, "2026-11-22x": false,
	} {
		if got := isMoment(text); got != want {
			t.Errorf("%q is a moment: %t, want %t", text, got, want)
		}
	}
}
