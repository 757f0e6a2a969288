package dashboard

import (
	"testing"
	"time"
)

func TestNewFields(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", 3600))
	side := NewField{"train_arrivals", "platform_side", time.Date(2026, 11, 22, 6, 5, 0, 0, time.UTC), 1204}
	for want, fields := range map[string][]NewField{
		"": nil,
		"New fields: `platform_side` in train_arrivals since 07:05, 1,204 records. They are kept in `extra` until they have columns: CONTRIBUTING.md says how.": {side},
		"New fields: `platform_side` in train_arrivals since 07:05, 1,204 records; `platform_side` in train_arrivals since 07:05, 1,204 records; " +
			"`platform_side` in train_arrivals since 07:05, 1,204 records; 2 more. They are kept in `extra` until they have columns: CONTRIBUTING.md says how.": {side, side, side, side, side},
	} {
		if got := newFields(fields, now); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
