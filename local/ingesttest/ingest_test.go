package ingesttest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
)

func TestIngest_GoodRecordsLandInLakeAndWarehouse(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(50)...)
	began := time.Now()
	l.mustDeliver(t, b)

	staged := l.warehouse.rows("incidents")
	if len(staged) != 50 || len(l.warehouse.rows("quarantine")) != 0 {
		t.Fatalf("%d rows in staging and %d in quarantine, want 50 and 0", len(staged), len(l.warehouse.rows("quarantine")))
	}
	names := l.lake.objects(t, "raw/")
	want := "raw/incidents/dt=2026-11-22/hour=11/incidents-0f9b3c52-45e3c29b153dc7c3.parquet" // 3:100-149
	if !slices.Equal(names, []string{want}) {
		t.Fatalf("objects %q, want only %q", names, want)
	}
	schema, archived := readParquet(t, l.lake.read(t, want))
	incidentSchema, _ := event.SchemaOf("incidents")
	for i, column := range incidentSchema.StagingColumns() {
		if field := schema.Field(i); field.Name != column.Name || field.Nullable != column.Nullable {
			t.Errorf("column %d of the file is %s, want %+v", i, field, column)
		}
	}
	for i := range staged {
		if at := time.UnixMicro(staged[i]["ingested_at"].(int64)); at.Before(began.Add(-time.Second)) || at.After(time.Now()) {
			t.Errorf("row %d was ingested at %v", i, at)
		}
		delete(staged[i], "ingested_at")
		delete(archived[i], "ingested_at")
		if fmt.Sprint(staged[i]) != fmt.Sprint(archived[i]) {
			t.Fatalf("row %d is %v in the warehouse and %v in the lake", i, staged[i], archived[i])
		}
	}
	first := staged[0]
	for column, want := range map[string]any{
		"id": "inc-0", "station": "Châtelet", "severity": "Minor", "duration": 12.5,
		"kafka_topic": "incidents", "kafka_topic_id": topicID, "kafka_partition": int64(3), "kafka_offset": int64(100),
		"kafka_timestamp": noon.UnixMicro(), "batch_id": topicID + "-both-45e3c29b153dc7c3",
	} {
		if first[column] != want {
			t.Errorf("%s is %v, want %v", column, first[column], want)
		}
	}
	if _, present := first["extra"]; present {
		t.Error("extra is not NULL")
	}
}

func TestIngest_EveryTopicHasItsOwnTable(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, topic := range event.Topics() {
		b := batchOf(goodEvents[topic]...)
		b.Topic = topic
		l.mustDeliver(t, b)
		rows := l.warehouse.rows(topic)
		if len(rows) != len(goodEvents[topic]) {
			t.Fatalf("%s has %d rows, want %d; quarantine: %v", topic, len(rows), len(goodEvents[topic]), l.warehouse.rows("quarantine"))
		}
		_, archived := readParquet(t, l.lake.read(t, l.lake.objects(t, "raw/"+topic+"/")[0]))
		for i := range rows {
			delete(rows[i], "ingested_at")
			delete(archived[i], "ingested_at")
			if fmt.Sprint(rows[i]) != fmt.Sprint(archived[i]) {
				t.Errorf("%s: row %d is %v in the warehouse and %v in the lake", topic, i, rows[i], archived[i])
			}
		}
	}
	arrivals := l.warehouse.rows("train_arrivals")
	if _, present := arrivals[0]["scheduled_timestamp"]; present || arrivals[1]["train_number"] != "RER-7" || arrivals[1]["extra"] != `{"note":"x"}` {
		t.Errorf("optional columns of arrivals: %v", arrivals)
	}
}

// goodEvents has for each topic an event with the first fields only and, where
// there are more, one with all.
var goodEvents = map[string][]string{
	"incidents":          {incident("i", noon)},
	"equipment_failures": {`{"id":"e","equipment":"escalator","station":"Nation","location":"Hall","timestamp":"2026-11-22T11:30:00","duration":3}`},
	"train_arrivals": {
		`{"id":"a1","station":"Nation","timestamp":"2026-11-22T11:30:00","passengers":3,"dock_number":1,"wagon_count":8,"direction":"North"}`,
		`{"id":"a2","station":"Nation","timestamp":"2026-11-22T11:30:00Z","passengers":3.0,"dock_number":1,"wagon_count":8,"direction":"East","train_number":"RER-7","scheduled_timestamp":"2026-11-22T11:28:00","note":"x"}`},
	"train_departures": {
		`{"id":"d1","station":"Nation","timestamp":"2026-11-22T11:30:00","passengers":3,"dock_number":1,"wagon_count":8,"direction":"West"}`},
	"ticket_validations": {
		`{"id":"v1","train_id":"a1","station":"Nation","timestamp":"2026-11-22T11:30:00","validations":0}`,
		`{"id":"v2","train_id":"a1","station":"Nation","timestamp":"2026-11-22T11:30:00","validations":9,"rejected":0}`},
	"passenger_flow": {
		`{"id":"p1","train_id":"a1","station":"Nation","timestamp":"2026-11-22T11:30:00","waiting_time":1.5,"ticket_check_time":0,"reduced_flow_factor":1}`,
		`{"id":"p2","train_id":"a1","station":"Nation","timestamp":"2026-11-22T11:30:00","waiting_time":2,"ticket_check_time":1,"reduced_flow_factor":0.5,"entered":0,"exited":null,"zone":"Hall"}`},
}

