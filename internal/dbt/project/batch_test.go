package project

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBatches(t *testing.T) {
	begin := time.Date(2025, 11, 29, 5, 0, 0, 0, time.UTC)
	now := time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		size       string
		lookback   int
		now        time.Time
		hasHistory bool
		want       string
	}{
		{"month", 1, now, false, "2025-11-01T00 2025-12-01T00 2026-01-01T00 2026-02-01T00"},
		{"month", 1, now, true, "2025-12-01T00 2026-01-01T00 2026-02-01T00"},
		{"day", 2, now, true, "2026-01-29T00 2026-01-30T00 2026-01-31T00 2026-02-01T00"},
		{"day", 0, now, true, "2026-01-31T00 2026-02-01T00"},
		{"hour", 1, now, true, "2026-01-31T09 2026-01-31T10 2026-01-31T11"},
		{"hour", 1, now.Truncate(time.Hour), true, "2026-01-31T08 2026-01-31T09 2026-01-31T10"},
		{"year", 1, now, false, "2025-01-01T00 2026-01-01T00 2027-01-01T00"},
		{"day", 1, begin.AddDate(0, 0, -3), false, "2025-11-29T00 2025-11-27T00"}, // before its begin
	} {
		config := Config{BatchSize: c.size, Lookback: c.lookback, Begin: begin}
		var got []string
		batches := config.Batches(c.now, c.hasHistory)
		for _, batch := range batches {
			got = append(got, batch.Start.Format("2006-01-02T15"))
		}
		got = append(got, batches[len(batches)-1].End.Format("2006-01-02T15"))
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s at %v: %s", c.size, c.now, diff)
		}
	}
}

func TestCompile_OneBatch(t *testing.T) {
	p := load(t, map[string]string{
		"models/e.sql": "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', batch_size='day', begin='2026-01-01', " +
			"partition_by={'field': 'at', 'data_type': 'timestamp', 'granularity': 'day'}) }}" +
			"select * from {{ ref('raw') }} join {{ source('s', 'events') }} join {{ ref('raw').render() }} join {{ ref('b') }} {{ model.batch.id if model.batch }} {{ this }}",
		"models/raw.sql":     "{{ config(event_time='at') }}select 1 as at",
		"models/sources.yml": "sources:\n- {name: s, schema: raw, config: {event_time: t}, tables: [{name: events, columns: [{name: t, quote: true}]}]}\n",
	})
	start := time.Date(2026, 1, 30, 0, 0, 0, 0, time.UTC)
	out, err := p.Compile(p.Model("e"), Compilation{Batch: &Batch{start, start.AddDate(0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	filtered := func(relation, column string) string {
		return fmt.Sprintf("(select * from %s where cast(%[2]s as timestamp) >= '2026-01-30 00:00:00+00:00' and cast(%[2]s as timestamp) < '2026-01-31 00:00:00+00:00')", relation, column)
	}
	want := "select * from " + filtered("`p`.`d`.`raw`", "at") + " join " + filtered("`p`.`raw`.`events`", "`t`") + " join `p`.`d`.`raw` join `p`.`d`.`b` 20260130 `p`.`d`.`e`"
	if diff := cmp.Diff(want, out.SQL); diff != "" {
		t.Error(diff)
	}
}
