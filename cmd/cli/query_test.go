package cli

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"
)

var kinds = bigquery.Schema{
	{Name: "i", Type: bigquery.IntegerFieldType}, {Name: "f", Type: bigquery.FloatFieldType}, {Name: "n", Type: bigquery.NumericFieldType},
	{Name: "s", Type: bigquery.StringFieldType}, {Name: "b", Type: bigquery.BytesFieldType}, {Name: "t", Type: bigquery.TimestampFieldType},
	{Name: "d", Type: bigquery.DateFieldType}, {Name: "j", Type: bigquery.JSONFieldType},
	{Name: "l", Type: bigquery.IntegerFieldType, Repeated: true},
	{Name: "r", Type: bigquery.RecordFieldType, Repeated: true, Schema: bigquery.Schema{{Name: "z", Type: bigquery.StringFieldType}, {Name: "a", Type: bigquery.FloatFieldType}}},
}

var kindRows = [][]bigquery.Value{
	{int64(math.MaxInt64), 1.5, big.NewRat(5, 4), "a\tb,\"c\"\n\x1b[2J", []byte{0, 255}, time.Date(2026, 11, 22, 7, 30, 0, 250000000, time.UTC), civil.Date{Year: 2026, Month: 11, Day: 22}, `{"k": [1, 2]}`,
		[]bigquery.Value{int64(1), int64(2)}, []bigquery.Value{[]bigquery.Value{"y", math.Inf(1)}}},
	{nil, math.NaN(), nil, "", nil, nil, nil, nil, []bigquery.Value{}, []bigquery.Value{}},
}

func eachKind(show func([]bigquery.Value) error) error {
	for _, row := range kindRows {
		if err := show(row); err != nil {
			return err
		}
	}
	return nil
}

func TestQuery_JSON(t *testing.T) {
	var out strings.Builder
	if err := printRowsJSON(&out, kinds, 7, eachKind); err != nil {
		t.Fatal(err)
	}
	want := `{
  "bytes_read": 7,
  "columns": ["i","f","n","s","b","t","d","j","l","r"],
  "rows": [
    {"i":9223372036854775807,"f":1.5,"n":1.25,"s":"a\tb,\"c\"\n\u001b[2J","b":"AP8=","t":"2026-11-22T07:30:00.25Z","d":"2026-11-22","j":{"k":[1,2]},"l":[1,2],"r":[{"z":"y","a":"+Inf"}]},
    {"i":null,"f":"NaN","n":null,"s":"","b":null,"t":null,"d":null,"j":null,"l":[],"r":[]}
  ]
}
`
	if diff := cmp.Diff(want, out.String()); diff != "" || !json.Valid([]byte(out.String())) {
		t.Error(diff)
	}
	out.Reset()
	if err := printRowsJSON(&out, nil, 0, func(func([]bigquery.Value) error) error { return nil }); err != nil || !json.Valid([]byte(out.String())) {
		t.Error(err, out.String())
	}
}

func TestQuery_CSV(t *testing.T) {
	var out strings.Builder
	if err := printRowsCSV(&out, kinds, eachKind); err != nil {
		t.Fatal(err)
	}
	want := "i,f,n,s,b,t,d,j,l,r\n" +
		"9223372036854775807,1.5,1.25,\"a\tb,\"\"c\"\"\n\x1b[2J\",AP8=,2026-11-22T07:30:00.25Z,2026-11-22,\"{\"\"k\"\": [1, 2]}\",\"[1,2]\",\"[{\"\"z\"\":\"\"y\"\",\"\"a\"\":\"\"+Inf\"\"}]\"\n" +
		",NaN,,,,,,,[],[]\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A table has a line for each row, and nothing in it steers a terminal.
func TestQuery_Table(t *testing.T) {
	var out, errs strings.Builder
	c := queryCall{streams: Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs}, rows: 1}
	if err := c.printTable(kinds, eachKind); err != nil {
		t.Fatal(err)
	}
	want := "I                    F    N     S            B     T                        D           J              L      R\n" +
		"9223372036854775807  1.5  1.25  a b,\"c\" [2J  AP8=  2026-11-22T07:30:00.25Z  2026-11-22  {\"k\": [1, 2]}  [1,2]  [{\"z\":\"y\",\"a\":\"+Inf\"}]\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || errs.String() != "there are more rows: these are the first 1 (--rows)\n" {
		t.Error(diff, errs.String())
	}
	if got := cut("äöüß", 3); got != "äö…" {
		t.Error(got)
	}
}

func TestQuery_Mistakes(t *testing.T) {
	for args, want := range map[string]string{
		"":                      "say what to ask",
		"--format yaml x":       `--format is "yaml"`,
		"--json --format csv x": "give one of them",
		"--max-bytes 0 x":       "--max-bytes is 0",
		"--rows 0 x":            "--rows is 0",
		"x --cluod":             "not defined: --cluod",
	} {
		if code, out, errs := said(t, strings.Fields("query "+args)...); code != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %s%s, want %s", args, code, out, errs, want)
		}
	}
	if code, _, errs := said(t, "query", "select 1"); code != 1 || !strings.Contains(errs, "GOOGLE_CLOUD_PROJECT is not set") {
		t.Errorf("%d, %s", code, errs)
	}
}
