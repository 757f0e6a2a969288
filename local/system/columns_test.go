package system

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/warehouse"
)

// The tables of an earlier version get the columns that they lack, with their
// rows, also where the start before ended in the middle.
func TestTables_GetTheColumnsThatTheyLack(t *testing.T) {
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
}
