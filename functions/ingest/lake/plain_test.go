package lake

import (
	"bytes"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// encodePlainly writes what Encode writes, through the library's own writer.
func encodePlainly(t *testing.T, p *Parquet, all rows.Set, stamp int64) []byte {
	t.Helper()
	var file bytes.Buffer
	w := parquet.NewGenericWriter[any](&file, p.Schema, parquet.Compression(&zstd.Codec{}), parquet.DataPageVersion(1))
	for _, i := range all.Rows {
		row := make(parquet.Row, len(p.Columns))
		for c := range p.Columns {
			row[c] = plainValue(p, c, all, i, stamp)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func plainValue(p *Parquet, c int, all rows.Set, row int32, stamp int64) parquet.Value {
	v := all.Shared[c]
	if place := p.Own[c]; place >= 0 {
		v = all.Own[place].Value(row)
	}
	if c == p.Stamp {
		return parquet.Int64Value(stamp).Level(0, 0, c)
	}
	if v.Null() {
		return parquet.NullValue().Level(0, 0, c)
	}
	level := 0
	if p.Columns[c].Nullable {
		level = 1
	}
	switch p.Columns[c].Type {
	case event.String, event.Bytes:
		return parquet.ByteArrayValue(v.Text()).Level(0, level, c)
	case event.Float64:
		return parquet.DoubleValue(v.Float()).Level(0, level, c)
	}
	return parquet.Int64Value(v.Int()).Level(0, level, c)
}
