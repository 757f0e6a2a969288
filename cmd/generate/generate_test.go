package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
)

// reference is the Kafka timestamp of the records in these tests.
var reference = time.Date(2026, 11, 22, 7, 35, 0, 0, time.UTC)

func derived(t *testing.T) (root string, files map[string][]byte) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if files, err = derive(); err != nil {
		t.Fatal(err)
	}
	return root, files
}

func TestDerivedFiles_AreFresh(t *testing.T) {
	root, files := derived(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(got) != string(files[name]) {
			t.Errorf("%s is stale: run go run ./cmd/generate", name)
		}
	}
	for _, folder := range []string{"sql/replay", "terraform/reference", "terraform/schemas"} {
		entries, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if name := folder + "/" + entry.Name(); files[name] == nil {
				t.Errorf("%s is no longer derived from the event types: remove it", name)
			}
		}
	}
}

func TestDerive_IsDeterministic(t *testing.T) {
	_, first := derived(t)
	for range 5 {
		if _, again := derived(t); !maps.EqualFunc(first, again, slices.Equal[[]byte]) {
			t.Fatal("derived files differ from one run to the next")
		}
	}
}

func page(t *testing.T) string {
	t.Helper()
	root, _ := derived(t)
	text, err := os.ReadFile(filepath.Join(root, "docs/events.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pageExamples returns the examples on the reference page by topic.
func pageExamples(t *testing.T) map[string][]string {
	t.Helper()
	examples := map[string][]string{}
	for _, section := range strings.Split(page(t), "\n### ")[1:] {
		topic, _, _ := strings.Cut(section, "\n")
		for _, block := range regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllStringSubmatch(section, -1) {
			examples[topic] = append(examples[topic], block[1])
		}
	}
	return examples
}

func decode(t *testing.T, topic, zone, value string) (event.Row, *event.Rejection) {
	t.Helper()
	return decodeIn(t, topic, zone, "", value)
}

func decodeIn(t *testing.T, topic, zone string, unit event.EpochUnit, value string) (event.Row, *event.Rejection) {
	t.Helper()
	schema, ok := event.SchemaOf(topic)
	if !ok {
		t.Fatalf("no topic %q", topic)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	row := make(event.Row, len(schema.Columns)+1)
	decoder := event.NewDecoder(schema, location)
	decoder.ReadEpoch(unit)
	return row, decoder.Decode(row, []byte(value), reference)
}

// Each topic's first example has every field, its second one all but those
// that later producers add. Both are events, without unknown fields.
func TestPage_ExamplesAreEvents(t *testing.T) {
	examples := pageExamples(t)
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		later := slices.ContainsFunc(schema.Columns, func(c event.Column) bool { return c.Nullable })
		if want := map[bool]int{false: 1, true: 2}[later]; len(examples[topic]) != want {
			t.Fatalf("%s has %d examples, want %d", topic, len(examples[topic]), want)
		}
		for i, example := range examples[topic] {
			row, rejection := decode(t, topic, "UTC", example)
			if rejection != nil {
				t.Errorf("%s\nis refused: %v", example, *rejection)
				continue
			}
			for j, c := range schema.Columns {
				if row[j].Null() != (i == 1 && c.Nullable) {
					t.Errorf("example %d of %s: %s is NULL: %t", i, topic, c.Name, row[j].Null())
				}
			}
			if extra := row[len(schema.Columns)]; !extra.Null() {
				t.Errorf("example %d of %s has unknown fields %s", i, topic, extra.Text())
			}
		}
	}
}

// pageRow returns the row of a table on the reference page that begins with a
// cell.
func pageRow(t *testing.T, first string) []string {
	t.Helper()
	for _, line := range strings.Split(page(t), "\n") {
		if cells := strings.Split(strings.Trim(line, "| "), " | "); cells[0] == "`"+first+"`" {
			return cells
		}
	}
	t.Errorf("the page has no row for %s", first)
	return make([]string, 3)
}

func TestPage_ReasonsAndTheirExamples(t *testing.T) {
	examples := pageExamples(t)
	var told []event.Reason
	for _, r := range reasons {
		told = append(told, r.Reason)
		cell := pageRow(t, string(r.Reason))[2]
		switch r.Reason {
		case event.TooLarge, event.RefusedByWarehouse, event.NoRegistry, event.UnknownSchema, event.Undecodable:
			continue // not Decode's to give
		}
		if r.Reason == event.Tombstone {
			continue // null is no text; held by package event
		}
		topic, value := "incidents", r.Example
		if shown := regexp.MustCompile("^`(.*)` in (\\w+)$").FindStringSubmatch(cell); shown != nil && r.Shown == "" {
			topic, value = shown[2], replace(t, examples[shown[2]][0], shown[1])
		} else if r.Shown == "" && cell != "`"+r.Example+"`" {
			t.Errorf("the page shows %s for %s", cell, r.Example)
		}
		if _, rejection := decode(t, topic, "UTC", value); rejection == nil || rejection.Reason != r.Reason {
			t.Errorf("%s\nis refused for %v, want %s", value, rejection, r.Reason)
		}
	}
	if !slices.Equal(told, event.Reasons()) {
		t.Errorf("the page tells %v, want %v", told, event.Reasons())
	}
}

// replace returns an event with another value for a member that it has.
func replace(t *testing.T, event, member string) string {
	t.Helper()
	name, _, _ := strings.Cut(member, ":")
	line := regexp.MustCompile(`(?m)^  ` + name + `: .*?(,?)$`)
	if !line.MatchString(event) {
		t.Fatalf("no %s in %s", name, event)
	}
	return line.ReplaceAllString(event, "  "+member+"$1")
}

func TestPage_TimestampsAreReadAsSaid(t *testing.T) {
	for _, r := range timestamps {
		cells := pageRow(t, r.Text)
		value := replace(t, pageExamples(t)["incidents"][0], `"timestamp": "`+strings.Trim(cells[0], "`")+`"`)
		got := refused
		if row, rejection := decode(t, "incidents", "Europe/Paris", value); rejection == nil {
			got = row[4].Time().Format(time.RFC3339Nano)
		} else if rejection.Reason != event.BadTimestamp {
			t.Errorf("%s: %v", r.Text, *rejection)
		}
		if got != cells[1] {
			t.Errorf("%s is %s, the page says %s", r.Text, got, cells[1])
		}
	}
}

// What the page says of a program's timestamps is what becomes of them, with
// and without the setting.
func TestPage_SerializersAreReadAsSaid(t *testing.T) {
	for _, s := range serializers {
		value := replace(t, pageExamples(t)["incidents"][0], `"timestamp": `+s.Text)
		row, rejection := decodeIn(t, "incidents", "UTC", event.EpochUnit(s.Unit), value)
		switch {
		case s.Not != "":
			if rejection == nil || string(rejection.Reason) != s.Not {
				t.Errorf("%s, %s: %v, want %s", s.By, s.Text, rejection, s.Not)
			}
		case rejection != nil:
			t.Errorf("%s, %s: %v", s.By, s.Text, *rejection)
		case !row[4].Time().Equal(time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC)):
			t.Errorf("%s, %s is %s", s.By, s.Text, row[4].Time())
		}
		if s.Unit == "" {
			continue
		}
		if _, rejection := decode(t, "incidents", "UTC", value); rejection == nil || rejection.Reason != event.WrongType || !strings.Contains(rejection.Detail, "STATION_EPOCH_UNIT") {
			t.Errorf("%s without a unit: %v", s.Text, rejection)
		}
	}
}

func TestPage_WrappingsAreReadAsSaid(t *testing.T) {
	inner := pageExamples(t)["incidents"][0]
	for _, w := range wrappings {
		row, rejection := decode(t, "incidents", "UTC", strings.Replace(w.Text, "…", inner, 1))
		switch {
		case w.Is != theEvent:
			if rejection == nil || string(rejection.Reason) != w.Is {
				t.Errorf("%s: %v, want %s", w.By, rejection, w.Is)
			}
		case rejection != nil:
			t.Errorf("%s: %v", w.By, *rejection)
		case string(row[0].Text()) != "incident-000117" || !row[len(row)-1].Null():
			t.Errorf("%s is %s, with extra %s", w.By, row[0].Text(), row[len(row)-1].Text())
		}
	}
}

func TestSchemas_AreBigQuerys(t *testing.T) {
	_, files := derived(t)
	tables := append(event.Topics(), "quarantine")
	for _, table := range tables {
		var schema []struct{ Name, Type, Mode, Description string }
		if err := json.Unmarshal(files["terraform/schemas/"+table+".json"], &schema); err != nil {
			t.Fatal(err)
		}
		columns := event.QuarantineColumns()
		if s, ok := event.SchemaOf(table); ok {
			columns = s.StagingColumns()
		}
		if len(schema) != len(columns) {
			t.Fatalf("%s has %d columns, want %d", table, len(schema), len(columns))
		}
		for i, c := range schema {
			want := columns[i]
			if c.Name != want.Name || c.Type != want.Type.String() || (c.Mode == "NULLABLE") != want.Nullable || c.Description != want.Description {
				t.Errorf("%s: column %d is %v, want %v", table, i, c, want)
			}
		}
	}
}
