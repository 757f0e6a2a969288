package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

// fileOf is an object of incidents with so many records, from offset 0 on.
func fileOf(t *testing.T, records int) []byte {
	t.Helper()
	schema, _ := event.SchemaOf("incidents")
	columns := schema.StagingColumns()
	w := pages.NewFormat("incidents", columns).NewWriter()
	w.Reset(records)
	for c := range columns {
		var values []event.Value
		for i := range records {
			switch columns[c].Type {
			case event.String, event.Bytes:
				values = append(values, event.StringValue([]byte(fmt.Sprintf("%s %d", columns[c].Name, i))))
			case event.Float64:
				values = append(values, event.FloatValue(float64(i)))
			case event.Timestamp:
				values = append(values, event.TimeValue(int64(i)))
			default:
				values = append(values, event.IntValue(int64(i)))
			}
		}
		w.Add(c, values)
	}
	var file bytes.Buffer
	if err := w.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// An object whose records can be counted, but whose values cannot be read, is
// named.
func TestPrints_DamagedValues(t *testing.T) {
	whole := fileOf(t, 100)
	spoiled := bytes.Clone(whole)
	copy(spoiled[len(pages.Magic):], bytes.Repeat([]byte{0xa5}, 100)) // in the first column, which is no coordinate
	l := &Lake{Bucket: serveBucket(t, []bucketObject{
		{name: elevenFolder + "whole.parquet", created: noon, content: whole},
		{name: elevenFolder + "spoiled.parquet", created: noon, content: spoiled},
	})}
	schema, _ := event.SchemaOf("incidents")
	objects := []Object{{Name: elevenFolder + "whole.parquet", Size: int64(len(whole))}, {Name: elevenFolder + "spoiled.parquet", Size: int64(len(spoiled))}}
	found, broken, err := l.prints(t.Context(), schema, objects)
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for _, at := range found {
		records += len(at)
	}
	if len(broken) != 1 || broken[0].Name != objects[1].Name || records != 100 {
		t.Errorf("of a whole and a spoiled object %d records were read, and %v is damaged", records, broken)
	}
}

// Of a record's copies the earliest counts, however large its print: as earliestSQL
// has it, also where they arrived at once.
func TestPrints_OfTheEarliestCopy(t *testing.T) {
	for _, copies := range [][]copied{{{5, 9}, {6, 1}}, {{5, 9}, {5, 90}}, {{5, -1}, {5, 1}}} {
		for range 2 {
			all := prints{}
			for _, one := range copies {
				all.add(zero, 7, one)
			}
			if got := all[zero][7].print; got != 9 && got != -1 {
				t.Errorf("of %v it is %d", copies, got)
			}
			slices.Reverse(copies)
		}
	}
}
