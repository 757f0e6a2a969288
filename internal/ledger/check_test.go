package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
)

const (
	incidents = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
	arrivals  = "1e9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
	older     = "2d9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
)

// A world is what a check has read. It has 100 records in each of two
// partitions of incidents, of which 7 and 8 are in quarantine, and 10 in one of
// train_arrivals. Offset 50 of incidents/1 is a transaction's marker.
type world struct {
	extents map[Place]*Extent
	markers map[Place]Spans
	unread  []string
	harvest
	options Options
	byName  bool
	expires bool
	aside   map[Place]Spans // what the lake has as bytes
	lasting bool            // nothing young is taken to be on its way
}

func place(topic, id string, partition int64) Place { return Place{topic, id, partition} }

func run(table string, at Place, first, last int64) Run {
	return Run{Table: table, Place: at, Span: Span{first, last + 1}, Rows: last + 1 - first}
}

func object(name string, at Place, spans ...Span) find {
	return find{object: Object{Name: name, Topic: at.Topic, Size: 1, Ranges: "0:0-99"}, spans: map[Place]Spans{at: Of(spans...)}}
}

var (
	zero  = place("incidents", incidents, 0)
	one   = place("incidents", incidents, 1)
	train = place("train_arrivals", arrivals, 0)
)

func newWorld() *world {
	all := func(n int64) *Extent { return &Extent{Stable: n, End: n, Committed: n, To: n, Settled: n} }
	return &world{
		extents: map[Place]*Extent{zero: all(100), one: all(100), train: all(10)},
		markers: map[Place]Spans{one: {{50, 51}}},
		harvest: harvest{
			runs: []Run{
				run("incidents", zero, 0, 6), run("incidents", zero, 9, 99), run("quarantine", zero, 7, 8),
				run("incidents", one, 0, 49), run("incidents", one, 51, 99), run("train_arrivals", train, 0, 9),
			},
			finds: []find{
				object("a", zero, Span{0, 7}, Span{9, 100}), object("b", one, Span{0, 50}, Span{51, 100}), object("c", train, Span{0, 10}),
			},
		},
	}
}

