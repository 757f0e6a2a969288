package ingesttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/lake"
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
	want := "raw/incidents/dt=2026-11-22/hour=11/incidents-0f9b3c52-00003-00000000000000000100-00000000000000000149.parquet"
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
		"kafka_timestamp": noon.UnixMicro(), "batch_id": topicID + "-3-100-149",
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
		{"reason": "empty", "key": nil, "value": nil, "kafka_offset": int64(102), "kafka_timestamp": noon.UnixMicro() + 2000},
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

func TestIngest_RedeliveryCreatesObjectsOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(20)...)
	for range 3 {
		l.mustDeliver(t, b)
	}
	if names := l.lake.objects(t, "raw/"); len(names) != 1 {
		t.Errorf("objects %q, want one", names)
	}
	for _, r := range b.Records {
		if n := offsets(l.warehouse.rows("incidents"))[r.Offset]; n != 3 {
			t.Errorf("offset %d has %d rows, want one for each delivery", r.Offset, n)
		}
	}
	if c := l.function.Counts(); c.DuplicateObjects != 2 || c.Batches != 3 {
		t.Errorf("counts %+v, want 2 duplicate objects of 3 batches", c)
	}
}

func TestIngest_ConcurrentDeliveriesOfTheSameBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(300)...)
	var deliveries sync.WaitGroup
	for range 8 {
		e := eventOf(t, b)
		deliveries.Go(func() {
			if err := l.function.Ingest(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	deliveries.Wait()
	if names := l.lake.objects(t, "raw/"); len(names) != 1 {
		t.Errorf("objects %q, want one", names)
	}
	if c := l.function.Counts(); c.DuplicateObjects != 7 {
		t.Errorf("%d duplicate objects, want 7", c.DuplicateObjects)
	}
	if n := len(l.warehouse.rows("incidents")); n != 8*300 {
		t.Errorf("%d rows, want %d", n, 8*300)
	}
	if n := l.warehouse.opened(); n != 1 {
		t.Errorf("%d connections to the table, want 1", n)
	}
}

// Concurrent batches share decoders, writers and buffers through pools: what
// lands must still be each batch's own.
func TestIngest_ConcurrentBatchesDoNotMix(t *testing.T) {
	t.Parallel()
	const workers, rounds = 8, 8
	l := newLab(t)
	want := 0
	var deliveries sync.WaitGroup
	for worker := range workers {
		var events []cloudevents.Event
		for round := range rounds {
			b := batchOf(incidents(40 + 3*worker + round)...)
			b.Partition = int32(worker*rounds + round)
			for i := range b.Records {
				b.Records[i].Value = []byte(incident(fmt.Sprintf("p%d-%d", b.Partition, i), noon))
			}
			events = append(events, eventOf(t, b))
			want += len(b.Records)
		}
		deliveries.Go(func() {
			for _, e := range events {
				if err := l.function.Ingest(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	deliveries.Wait()
	var archived []row
	for _, name := range l.lake.objects(t, "raw/") {
		_, rows := readParquet(t, l.lake.read(t, name))
		archived = append(archived, rows...)
	}
	staged := l.warehouse.rows("incidents")
	for _, r := range append(archived, staged...) {
		if want := fmt.Sprintf("p%d-%d", r["kafka_partition"], r["kafka_offset"].(int64)-100); r["id"] != want {
			t.Fatalf("partition %v offset %v holds event %v", r["kafka_partition"], r["kafka_offset"], r["id"])
		}
	}
	if len(archived) != want || len(staged) != want {
		t.Errorf("%d rows in the lake and %d in staging, want %d", len(archived), len(staged), want)
	}
}

func TestIngest_OtherContentsUnderTheSameNameAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(3)...)
	l.mustDeliver(t, b)
	before := l.lake.read(t, l.lake.objects(t, "raw/")[0])
	b.Records[1].Value = []byte(incident("another", noon.Add(-time.Minute)))

	var conflict *lake.Conflict
	if err := l.deliver(t, b); !errors.As(err, &conflict) {
		t.Fatalf("error %v, want a conflict", err)
	}
	if after := l.lake.read(t, l.lake.objects(t, "raw/")[0]); string(after) != string(before) {
		t.Error("the object was overwritten")
	}
	if c := l.function.Counts(); c.Conflicts != 1 || c.Failed != 1 {
		t.Errorf("counts %+v, want one conflict", c)
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

func TestIngest_WhatFitsNoRowGoesToTheLake(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(4)...)
	huge := strings.Replace(incident("huge", noon), "Dock 2", strings.Repeat("z", 3<<20), 1)
	b.Records[0].Value = []byte(huge)
	b.Records[1].Value, b.Records[1].ValueURI, b.Records[1].ValueSize = nil, "gs://lake/quarantine/incidents/elsewhere.bin", 9<<20
	b.Records[2].Key = []byte(strings.Repeat("y", 3<<20))
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
	for i, want := range []string{
		"gs://lake/" + value,
		b.Records[1].ValueURI,
		"gs://lake/" + bad + " key: gs://lake/" + key,
	} {
		r := l.warehouse.rows("quarantine")[i]
		if r["detail"] != want || r["reason"] != "too_large" || r["value"] != nil {
			t.Errorf("row %d: reason %v, detail %v, want too_large, %s", i, r["reason"], r["detail"], want)
		}
	}
	if got := offsets(l.warehouse.rows("incidents")); len(got) != 1 || got[103] != 2 {
		t.Errorf("offsets in staging: %v, want only 103", got)
	}
}

func TestIngest_NoBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	garbage := eventOf(t, batchOf(incidents(3)...))
	if err := garbage.SetData(batch.ContentType, []byte("no file")); err != nil {
		t.Fatal(err)
	}
	foreign := eventOf(t, batchOf(incidents(3)...))
	foreign.SetType("com.example.other")
	strange := batchOf(incidents(3)...)
	strange.Topic = "cat_pictures"
	for name, e := range map[string]cloudevents.Event{"garbage": garbage, "foreign": foreign, "topic": eventOf(t, strange)} {
		err := l.function.Handle(t.Context(), e)
		if got := statusOf(err); got != http.StatusUnprocessableEntity {
			t.Errorf("%s: answer %d (%v), want 422", name, got, err)
		}
	}
	if c := l.function.Counts(); c.Refused != 3 || c.Failed != 3 {
		t.Errorf("counts %+v, want 3 refused", c)
	}
}

func TestIngest_CallThatIsCancelledIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	hold := make(chan struct{})
	arrived := make(chan struct{}, 1)
	l.warehouse.decide(func(string, []row) verdict {
		select {
		case arrived <- struct{}{}:
		default:
		}
		return verdict{hang: hold}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if err := l.function.Ingest(ctx, eventOf(t, batchOf(incidents(3)...))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the call was cancelled", err)
	}
	close(hold)
	l.warehouse.decide(nil)
	l.mustDeliver(t, batchOf(incidents(3)...))
}

func TestIngest_PanicIsAnErrorOfItsBatchOnly(t *testing.T) {
	t.Parallel()
	calls := 0
	l := newLab(t, func(c *ingest.Config) {
		c.Now = func() time.Time {
			if calls++; calls == 2 {
				panic("a fault in the program")
			}
			return time.Now()
		}
	})
	err := l.deliver(t, batchOf(incidents(3)...))
	if err == nil || !strings.Contains(err.Error(), topicID+"-3-100-102") || !strings.Contains(err.Error(), "a fault in the program") {
		t.Fatalf("error %v, want one that names the batch and the panic", err)
	}
	if c := l.function.Counts(); c.Crashes != 1 {
		t.Errorf("counts %+v, want one crash", c)
	}
}
