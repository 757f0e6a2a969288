package run

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A message of the warehouse names the file of the project and the line in it,
// or of the compiled file where Jinja has written what is wrong.
func TestPlaced(t *testing.T) {
	files := fstest.MapFS{
		"dbt_project.yml":  {Data: []byte("name: shop\n")},
		"macros/m.sql":     {Data: []byte("{% macro sums(names) %}\n{%- for name in names %}\nsum({{ name }}) as {{ name }},\n{%- endfor %}\n{% endmacro %}")},
		"models/base.sql":  {Data: []byte("{{ config(materialized='ephemeral') }}\n\nselect 1 as n,\n  in_base\n")},
		"models/plain.sql": {Data: []byte("\n\nselect\n  plain,\n\t\ttabs, ö, wide\nfrom x\n")},
		"models/m.sql": {Data: []byte("{{ config(\n  materialized='table'\n) }}\n\n{#- a comment\n-#}\nselect\n  {{ sums(['a', 'b']) }}\n  literal,\n" +
			"{%- for i in range(2) %}\n  in_loop_{{ i }},\n{%- endfor %}\n  {{ var('v', 'in_var') }}\nfrom {{ ref('base') }}\nwhere last")},
		"snapshots/s.sql": {Data: []byte("\n{% snapshot first %}\n{{ config(unique_key='n', strategy='check', check_cols='all', target_schema='d') }}\nselect 1 as n\n{% endsnapshot %}\n" +
			"{% snapshot second %}\n{{ config(unique_key='n', strategy='check', check_cols='all', target_schema='d') }}\nselect 2 as n,\n  in_second\n{% endsnapshot %}\n")},
		"tests/single.sql": {Data: []byte("select *\nfrom {{ ref('m') }}\nwhere in_single")},
		"models/t.yml":     {Data: []byte("models: [{name: m, columns: [{name: n, data_tests: [not_null]}]}]")},
	}
	p, err := project.Load(files, project.Target{Project: "p", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := CompileOffline(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	around := map[string]func(sql string) string{
		"as it is":    func(sql string) string { return sql },
		"dry run":     func(sql string) string { return "select *\nfrom (\n" + strings.TrimSpace(sql) + "\n)\nlimit 0" },
		"view":        func(sql string) string { return viewCreation("x", sql) },
		"table":       func(sql string) string { return creation("x", p.Model("m"), sql) },
		"replacement": func(sql string) string { return replacement("x", p.Model("m"), sql, everything) },
	}
	for _, c := range []struct{ name, at, want string }{
		{"plain", "plain", "at line 4 of models/plain.sql"},
		{"plain", "tabs", "at line 5 of models/plain.sql"},
		{"plain", "wide", "at line 5 of models/plain.sql"},
		{"m", "literal", "at line 9 of models/m.sql"},
		{"m", "in_loop_0", "at line 11 of models/m.sql"},
		{"m", "in_loop_1", "at line 11 of models/m.sql"},
		{"m", "last", "at line 15 of models/m.sql"},
		{"m", "in_base", "at line 4 of models/base.sql"},
		{"m", "b)", "at line 9 of target/compiled/shop/models/m.sql, written by line 8 of models/m.sql"},
		{"m", "in_var", "at line 14 of target/compiled/shop/models/m.sql, written by line 13 of models/m.sql"},
		{"second", "in_second", "at line 9 of snapshots/s.sql"},
		{"single", "in_single", "at line 3 of tests/single.sql"},
		{"not_null_m_n", "is null", "at line 3 of target/compiled/shop/models/t.yml/not_null_m_n.sql, of models/t.yml"},
	} {
		for way, wrap := range around {
			of := compiled[0]
			for _, one := range compiled {
				if one.Name == c.name {
					of = one
				}
			}
			statement := wrap(of.SQL)
			for _, form := range []string{"at [%d:%d]", "[at %d:%d]"} {
				said := fmt.Sprintf("Unrecognized name: x "+form, positionOf(statement, c.at)...)
				err := &googleapi.Error{Code: 400, Message: said}
				got := of.Placed("target/compiled", OfStatement(statement, fmt.Errorf("sending: %w", err)))
				if want := "sending: googleapi: Error 400: Unrecognized name: x " + c.want; got.Error() != want && got.Error() != want+", " {
					t.Errorf("%s of %s, %s:\n%s\nwant\n%s\n%s", c.at, c.name, way, got, want, of.SQL)
				}
				if !errors.As(got, new(*googleapi.Error)) {
					t.Error("the error of the warehouse is lost")
				}
			}
		}
	}
}

// positionOf is where a text stands, as GoogleSQL counts.
func positionOf(statement, text string) []any {
	before, _, _ := strings.Cut(statement, text)
	line := before[strings.LastIndex(before, "\n")+1:]
	column := 1
	for _, letter := range line {
		if column++; letter == '\t' {
			column += 7 - (column-2)%8
		}
	}
	return []any{1 + strings.Count(before, "\n"), column}
}

// What names no place names the file all the same, and what is not the
// statement's own stays as it is.
func TestPlaced_WithoutAPlace(t *testing.T) {
	of := Compiled{Text: project.Text{SQL: "select 1"}, File: "models/m.sql", Path: "shop/models/m.sql"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{OfStatement("create table x as select 1", errors.New("division by zero")), "models/m.sql: division by zero"},
		{OfStatement("select\n*\nfrom (\nselect 1\n)", errors.New("expected ) at [5:1]")), "models/m.sql: expected ) at the end of its SQL"},
		{OfStatement("select\nn\nfrom (\nselect 1\n)", errors.New("no n at [2:1]")), "models/m.sql: no n in what the runner writes before its SQL"},
		{OfStatement("grant x", errors.New("no x at [1:7]")), "models/m.sql: no x at [1:7]"}, // a hook's
		{OfStatement("select 1", errors.New("far off at [99:1]")), "models/m.sql: far off at the end of its SQL"},
		{OfStatement("select 1", errors.New("far off at [1:999999999999999999999]")), "models/m.sql: far off at the end of its SQL"},
		{OfStatement("select 1", &googleapi.Error{Code: 503, Body: "later"}), "googleapi: got HTTP response code 503 with body: later"},
		{OfStatement("select 1", fmt.Errorf("asking: %w", t.Context().Err())), ""},
		{errors.New("on_schema_change is fail"), "on_schema_change is fail"},
		{nil, "<nil>"},
	} {
		if got := fmt.Sprint(of.Placed("target/compiled", c.err)); got != c.want && c.want != "" {
			t.Errorf("%v becomes\n%s\nwant\n%s", c.err, got, c.want)
		}
	}
}
