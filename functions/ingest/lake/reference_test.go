package lake

import (
	"bytes"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
)

// A reference file has no rows, and the columns of the files that ingest
// writes.
func TestReference_HasColumnsAndNoRows(t *testing.T) {
	for _, topic := range event.Topics() {
		content, err := Reference(topic)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		if file.NumRows() != 0 {
			t.Errorf("%s has %d rows", topic, file.NumRows())
		}
		schema, _ := event.SchemaOf(topic)
		columns := schema.StagingColumns()
		fields := file.Schema().Fields()
		if len(fields) != len(columns) {
			t.Fatalf("%s has %d columns, want %d", topic, len(fields), len(columns))
		}
		for i, field := range fields {
			if c := columns[i]; field.Name() != c.Name || field.Optional() != c.Nullable {
				t.Errorf("%s: column %d is %s (optional %t), want %s (%t)", topic, i, field.Name(), field.Optional(), c.Name, c.Nullable)
			}
		}
	}
	if _, err := Reference("buses"); err == nil {
		t.Error("an unknown topic has a reference file")
	}
}
