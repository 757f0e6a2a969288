package warehouse

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"
	api "google.golang.org/api/bigquery/v2"
)

// asked runs a query with parameters as a client's JSON has them, and returns the types and values of its only row.
func asked(t *testing.T, w *Warehouse, sql, mode, parameters string) (types, row string, fault string) {
	t.Helper()
	body := fmt.Sprintf(`{"query":%q,"useLegacySql":false,"parameterMode":%q,"queryParameters":%s,"formatOptions":{"useInt64Timestamp":true}}`, sql, mode, parameters)
	answer, err := http.Post(w.RESTURL()+"/bigquery/v2/projects/"+testProject+"/queries", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		Schema *api.TableSchema
		Rows   []struct{ F json.RawMessage }
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Error != nil {
		return "", "", got.Error.Message
	}
	return typesOf(got.Schema.Fields), string(got.Rows[0].F), ""
}

func typesOf(fields []*api.TableFieldSchema) string {
	var out []string
	for _, f := range fields {
		name := f.Type
		if len(f.Fields) > 0 {
			name += "<" + typesOf(f.Fields) + ">"
		}
		if f.Mode == "REPEATED" {
			name += "[]"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// TestParameters_EveryTypeComesBackAsItself sends what the clients of Python, Node, Java and Go send.
func TestParameters_EveryTypeComesBackAsItself(t *testing.T) {
	w, _ := start(t, "")
	for _, test := range []struct{ kind, value, types, want string }{
		{`{"type":"INT64"}`, `{"value":"7"}`, "INTEGER", `[{"v":"7"}]`},
		{`{"type":"INT64"}`, `{"value":7}`, "INTEGER", `[{"v":"7"}]`},
		{`{"type":"INT64"}`, `{"value":-9223372036854775808}`, "INTEGER", `[{"v":"-9223372036854775808"}]`},
		{`{"type":"INTEGER"}`, `{"value":"9223372036854775807"}`, "INTEGER", `[{"v":"9223372036854775807"}]`},
		{`{"type":"FLOAT64"}`, `{"value":0.25}`, "FLOAT", `[{"v":"0.25"}]`},
		{`{"type":"FLOAT64"}`, `{"value":-3}`, "FLOAT", `[{"v":"-3"}]`},
		{`{"type":"FLOAT64"}`, `{"value":"-Infinity"}`, "FLOAT", `[{"v":"-Infinity"}]`},
		{`{"type":"BOOL"}`, `{"value":true}`, "BOOLEAN", `[{"v":"true"}]`},
		{`{"type":"BOOL"}`, `{"value":"FALSE"}`, "BOOLEAN", `[{"v":"false"}]`},
		{`{"type":"STRING"}`, `{"value":"it's \"é\" \\ \n\t@x ?"}`, "STRING", `[{"v":"it's \"é\" \\ \n\t@x ?"}]`},
		{`{"type":"STRING"}`, `{"value":""}`, "STRING", `[{"v":""}]`},
		{`{"type":"BYTES"}`, `{"value":"AP8="}`, "BYTES", `[{"v":"AP8="}]`},
		{`{"type":"NUMERIC"}`, `{"value":"1.5"}`, "NUMERIC", `[{"v":"1.5"}]`},
		{`{"type":"NUMERIC"}`, `{"value":-99999999999999999999999999999.999999999}`, "NUMERIC", `[{"v":"-99999999999999999999999999999.999999999"}]`},
		{`{"type":"BIGNUMERIC"}`, `{"value":"0.00000000000000000000000000000000000001"}`, "BIGNUMERIC", `[{"v":"0.00000000000000000000000000000000000001"}]`},
		{`{"type":"DATE"}`, `{"value":"2026-11-28"}`, "DATE", `[{"v":"2026-11-28"}]`},
		{`{"type":"TIME"}`, `{"value":"07:30:00.25"}`, "TIME", `[{"v":"07:30:00.250000"}]`},
		{`{"type":"DATETIME"}`, `{"value":"2026-11-28T07:30:00.25"}`, "DATETIME", `[{"v":"2026-11-28T07:30:00.250000"}]`},
		{`{"type":"DATETIME"}`, `{"value":"2026-11-28 07:30:00"}`, "DATETIME", `[{"v":"2026-11-28T07:30:00"}]`},
		{`{"type":"TIMESTAMP"}`, `{"value":"2026-11-28 07:30:00.25"}`, "TIMESTAMP", `[{"v":"1795851000250000"}]`},
		{`{"type":"TIMESTAMP"}`, `{"value":"2026-11-28T08:30:00.250Z"}`, "TIMESTAMP", `[{"v":"1795854600250000"}]`},
		{`{"type":"TIMESTAMP"}`, `{"value":"2026-11-28 08:30:00.25+01:00"}`, "TIMESTAMP", `[{"v":"1795851000250000"}]`},
		{`{"type":"TIMESTAMP"}`, `{"value":"2026-11-28 08:30:00.25 Europe/Berlin"}`, "TIMESTAMP", `[{"v":"1795851000250000"}]`},
		{`{"type":"TIMESTAMP"}`, `{"value":"2026-11-28"}`, "TIMESTAMP", `[{"v":"1795824000000000"}]`},
		{`{"type":"JSON"}`, `{"value":"{\"a\":[1,\"x\"]}"}`, "JSON", `[{"v":"{\"a\":[1,\"x\"]}"}]`},
		{`{"type":"INTERVAL"}`, `{"value":"1-2 3 4:5:6"}`, "INTERVAL", `[{"v":"1-2 3 4:5:6"}]`},
		{`{"type":"DATE"}`, `{"value":null}`, "DATE", `[{"v":null}]`},
		{`{"type":"BYTES"}`, `{}`, "BYTES", `[{"v":null}]`},
		{`{"type":"ARRAY","arrayType":{"type":"INT64"}}`, `{"arrayValues":[{"value":1},{"value":"2"}]}`, "INTEGER[]", `[{"v":[{"v":"1"},{"v":"2"}]}]`},
		{`{"type":"ARRAY","arrayType":{"type":"TIMESTAMP"}}`, `{"arrayValues":[{"value":"2026-11-28 07:30:00.25"}]}`, "TIMESTAMP[]", `[{"v":[{"v":"1795851000250000"}]}]`},
		{`{"type":"ARRAY","arrayType":{"type":"DATE"}}`, `{"arrayValues":[]}`, "DATE[]", `[{"v":[]}]`},
		{`{"type":"ARRAY","arrayType":{"type":"STRING"}}`, `{}`, "STRING[]", `[{"v":[]}]`},
		{`{"type":"STRUCT","structTypes":[{"name":"a","type":{"type":"DATE"}},{"name":"b","type":{"type":"ARRAY","arrayType":{"type":"BYTES"}}}]}`,
			`{"structValues":{"a":{"value":"2026-11-28"},"b":{"arrayValues":[{"value":"AP8="}]}}}`,
			"RECORD<DATE BYTES[]>", `[{"v":{"f":[{"v":"2026-11-28"},{"v":[{"v":"AP8="}]}]}}]`},
		{`{"type":"ARRAY","arrayType":{"type":"STRUCT","structTypes":[{"name":"n","type":{"type":"INT64"}},{"name":"at","type":{"type":"TIMESTAMP"}}]}}`,
			`{"arrayValues":[{"structValues":{"n":{"value":1},"at":{"value":"2026-11-28"}}},{"structValues":{"n":{"value":null},"at":{}}}]}`,
			"RECORD<INTEGER TIMESTAMP>[]", `[{"v":[{"v":{"f":[{"v":"1"},{"v":"1795824000000000"}]}},{"v":{"f":[{"v":null},{"v":null}]}}]}]`},
		{`{"type":"STRUCT","structTypes":[{"name":"a","type":{"type":"INT64"}}]}`, `{}`, "RECORD<INTEGER>", `[{"v":null}]`},
	} {
		for mode, sql := range map[string]string{"NAMED": "select @p", "POSITIONAL": "select ?"} {
			name := map[string]string{"NAMED": `"name":"p",`}[mode]
			types, row, fault := asked(t, w, sql, mode, `[{`+name+`"parameterType":`+test.kind+`,"parameterValue":`+test.value+`}]`)
			if types != test.types || row != test.want || fault != "" {
				t.Errorf("%s of %s %s: %s %s %s, want %s %s", sql, test.kind, test.value, types, row, fault, test.types, test.want)
			}
		}
	}
}

func TestParameters_WhereTheyStand(t *testing.T) {
	w, _ := start(t, "")
	const two = `[{"name":"n","parameterType":{"type":"INT64"},"parameterValue":{"value":"2"}},{"name":"S","parameterType":{"type":"STRING"},"parameterValue":{"value":"x"}},
		{"name":"a","parameterType":{"type":"ARRAY","arrayType":{"type":"INT64"}},"parameterValue":{"arrayValues":[{"value":"1"},{"value":"2"}]}},
		{"name":"r","parameterType":{"type":"STRUCT","structTypes":[{"name":"k","type":{"type":"INT64"}}]},"parameterValue":{"structValues":{"k":{"value":5}}}}]`
	for sql, want := range map[string]string{
		"select '@n', @n -- @nope\n, /* @nope */ \"?\"":                                                         `[{"v":"@n"},{"v":"2"},{"v":"?"}]`,
		"select n from unnest([1, 2, 3]) n where n=@n":                                                          `[{"v":"2"}]`,
		"select count(*) from (select 1 from unnest([1, 2, 3]) limit @n)":                                       `[{"v":"2"}]`,
		"select n from unnest([1, 2, 3]) n order by n limit 1 offset @n":                                        `[{"v":"3"}]`,
		"select 2 in unnest(@A), @a[offset(0)], @r.k + @N":                                                      `[{"v":"true"},{"v":"1"},{"v":"7"}]`,
		"select concat(@s, @S), @s = 'x'":                                                                       `[{"v":"xx"},{"v":"true"}]`,
		"select date_add(date '2026-11-28', interval @n day)":                                                   `[{"v":"2026-11-30"}]`,
		"select @n * 1.5, @n / 4, round(2.345, @n)":                                                             `[{"v":"3"},{"v":"0.5"},{"v":"2.35"}]`,
		"select sum(n) over (order by n rows @n preceding) from unnest([1, 2, 3, 4]) n order by n desc limit 1": `[{"v":"9"}]`,
	} {
		if _, row, fault := asked(t, w, sql, "NAMED", two); row != want || fault != "" {
			t.Errorf("%s: %s %s, want %s", sql, row, fault, want)
		}
	}
	for _, test := range []struct{ sql, mode, parameters, want string }{
		{"select @p", "NAMED", two, "Query parameter 'p' not found at [1:8]"},
		{"select ?, ?", "POSITIONAL", `[{"parameterType":{"type":"INT64"},"parameterValue":{"value":"2"}}]`, "number 2 is not defined"},
		{"select ?", "POSITIONAL", `[{"parameterType":{"type":"INT64"},"parameterValue":{"value":"1.5"}}]`, "invalid value for type INT64: 1.5"},
		{"select @d", "NAMED", `[{"name":"d","parameterType":{"type":"DATE"},"parameterValue":{"value":"2026-02-30"}}]`, "invalid value for type DATE"},
		{"select @d", "NAMED", `[{"name":"d","parameterType":{"type":"TIME"},"parameterValue":{"value":"24:00:00"}}]`, "invalid value for type TIME"},
		{"select @d", "NAMED", `[{"name":"d","parameterType":{"type":"GEOGRAPHY"},"parameterValue":{"value":"POINT(1 2)"}}]`, "no parameters of type GEOGRAPHY"},
		{"select @d", "NAMED", `[{"name":"d","parameterType":{"type":"FLOAT64"},"parameterValue":{"value":"NaN"}}]`, "no NaN"},
		{"select @d", "NAMED", `[{"name":"d","parameterType":{"type":"NONSENSE"},"parameterValue":{"value":"1"}}]`, "invalid type: NONSENSE"},
		{"create view s.v as select @n as n", "NAMED", two, "cannot be used in a CREATE VIEW statement"},
	} {
		if _, _, fault := asked(t, w, test.sql, test.mode, test.parameters); !strings.Contains(fault, test.want) {
			t.Errorf("%s: %q, want %q", test.sql, fault, test.want)
		}
	}
}

func TestParameters_FromTheGoClient(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	at := time.Date(2026, 11, 28, 7, 30, 0, 250000000, time.UTC)
	day := civil.Date{Year: 2026, Month: 11, Day: 28}
	type record struct {
		N  int64
		At time.Time
	}
	q := client.Query("select @i, @f, @b, @s, @y, @t, @d, @dt, @n, @l, @r, @nothing")
	for name, value := range map[string]any{
		"i": 7, "f": 0.25, "b": true, "s": "é", "y": []byte{0, 0xff}, "t": at, "d": day,
		"dt": civil.DateTimeOf(at), "n": big.NewRat(3, 2), "l": []string{"a", "b"}, "r": record{1, at}, "nothing": bigquery.NullDate{},
	} {
		q.Parameters = append(q.Parameters, bigquery.QueryParameter{Name: name, Value: value})
	}
	it, err := q.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var row []bigquery.Value
	if err := it.Next(&row); err != nil {
		t.Fatal(err)
	}
	want := []bigquery.Value{
		int64(7), 0.25, true, "é", []byte{0, 0xff}, at, day, civil.DateTimeOf(at), big.NewRat(3, 2),
		[]bigquery.Value{"a", "b"}, []bigquery.Value{int64(1), at}, nil,
	}
	if diff := cmp.Diff(want, row, cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
}

// TestParameters_AreRefusedAsNumbersAre holds that what is refused of a number is refused of a parameter.
func TestParameters_AreRefusedAsNumbersAre(t *testing.T) {
	for _, offset := range []string{"-1", "(-1)", "((-1))", "cast(-1 as int64)", "@n"} {
		for _, function := range []string{"LAG", "LEAD"} {
			bound, fault := bind(query{SQL: "select " + function + "(x, " + offset + ") over (order by x) from unnest([1, 2]) x", Parameters: []byte(
				`[{"name": "n", "parameterType": {"type": "INT64"}, "parameterValue": {"value": "-1"}}]`)})
			if fault != nil {
				t.Fatal(fault)
			}
			if got, want := missing(lex(bound.SQL)), function+" with a negative offset"; got != want {
				t.Errorf("%s of %s: %q, want %q", function, offset, got, want)
			}
		}
	}
	for _, offset := range []string{"1", "(1)", "1, -1", "abs(-1)"} {
		if got := missing(lex("select lag(x, " + offset + ") over (order by x) from unnest([1, 2]) x")); got != "" {
			t.Errorf("an offset of %s: %q", offset, got)
		}
	}
}
