package ingesttest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/lake"
)

func withoutWarehouse(c *ingest.Config) { c.Sinks = []string{"lake"} }

// Without a warehouse the lake holds everything: good records as always, bad
// ones with the columns of the quarantine table, also after a redelivery.
func TestIngest_LakeOnly(t *testing.T) {
	l := newLab(t, withoutWarehouse)
	good := incident("inc-1", noon)
	b := batchOf(good, `{"id":`, good, "")
	b.Records[3].Value = nil
	l.mustDeliver(t, b)
	l.mustDeliver(t, b)

	if n := l.warehouse.opened(); n != 0 {
		t.Errorf("the warehouse was connected to %d times", n)
	}
	raw := l.lake.objects(t, "raw/")
	if len(raw) != 1 {
		t.Fatalf("raw objects %v", raw)
	}
	if _, rows := readParquet(t, l.lake.read(t, raw[0])); len(rows) != 2 || offsets(rows)[100] != 1 || offsets(rows)[102] != 1 {
		t.Errorf("raw rows %v", rows)
	}
	names := l.lake.objects(t, "quarantine/")
	if want := []string{lake.QuarantineBatch(b)}; !slices.Equal(names, want) {
		t.Fatalf("quarantine holds %v, want %v", names, want)
	}
	schema, rows := readParquet(t, l.lake.read(t, names[0]))
	var columns []string
	for _, field := range schema.Fields() {
		columns = append(columns, field.Name)
	}
	var want []string
	for _, column := range event.QuarantineColumns() {
		want = append(want, column.Name)
	}
	if !slices.Equal(columns, want) {
		t.Errorf("its columns are %v, want %v", columns, want)
	}
	if len(rows) != 2 || rows[0]["reason"] != "not_json" || string(rows[0]["value"].([]byte)) != `{"id":` || string(rows[0]["key"].([]byte)) != "k1" ||
		rows[1]["reason"] != "tombstone" || rows[1]["value"] != nil || rows[1]["kafka_offset"] != int64(103) {
		t.Errorf("quarantined rows %v", rows)
	}
	if c := l.function.Counts(); c.Quarantined != 4 || c.Valid != 4 || c.DuplicateObjects != 1 {
		t.Errorf("counts %+v", c)
	}
}

// Without the lake the warehouse holds everything; only bytes that no row has
// room for are objects.
func TestIngest_WarehouseOnly(t *testing.T) {
	l := newLab(t, func(c *ingest.Config) { c.Sinks = []string{"warehouse"} })
	b := batchOf(incident("inc-1", noon), `{"id":`, strings.Repeat("x", 4<<20))
	l.mustDeliver(t, b)
	if staged := l.warehouse.rows("incidents"); len(staged) != 1 || staged[0]["id"] != "inc-1" {
		t.Errorf("staging holds %v", staged)
	}
	refused := l.warehouse.rows("quarantine")
	if len(refused) != 2 || string(refused[0]["value"].([]byte)) != `{"id":` || refused[1]["value"] != nil {
		t.Errorf("%d rows in quarantine, want 2", len(refused))
	}
	if got, want := l.lake.objects(t, ""), []string{lake.QuarantineObject("incidents", topicID, 3, 102)}; !slices.Equal(got, want) {
		t.Errorf("the bucket holds %v, want %v", got, want)
	}
}
