package lake

import (
	"testing"

	"github.com/parquet-go/parquet-go"
)

// Two files tell the same of a record when they do so in what both know of it.
func TestContents_SameRecord(t *testing.T) {
	file := func(columns []string, values ...any) *contents {
		row := make(parquet.Row, len(values))
		for i, v := range values {
			row[i] = parquet.ValueOf(v)
		}
		return &contents{columns: columns, rows: map[coordinates]parquet.Row{{3, 7}: row}}
	}
	old := []string{"id", "extra", "kafka_offset", "ingested_at", "batch_id"}
	young := []string{"id", "platform", "extra", "kafka_offset", "ingested_at", "batch_id"}
	held := file(old, "a", `{"platform":"2"}`, int64(7), int64(1), "b")
	for name, test := range map[string]struct {
		other *contents
		want  bool
	}{
		"the same":                 {file(old, "a", `{"platform":"2"}`, int64(7), int64(1), "b"), true},
		"of another delivery":      {file(old, "a", `{"platform":"2"}`, int64(7), int64(2), "c"), true},
		"another id":               {file(old, "b", `{"platform":"2"}`, int64(7), int64(1), "b"), false},
		"no id":                    {file(old, nil, `{"platform":"2"}`, int64(7), int64(1), "b"), false},
		"another extra":            {file(old, "a", nil, int64(7), int64(1), "b"), false},
		"of another version":       {file(young, "a", "2", nil, int64(7), int64(1), "b"), true},
		"other, and of another":    {file(young, "b", "2", nil, int64(7), int64(1), "b"), false},
		"without the record":       {&contents{columns: old}, false},
		"with nothing but its own": {file([]string{"kafka_offset"}, int64(7)), true},
	} {
		if got := held.sameRecord(test.other, coordinates{3, 7}); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
