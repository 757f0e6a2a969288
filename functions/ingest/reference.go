package ingest

import (
	"bytes"
	"fmt"

	"github.com/stationflow/stationflow/event"
)

// ReferenceParquet returns a Parquet file of the topic without rows. An
// external table takes its columns from it while the lake holds no file yet.
func ReferenceParquet(topic string) ([]byte, error) {
	schema, ok := event.SchemaOf(topic)
	if !ok {
		return nil, fmt.Errorf("making the reference file: there is no topic %q", topic)
	}
	var file bytes.Buffer
	format := newParquetFormat(topic, newLayout(schema.StagingColumns()))
	none := rows{shared: make(event.Row, len(format.columns))}
	if err := format.encode(&file, none, 0); err != nil {
		return nil, fmt.Errorf("making the reference file of %s: %w", topic, err)
	}
	return file.Bytes(), nil
}
