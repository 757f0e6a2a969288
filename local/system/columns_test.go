package system

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/warehouse"
)

// ofWarehouse returns a client of a warehouse that holds nothing.
func ofWarehouse(t *testing.T) *bigquery.Client {
	t.Helper()
	w, err := warehouse.Start(t.Context(), warehouse.Config{Project: project,
		Engine: []string{built.Program(t, "stationflow"), warehouse.EngineCommand}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	client, err := bigquery.NewClient(t.Context(), project, option.WithEndpoint(w.RESTURL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// Clients see the tables' layout that a deployment has.
func TestTables_ArePartitionedAndClustered(t *testing.T) {
	client := ofWarehouse(t)
	if err := createTables(t.Context(), client, "staging_data", "prod_data", "HOUR", nil); err != nil {
		t.Fatal(err)
	}
	for _, table := range append(event.Topics(), "quarantine") {
		made, err := client.Dataset("staging_data").Table(table).Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"station"}
		if table == "quarantine" {
			want = []string{"kafka_topic", "reason"}
		}
		if by := made.Clustering; by == nil || !slices.Equal(by.Fields, want) {
			t.Errorf("%s is clustered by %v, want %v", table, by, want)
		}
		if by := made.TimePartitioning; by == nil || by.Field != "ingested_at" || by.Type != bigquery.HourPartitioningType {
			t.Errorf("%s is partitioned by %v, want the hour of ingested_at", table, by)
		}
	}
}

// The tables of an earlier version get the columns that they lack, with their
// rows, also where the start before ended in the middle.
func TestTables_GetTheColumnsThatTheyLack(t *testing.T) {
	client := ofWarehouse(t)
	do := func(statement string) (rows [][]bigquery.Value) {
		t.Helper()
		it, err := client.Query(statement).Read(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		for {
			var row []bigquery.Value
			switch err := it.Next(&row); {
			case errors.Is(err, iterator.Done):
				return rows
			case err != nil:
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
	begin := func() {
		t.Helper()
		if err := createTables(t.Context(), client, "staging_data", "prod_data", "HOUR", nil); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	const fill = "insert into staging_data.incidents (id, station, kafka_offset, kafka_topic, kafka_topic_id, kafka_partition, ingested_at, batch_id, type, location, timestamp, severity, duration) " +
		"select concat('i-', cast(n as string)), 'S', n, 'incidents', 'u', 0, current_timestamp(), 'b', 't', 'l', current_timestamp(), 'Minor', 1.5 from unnest([1, 2, 3]) as n"
	do(fill)
	older := func(name string) {
		t.Helper()
		do("create table staging_data." + name + " as select * except (kafka_key, schema_id) from staging_data.incidents")
	}
	drop := func(name string) {
		t.Helper()
		if err := client.Dataset("staging_data").Table(name).Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const question = "select id, kafka_offset, duration, schema_id from staging_data.incidents_records order by id"
	want := fmt.Sprint(do(question))
	for _, c := range []struct {
		name  string
		state func() // of a start before
	}{
		{"it lacks columns", func() {
			older("was")
			drop("incidents")
			do("create table staging_data.incidents as select * from staging_data.was")
			drop("was")
		}},
		{"the start before had dropped it", func() { older("incidents_before"); drop("incidents") }},
		{"the start before had not filled it", func() {
			older("incidents_before")
			do("delete from staging_data.incidents where id = 'i-2'")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.state()
			begin()
			if got := fmt.Sprint(do(question)); got != want {
				t.Errorf("the rows are %s, want %s", got, want)
			}
			if n := do("select count(*) from staging_data.INFORMATION_SCHEMA.TABLES where table_name like '%before'")[0][0]; n != int64(0) {
				t.Errorf("%v copies are left", n)
			}
		})
	}
	t.Run("a view is an earlier version's", func(t *testing.T) {
		do("insert into staging_data.quarantine (kafka_topic, kafka_topic_id, kafka_partition, kafka_offset, reason, ingested_at, batch_id) " +
			"select 'incidents', 'u', 0, 9, reason, current_timestamp(), 'b' from unnest(['not_json', 'accepted']) as reason")
		drop("quarantine_records")
		do("create view staging_data.quarantine_records as select * from " + project + ".staging_data.quarantine")
		begin()
		if rows := do("select reason from staging_data.quarantine_records"); len(rows) != 0 {
			t.Errorf("it still shows %v", rows)
		}
	})
}