func (w *world) check(t *testing.T) *Report {
	t.Helper()
	c := &Check{
		sources: Sources{Kafka: Kafka{Topics: []string{"incidents", "train_arrivals"}}, Warehouse: &Warehouse{}, Lake: &Lake{ReadBytes: 100}},
		options: w.options, kafka: &reading{extents: w.extents, unread: w.unread}, expires: w.expires,
		records: func(_ context.Context, at Place, among Spans) (Spans, error) {
			if e := w.extents[at]; len(among.From(e.Stable)) > 0 || len(among.Before(e.Begin)) > 0 {
				t.Errorf("Kafka is asked for %v of %s, it has %d to %d", among, at, e.Begin, e.Stable)
			}
			return among.Not(w.markers[at]), nil
		},
	}
	for _, f := range w.finds {
		c.objects = append(c.objects, f.object)
	}
	if w.byName {
		c.sources.Lake.ReadBytes = 0
	}
	report, err := c.compare(t.Context(), w.harvest, &judge{moving: !w.lasting,
		aside: func(_ context.Context, at Place) (Spans, error) { return w.aside[at], nil }})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// said has the findings in short: kind, place, offsets and where.
func said(findings []Finding) []string {
	all := []string{}
	for _, f := range findings {
		text := string(f.Kind)
		if f.Topic != "" {
			text += " " + f.Place.String()
		}
		if f.Records > 0 && f.Topic != "" {
			text += " " + strings.TrimPrefix(strings.TrimPrefix(f.where(), "offsets "), "offset ")
		}
		if f.In != "" {
			text += " in " + f.In
		}
		all = append(all, text)
	}
	return all
}

func (w *world) without(table string, at Place, offset int64) {
	for i, r := range w.runs {
		if r.Table == table && r.Place == at && r.Span.First <= offset && offset < r.Span.Next {
			w.runs[i].Span.Next, w.runs[i].Rows = offset, offset-r.Span.First
			w.runs = append(w.runs, run(table, at, offset+1, r.Span.Next-1))
		}
	}
	w.runs = slices.DeleteFunc(w.runs, func(r Run) bool { return r.Span.First >= r.Span.Next })
}

func letterOf(id string, at Place, first, last int64, rows, lake bool) DeadLetter {
	return DeadLetter{ID: id, Topic: at.Topic, Rows: rows, Lake: lake, Ranges: map[Place]Span{at: {first, last + 1}}}
}

// Whatever is tampered with is named, with place and offsets, and only that.
func TestCheck_NamesWhatIsTamperedWith(t *testing.T) {
	always := "no_records incidents/1 50"
	for _, c := range []struct {
		name            string
		tamper          func(w *world)
		problems, notes string // by semicolon
	}{
		{"nothing", func(*world) {}, "", ""},
		{"a staging row missing", func(w *world) { w.without("incidents", zero, 20) }, "only_in_lake incidents/0 20", ""},
		{"a row doubled", func(w *world) {
			w.without("incidents", zero, 20)
			w.runs = append(w.runs, Run{Table: "incidents", Place: zero, Span: Span{20, 21}, Repeated: true, Rows: 3})
		}, "", "duplicates incidents/0 20"},
		{"a row moved to another table", func(w *world) {
			w.without("incidents", zero, 20)
			w.runs = append(w.runs, run("train_arrivals", zero, 20, 20))
		}, "wrong_table incidents/0 20 in train_arrivals", ""},
		{"a row in another table as well", func(w *world) { w.runs = append(w.runs, run("train_arrivals", zero, 20, 21)) },
			"wrong_table incidents/0 20-21 in train_arrivals", ""},
		{"a row without coordinates", func(w *world) { w.runs = append(w.runs, Run{Table: "incidents", Rows: 1}) }, "wrong_table in incidents", ""},
		{"an object gone", func(w *world) { w.finds = w.finds[1:] }, "not_in_lake incidents/0 0-6, 9-99", ""},
		{"an object cut", func(w *world) { w.finds[0].spans, w.finds[0].broken = nil, "it is cut" },
			"bad_object in a;not_in_lake incidents/0 0-6, 9-99", ""},
		{"an object with fewer rows", func(w *world) { w.finds[2] = object("c", train, Span{0, 9}) }, "not_in_lake train_arrivals/0 9", ""},
		{"an object that is somebody else's", func(w *world) {
			w.finds = append(w.finds, find{object: Object{Name: "x", Topic: "incidents"}, broken: "what is it"})
		},
			"bad_object in x", ""},
		{"an offset never delivered", func(w *world) {
			w.without("incidents", one, 30)
			w.finds[1] = object("b", one, Span{0, 30}, Span{31, 50}, Span{51, 100})
		}, "missing incidents/1 30", ""},
		{"a quarantine row removed", func(w *world) { w.without("quarantine", zero, 8) }, "missing incidents/0 8", ""},
		{"records in a dead letter", func(w *world) {
			w.without("quarantine", zero, 8)
			w.letters = []DeadLetter{letterOf("17", zero, 8, 8, true, true)}
		}, "dead_letter incidents/0 8 in 17", ""},
		{"a dead letter of the lake", func(w *world) {
			w.finds = w.finds[1:]
			w.letters = []DeadLetter{letterOf("17", zero, 0, 99, false, true)}
		}, "dead_letter incidents/0 0-6, 9-99 in 17", ""},
		{"a dead letter that has arrived", func(w *world) { w.letters = []DeadLetter{letterOf("17", zero, 0, 99, true, false)} }, "", "settled in 17"},
		{"a dead letter that is no batch", func(w *world) { w.letters = []DeadLetter{{ID: "17"}} }, "", "bad_letter in 17"},
		{"a topic id that Kafka does not have", func(w *world) {
			old := place("incidents", older, 0)
			w.runs = append(w.runs, run("incidents", old, 0, 3), run("incidents", old, 6, 9))
			w.finds = append(w.finds, object("d", old, Span{0, 10}))
		}, "only_in_lake incidents/0 4-5", "other_topic_id incidents/0"},
		{"a row under another topic id", func(w *world) {
			w.without("incidents", zero, 20)
			w.runs = append(w.runs, run("incidents", place("incidents", older, 0), 20, 20))
		}, "only_in_lake incidents/0 20;not_in_lake incidents/0 20", "other_topic_id incidents/0"},
		{"a row under the id of another topic", func(w *world) { w.runs = append(w.runs, run("incidents", place("incidents", arrivals, 0), 3, 3)) },
			"not_in_kafka incidents/0;not_in_lake incidents/0 3", ""},
		{"a row beyond Kafka's end", func(w *world) { w.runs = append(w.runs, run("incidents", zero, 500, 500)) }, "not_in_kafka incidents/0 500", ""},
		{"a row of a partition that is not there", func(w *world) { w.runs = append(w.runs, run("quarantine", place("incidents", incidents, 9), 5, 5)) },
			"not_in_kafka incidents/9 5", ""},
		{"a topic that KAFKA_TOPICS leaves out", func(w *world) {
			w.runs = append(w.runs, run("quarantine", place("passenger_flow", older, 0), 5, 5))
			w.letters = []DeadLetter{letterOf("17", place("passenger_flow", older, 0), 6, 6, true, true)}
		}, "", ""},
		{"a range only in the lake", func(w *world) { w.runs[1] = run("incidents", zero, 9, 59) }, "only_in_lake incidents/0 60-99", ""},
		{"a range only in staging", func(w *world) { w.finds[0] = object("a", zero, Span{0, 7}, Span{9, 60}) }, "not_in_lake incidents/0 60-99", ""},
		{"refused and accepted", func(w *world) { w.runs = append(w.runs, run("quarantine", zero, 20, 20)) }, "", "in_both incidents/0 20"},
		{"a topic that is gone", func(w *world) {
			delete(w.extents, train)
			w.unread = []string{"topic train_arrivals does not exist"}
		}, "unread_topic", "other_topic_id train_arrivals/0"},
		{"an open transaction", func(w *world) { w.extents[zero].End = 103 }, "", "unfinished incidents/0 100-102"},

		{"the bridge has not got so far", func(w *world) {
			w.runs[1], w.finds[0] = run("incidents", zero, 9, 59), object("a", zero, Span{0, 7}, Span{9, 40})
			w.extents[zero].Committed, w.extents[zero].Settled = 40, 80
		}, "waiting incidents/0 40-59;waiting incidents/0 60-79", "in_flight incidents/0 80-99"},
		{"nothing was ever committed", func(w *world) {
			w.runs[1], w.finds[0] = run("incidents", zero, 9, 59), object("a", zero)
			w.extents[zero].Committed, w.extents[zero].Settled = -1, 0
		}, "", "in_flight incidents/0 0-6, 9-59;in_flight incidents/0 60-99"},
		{"handed on a moment ago", func(w *world) {
			w.runs[1], w.finds[0] = run("incidents", zero, 9, 97), object("a", zero, Span{0, 7}, Span{9, 90})
			w.extents[zero].Settled = 80
		}, "", "in_flight incidents/0 90-97;in_flight incidents/0 98-99"},
		{"handed on a moment ago, and nothing moves", func(w *world) {
			w.runs[1], w.finds[0] = run("incidents", zero, 9, 97), object("a", zero, Span{0, 7}, Span{9, 90})
			w.extents[zero].Settled, w.lasting = 80, true
		}, "not_in_lake incidents/0 90-97;missing incidents/0 98-99", ""},

		{"Kafka has deleted the beginning", func(w *world) {
			e := w.extents[zero]
			e.Begin, e.Start, e.From, e.Kept = 30, 30, 30, 30
			w.without("quarantine", zero, 7)
			w.without("quarantine", zero, 8)
			w.without("incidents", zero, 20)
		}, "only_in_lake incidents/0 20", "deleted incidents/0 7-8"},
		{"staging keeps the beginning no longer", func(w *world) {
			e := w.extents[zero]
			e.Begin, e.Start, e.From, e.Kept, w.expires = 30, 30, 30, 40, true
			w.runs[0], w.runs[1], w.runs[2] = run("incidents", zero, 40, 49), run("incidents", zero, 50, 99), Run{}
			w.runs = slices.Delete(w.runs, 2, 3)
		}, "", "deleted incidents/0 7-8;expired incidents/0 0-6, 9-29"},
		{"a period", func(w *world) {
			w.options.From = time.Unix(1, 0)
			w.extents[zero].From, w.extents[zero].To = 10, 20
			w.runs[0], w.runs[1] = run("incidents", zero, 10, 14), run("incidents", zero, 16, 19)
			w.finds[0] = object("a", zero, Span{10, 20})
		}, "only_in_lake incidents/0 15", ""},
		{"only the objects' names are known", func(w *world) {
			w.byName = true
			w.finds[0] = object("a", place("incidents", incidents[:8], 0), Span{0, 100})
			w.without("incidents", zero, 20)
		}, "missing incidents/0 20", "lake_by_name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.tamper(w)
			report := w.check(t)
			split := func(text string) []string {
				return slices.DeleteFunc(strings.Split(text, ";"), func(one string) bool { return one == "" })
			}
			notes := slices.DeleteFunc(said(report.Notes), func(one string) bool { return one == always })
			slices.Sort(notes)
			problems := said(report.Problems)
			want := split(c.problems)
			slices.Sort(problems)
			slices.Sort(want)
			if diff := cmp.Diff(want, problems, equateEmpty); diff != "" {
				t.Errorf("problems:\n%s", diff)
			}
			want = split(c.notes)
			slices.Sort(want)
			if diff := cmp.Diff(want, notes, equateEmpty); diff != "" {
				t.Errorf("notes:\n%s", diff)
			}
			if report.Complete != (len(problems) == 0) {
				t.Errorf("complete: %v", report.Complete)
			}
			for _, f := range slices.Concat(report.Problems, report.Notes) {
				if line := f.String(); strings.Contains(line, "\n") || f.Topic != "" && !strings.HasPrefix(line, f.Topic) {
					t.Errorf("a finding is no line that names the topic: %s", line)
				}
			}
		})
	}
}

