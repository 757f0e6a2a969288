package lake

import (
	"bytes"
	"fmt"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/vectors"
)

// Reference returns a Parquet file of the topic without rows. An
// external table takes its columns from it while the lake holds no file yet.
func Reference(topic string) ([]byte, error) {
	schema, ok := event.SchemaOf(topic)
	if !ok {
		return nil, fmt.Errorf("making the reference file: there is no topic %q", topic)
	}
	var file bytes.Buffer
	format := NewParquet(rows.Staging(schema))
	var none rows.Set
	format.Begin(&none, new(batch.Batch), 0, new(vectors.Memory))
	if err := format.Encode(&file, none, 0); err != nil {
		return nil, fmt.Errorf("making the reference file of %s: %w", topic, err)
	}
	return file.Bytes(), nil
}
