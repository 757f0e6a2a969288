package event

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestDecode_Extra(t *testing.T) {
	tests := []struct{ name, more, want string }{
		{"none", ``, ""},
		{"one", `"a":1`, `{"a":1}`},
		{"in order, as written", `"b":1.50, "a" : { "x" : [ 1,2 ] } ,"\u0063":"\u00e9"`, `{"b":1.50,"a":{ "x" : [ 1,2 ] },"\u0063":"\u00e9"}`},
		{"null", `"a":null`, `{"a":null}`},
		{"another case", `"ID":"x","Station":2`, `{"ID":"x","Station":2}`},
		{"columns of the table", `"kafka_offset":1,"extra":{},"ingested_at":"x"`, `{"kafka_offset":1,"extra":{},"ingested_at":"x"}`},
		{"wide numbers", `"n":123456789012345678901234567890,"x":1e400`, `{"n":123456789012345678901234567890,"x":1e400}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			value := with(t, "incidents", "type", `"x"`)
			if test.more != "" {
				value = with(t, "incidents", "type", `"x",`+test.more)
			}
			row := check(t, "incidents", value, "", "")
			extra := row[len(row)-1]
			if extra.Null() != (test.want == "") || string(extra.Text()) != test.want {
				t.Errorf("extra is %q, want %q", extra.Text(), test.want)
			}
		})
	}
	// Unknown fields between the known ones, at both ends.
	row := check(t, "ticket_validations", `{"z":0,"id":"i","y":"}","train_id":"t","station":"s","timestamp":"2026-11-22T07:31:10Z","validations":1,"x":[]}`, "", "")
	if extra := string(row[len(row)-1].Text()); extra != `{"z":0,"y":"}","x":[]}` {
		t.Errorf("extra is %s", extra)
	}
}

func TestDecode_Strings(t *testing.T) {
	for text, want := range map[string]string{
		`"plain"`: "plain", `""`: "", `"é😀"`: "é😀", `"\u00e9\ud83d\ude00"`: "é😀", `"\uD83D\uDE00"`: "😀",
		`"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"a\u0000b"`: "a\x00b", `"\u007f\u0080\u07ff\u0800\uffff"`: "\u007f\u0080\u07ff\u0800\uffff",
		`"\\u0041"`: `\u0041`, `"x\\"`: `x\`, "\"\u2028\"": "\u2028", `"12"`: "12", "\"\x7f\"": "\x7f",
	} {
		if row := check(t, "incidents", with(t, "incidents", "type", text), "", ""); row != nil && string(row[1].Text()) != want {
			t.Errorf("%s is %q, want %q", text, row[1].Text(), want)
		}
	}
}

// Rows stay as they are while others are decoded, until Reset.
func TestDecoder_RowsLastUntilReset(t *testing.T) {
	decoder, _ := newDecoder(t, "incidents", time.UTC)
	for round := range 3 {
		var rows []Row
		for i := range 500 {
			row := make(Row, len(decoder.judge.fields)+1)
			value := with(t, "incidents", "type", fmt.Sprintf(`"\u0061%d","more":%d`, i, i))
			if i%3 == 0 {
				decoder.Decode(row, []byte(value+"x"), reference)
			}
			if rejection := decoder.Decode(row, []byte(value), reference); rejection != nil {
				t.Fatal(*rejection)
			}
			rows = append(rows, row)
		}
		for i, row := range rows {
			if kind, extra := string(row[1].Text()), string(row[len(row)-1].Text()); kind != fmt.Sprintf("a%d", i) || extra != fmt.Sprintf(`{"more":%d}`, i) {
				t.Fatalf("round %d, row %d: type %s, extra %s", round, i, kind, extra)
			}
		}
		decoder.Reset()
	}
}

// A row that held another event shows nothing of it.
func TestDecode_OverwritesTheRow(t *testing.T) {
	decoder, row := newDecoder(t, "train_arrivals", time.UTC)
	full := strings.Replace(typical["train_arrivals"], "}", `,"more":1}`, 1)
	older := with(t, "train_arrivals", "train_number", "")
	older = older[:strings.Index(older, `,"scheduled`)] + "}"
	for _, value := range []string{full, older} {
		if rejection := decoder.Decode(row, []byte(value), reference); rejection != nil {
			t.Fatal(*rejection)
		}
	}
	for _, i := range []int{7, 8, 9} {
		if !row[i].Null() {
			t.Errorf("column %d is %v, want NULL", i, row[i])
		}
	}
}

func TestDecode_DoesNotAllocate(t *testing.T) {
	for _, topic := range Topics() {
		decoder, row := newDecoder(t, topic, location(t, "Europe/Paris"))
		value := []byte(strings.Replace(typical[topic], "}", `,"more":{"a":"\u00e9"}}`, 1))
		allocations := testing.AllocsPerRun(100, func() {
			if rejection := decoder.Decode(row, value, reference); rejection != nil {
				t.Fatal(*rejection)
			}
			decoder.Reset()
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", topic, allocations)
		}
	}
}

func TestDecode_GoldenRows(t *testing.T) {
	var b strings.Builder
	for _, topic := range Topics() {
		schema, _ := SchemaOf(topic)
		decoder, row := newDecoder(t, topic, location(t, "Europe/Paris"))
		older := typical[topic]
		for _, c := range schema.Columns {
			if c.Nullable {
				older = regexp.MustCompile(`,"`+c.Name+`":("[^"]*"|[^,}]*)`).ReplaceAllString(older, "")
			}
		}
		for _, value := range []string{typical[topic], older, strings.Replace(older, "{", `{"note":"l'été","n":[1, 2],`, 1)} {
			if rejection := decoder.Decode(row, []byte(value), reference); rejection != nil {
				t.Fatalf("%s: %v", value, *rejection)
			}
			fmt.Fprintf(&b, "%s\n", value)
			for i, column := range append(schema.Columns[:len(schema.Columns):len(schema.Columns)], Column{Name: "extra"}) {
				fmt.Fprintf(&b, "  %-20s %s\n", column.Name, show(&row[i]))
			}
		}
	}
	golden(t, "rows.golden", b.String())
}

// show writes a value as a person reads it.
func show(v *Value) string {
	switch v.Type {
	case String:
		return fmt.Sprintf("STRING %q", v.Text())
	case Int64:
		return fmt.Sprintf("INT64 %d", v.Int())
	case Float64:
		return fmt.Sprintf("FLOAT64 %v", v.Float())
	case Timestamp:
		return "TIMESTAMP " + v.Time().Format(time.RFC3339Nano)
	}
	return "NULL"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./event -update writes it again):\n%s", path, got)
	}
}