var equateEmpty = cmp.Transformer("list", func(all []string) string { return fmt.Sprint(len(all), strings.Join(all, "; ")) })

// What is missing comes with the command that brings it back.
func TestCheck_NamesTheCommand(t *testing.T) {
	hours := func(w *world) {
		w.finds[0] = object("raw/incidents/dt=2026-11-20/hour=07/incidents-0f9b3c52-1.parquet", zero, Span{0, 7}, Span{9, 50})
		w.finds = append(w.finds, object("raw/incidents/dt=2026-11-20/hour=23/incidents-0f9b3c52-2.parquet", zero, Span{50, 90}),
			object("raw/incidents/dt=2026-11-25/hour=01/incidents-0f9b3c52-3.parquet", zero, Span{90, 100}))
	}
	for _, c := range []struct {
		name   string
		tamper func(w *world)
		want   string
	}{
		{"in no place", func(w *world) { w.without("quarantine", zero, 8) }, "stationflow replay kafka --topic incidents --partition 0 --offsets 8-8"},
		{"rows of an hour", func(w *world) { hours(w); w.without("incidents", zero, 20) }, "stationflow replay lake --topic incidents --from 2026-11-20T07:00 --to 2026-11-20T08:00"},
		{"rows over midnight", func(w *world) { hours(w); w.without("incidents", zero, 20); w.without("incidents", zero, 70) },
			"stationflow replay lake --topic incidents --from 2026-11-20T07:00 --to 2026-11-21T00:00"},
		{"an object is damaged", func(w *world) { w.finds[0].broken = "it ends early" }, "Then have its records written again from Kafka: stationflow replay kafka --topic incidents --partition 0 --offsets 0-99"},
		{"an object of several partitions", func(w *world) { w.finds[0].broken, w.finds[0].object.Ranges = "it ends early", "0:0-9,1:3-4" }, "Then see what is missing, each with its command: stationflow verify"},
		{"a foreign object", func(w *world) { w.finds[0].broken, w.finds[0].object.Ranges = "its name is odd", "" }, "Then see what is missing, each with its command: stationflow verify"},
		{"an object", func(w *world) { w.finds = w.finds[1:] }, "To write what the lake lacks, send them again from Kafka: stationflow replay kafka --topic incidents --partition 0 --offsets 0-99"},
	} {
		w := newWorld()
		c.tamper(w)
		report := w.check(t)
		if len(report.Problems) != 1 || !strings.HasSuffix(report.Problems[0].Remedy, c.want) {
			t.Errorf("%s: %v, want %s", c.name, report.Problems, c.want)
		}
	}
}