func TestIngest_BadRecordsAreQuarantinedWithTheirBytes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(4)...)
	b.Records[1].Value = []byte("{\"id\": 1\xff")
	b.Records[1].Key = []byte(strings.Repeat("k", 10<<10))
	b.Records[2].Value, b.Records[2].Key = nil, nil
	b.Records[3].Value = []byte{}
	b.Records[3].Timestamp = -1
	l.mustDeliver(t, b)

	if got := offsets(l.warehouse.rows("incidents")); len(got) != 1 || got[100] != 1 {
		t.Errorf("offsets in staging: %v, want only 100", got)
	}
	rows := l.warehouse.rows("quarantine")
	if len(rows) != 3 {
		t.Fatalf("%d rows in quarantine, want 3: %v", len(rows), rows)
	}
	for i, want := range []row{
		{"reason": "not_utf8", "key": b.Records[1].Key, "value": b.Records[1].Value, "kafka_offset": int64(101), "kafka_timestamp": noon.UnixMicro() + 1000},
		{"reason": "tombstone", "key": nil, "value": nil, "kafka_offset": int64(102), "kafka_timestamp": noon.UnixMicro() + 2000},
		{"reason": "empty", "key": []byte("k3"), "value": []byte{}, "kafka_offset": int64(103), "kafka_timestamp": nil},
	} {
		for column := range want {
			if fmt.Sprintf("%q", rows[i][column]) != fmt.Sprintf("%q", want[column]) {
				t.Errorf("row %d: %s is %.40q, want %.40q", i, column, rows[i][column], want[column])
			}
		}
	}
	if c := l.function.Counts(); c.Valid != 1 || c.Quarantined != 3 || c.Records != 4 {
		t.Errorf("counts %+v", c)
	}
}

// Headers are carried by the batch, for other subscribers, and ignored here:
// neither staging nor quarantine has a column for them.
func TestIngest_HeadersAreIgnored(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(2)...)
	b.Records[0].Headers = []batch.Header{{Key: "id", Value: []byte("another")}, {Key: "", Value: nil}}
	b.Records[1].Headers = make([]batch.Header, batch.MaxHeaders-2)
	b.Records[1].Value = nil
	l.mustDeliver(t, b)
	if rows := l.warehouse.rows("incidents"); len(rows) != 1 || rows[0]["id"] != "inc-0" {
		t.Errorf("staging has %v", rows)
	}
	if rows := l.warehouse.rows("quarantine"); len(rows) != 1 || rows[0]["reason"] != "tombstone" {
		t.Errorf("quarantine has %v", rows)
	}
}

// TestIngest_NothingIsLost delivers random batches and asks that every record
// is in one place, once.
func TestIngest_NothingIsLost(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 9))
	for trial := range 8 {
		l := newLab(t)
		values := make([]string, 1+random.IntN(500))
		for i := range values {
			switch random.IntN(5) {
			case 0:
				values[i] = []string{"", "{}", "[1]", "null", "x", `{"id":"a"}`}[random.IntN(6)]
			default:
				values[i] = incident(fmt.Sprint(i), noon.Add(-time.Duration(random.IntN(1+trial*200))*time.Minute))
			}
		}
		b := batchOf(values...)
		l.mustDeliver(t, b)

		found := make(map[int64]int)
		for _, name := range l.lake.objects(t, "raw/") {
			_, rows := readParquet(t, l.lake.read(t, name))
			for _, r := range rows {
				found[r["kafka_offset"].(int64)]++
				folder := time.UnixMicro(r["timestamp"].(int64)).UTC().Format("/dt=2006-01-02/hour=15/")
				if !strings.Contains(name, folder) {
					t.Errorf("an event of %s is in %s", folder, name)
				}
			}
		}
		archived, staged := len(found), l.warehouse.rows("incidents")
		if len(staged) != archived {
			t.Errorf("%d rows in staging, %d in the lake", len(staged), archived)
		}
		for offset, n := range offsets(l.warehouse.rows("quarantine")) {
			found[offset] += n
		}
		for _, r := range b.Records {
			if found[r.Offset] != 1 {
				t.Errorf("trial %d: offset %d was found %d times", trial, r.Offset, found[r.Offset])
			}
		}
	}
}

func TestIngest_ManyHoursInOneBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var values []string
	for h := range 500 {
		values = append(values, incident(fmt.Sprint(h), noon.Add(-time.Duration(h)*time.Hour)))
	}
	l.mustDeliver(t, batchOf(values...))
	if n := len(l.lake.objects(t, "raw/")); n != 500 {
		t.Errorf("%d objects, want 500", n)
	}
}