// What is there adds up, place by place.
func TestCheck_Accounts(t *testing.T) {
	report := newWorld().check(t)
	want := []Account{
		{Place: zero, InKafka: true, Next: 100, Staging: 98, Quarantine: 2, Lake: 98},
		{Place: one, InKafka: true, Next: 100, Staging: 99, Lake: 99, NoRecords: 1},
		{Place: train, InKafka: true, Next: 10, Staging: 10, Lake: 10},
	}
	if diff := cmp.Diff(want, report.Partitions); diff != "" || !report.Complete {
		t.Error(diff)
	}
}

// A topic's marts are those that read it, whatever the models are called.
func TestMarts(t *testing.T) {
	for topic, want := range map[string][]string{
		"incidents":          {"incident_dashboard", "incidents_hourly"},
		"train_departures":   {"train_dashboard", "train_movements_hourly"},
		"train_arrivals":     {"passenger_flow_dashboard", "passenger_flow_hourly", "train_dashboard", "train_movements_hourly", "train_punctuality_hourly"},
		"ticket_validations": {"passenger_flow_dashboard", "passenger_flow_hourly", "ticket_dashboard", "ticket_validations_hourly"},
	} {
		got, err := Marts(topic)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", topic, err, diff)
		}
	}
}

// A word of offsets is read as what its bits say, with what occurs twice apart.
func TestRuns_OfWords(t *testing.T) {
	for _, c := range []struct {
		name                            string
		first, last, copies, bits, odds int64
		want                            string
	}{
		{"full words", 2, 4, 3 * 62, fullWord, fullWord, "124-309: 186"},
		{"a full word", 0, 0, 62, fullWord, fullWord, "0-61: 62"},
		{"some", 1, 1, 4, 0b10111, 0b10111, "62-64: 3, 66: 1"},
		{"one twice", 1, 1, 5, 0b10111, 0b10101, "62: 1, 64: 1, 66: 1, 63 repeated: 2"},
		{"one three times", 1, 1, 6, 0b10111, 0b10111, "62-64 repeated: 6, 66 repeated: 0"},
		{"a full word, once more", 0, 0, 124, fullWord, 0, "0-61 repeated: 124"},
	} {
		row := wordRow{Topic: bigquery.NullString{StringVal: "incidents", Valid: true}, TopicID: bigquery.NullString{StringVal: incidents, Valid: true},
			Partition: valid(0), First: valid(c.first), Last: valid(c.last), Copies: c.copies, Bits: valid(c.bits), Odd: valid(c.odds)}
		var got []string
		for _, r := range row.runs("incidents") {
			text := r.Span.String()
			if r.Repeated {
				text += " repeated"
			}
			got = append(got, fmt.Sprintf("%s: %d", text, r.Rows))
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	without := wordRow{Copies: 3}
	if runs := without.runs("incidents"); len(runs) != 1 || runs[0].Span != (Span{}) || runs[0].Rows != 3 {
		t.Errorf("rows without coordinates: %v", runs)
	}
}

func valid(n int64) bigquery.NullInt64 { return bigquery.NullInt64{Int64: n, Valid: true} }