func TestIngest_ManyTinyBadRecords(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	values := make([]string, batch.MaxRecords)
	for i := range values {
		values[i] = "x"
	}
	l.mustDeliver(t, batchOf(values...))
	rows := l.warehouse.rows("quarantine")
	if seen := offsets(rows); len(rows) != len(values) || len(seen) != len(values) {
		t.Errorf("%d rows of %d offsets, want %d", len(rows), len(seen), len(values))
	}
	if names := l.lake.objects(t, ""); len(names) != 0 {
		t.Errorf("objects %q, want none", names)
	}
}

func TestIngest_RequestsAreCutBySize(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	long := strings.Repeat("z", 700<<10)
	var values []string
	for i := range 10 {
		values = append(values, strings.Replace(incident(fmt.Sprint(i), noon), "Dock 2", long, 1))
	}
	l.mustDeliver(t, batchOf(values...))
	if n := len(offsets(l.warehouse.rows("incidents"))); n != 10 {
		t.Errorf("%d offsets in staging, want 10", n)
	}
	if l.warehouse.largest > 3<<20+4<<10 {
		t.Errorf("a request had %d bytes", l.warehouse.largest)
	}
}

// A string of 1.5 MB is in the lake's file once, not in the footer as well,
// which every reader reads; the others of its column are found as before.
func TestIngest_LongStringIsNotInTheFooter(t *testing.T) {
	t.Parallel()
	l := newLab(t, withoutWarehouse)
	random := make([]byte, 3<<18)
	rand.NewChaCha8([32]byte{}).Read(random)
	long := fmt.Sprintf("%x", random)
	values := incidents(20)
	values[7] = strings.Replace(values[7], "Dock 2", long, 1)
	values[8] = strings.Replace(values[8], `{`, `{"note":"`+long+`",`, 1)
	b := batchOf(values...)
	l.mustDeliver(t, b)
	names := l.lake.objects(t, "raw/")
	if len(names) != 1 {
		t.Fatalf("objects %q", names)
	}
	data := l.lake.read(t, names[0])
	if size := binary.LittleEndian.Uint32(data[len(data)-8:]); size > 8<<10 {
		t.Errorf("the footer has %d bytes", size)
	}
	if size := len(data); size > 2*len(long)+64<<10 {
		t.Errorf("the file has %d bytes for two texts of %d", size, len(long))
	}
	_, rows := readParquet(t, data)
	for i, r := range rows {
		location := "Dock 2"
		if i == 7 {
			location = long
		}
		if r["location"] != location || (r["extra"] != nil) != (i == 8) || r["kafka_offset"] != int64(100+i) {
			t.Errorf("row %d holds %.40v, %.40v", i, r["location"], r["extra"])
		}
	}
}

func TestIngest_WhatFitsNoRowGoesToTheLake(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(5)...)
	huge := strings.Replace(incident("huge", noon), "Dock 2", strings.Repeat("z", 3<<20), 1)
	b.Records[0].Value = []byte(huge)
	b.Records[1].Value, b.Records[1].ValueURI, b.Records[1].ValueSize = nil, "gs://lake/quarantine/incidents/elsewhere.bin", 9<<20
	b.Records[2].Key = []byte(strings.Repeat("y", 3<<20))
	b.Records[3].Key, b.Records[3].Value, b.Records[3].ValueURI = nil, nil, "gs://lake/quarantine/incidents/v.bin"
	b.Records[3].Headers = []batch.Header{{Key: batch.HeaderHeadersURI, Value: []byte("gs://lake/h.json")}, {Key: batch.HeaderKeyURI, Value: []byte("gs://lake/k.bin")}}
	l.mustDeliver(t, b)
	l.mustDeliver(t, b) // finds the objects there

	prefix := "quarantine/incidents/incidents-0f9b3c52-00003-"
	value, bad, key := prefix+"00000000000000000100.bin", prefix+"00000000000000000102.bin", prefix+"00000000000000000102.key.bin"
	if names := l.lake.objects(t, "quarantine/"); !slices.Equal(names, []string{value, bad, key}) {
		t.Fatalf("objects %q", names)
	}
	if string(l.lake.read(t, value)) != huge || string(l.lake.read(t, key)) != string(b.Records[2].Key) || string(l.lake.read(t, bad)) != string(b.Records[2].Value) {
		t.Error("the bytes in the lake are not the record's")
	}
	for i, want := range []struct{ reason, detail string }{
		{"refused_by_warehouse", "gs://lake/" + value},
		{"too_large", b.Records[1].ValueURI},
		{"refused_by_warehouse", "gs://lake/" + bad + " key: gs://lake/" + key},
		{"too_large", "gs://lake/quarantine/incidents/v.bin key: gs://lake/k.bin headers: gs://lake/h.json"},
	} {
		r := l.warehouse.rows("quarantine")[i]
		if r["detail"] != want.detail || r["reason"] != want.reason || r["value"] != nil {
			t.Errorf("row %d: reason %v, detail %v, want %s, %s", i, r["reason"], r["detail"], want.reason, want.detail)
		}
	}
	if got := offsets(l.warehouse.rows("incidents")); len(got) != 1 || got[104] != 2 {
		t.Errorf("offsets in staging: %v, want only 104", got)
	}
}
