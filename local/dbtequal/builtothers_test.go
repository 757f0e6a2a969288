package dbtequal

import (
	"fmt"
	"slices"
	"strings"
)

// writeSnapshots adds snapshots of rows that change, go and come back.
func (w *caseWriter) writeSnapshots() {
	in, name := w.name+"_in", w.name+"_s"
	var out strings.Builder
	for step := 1; step <= w.steps; step++ {
		fmt.Fprintf(&out, "{%% %s var('step') == %d %%}\n", map[bool]string{true: "if", false: "elif"}[step == 1], step)
		var rows []string
		for id := 1; id <= 5; id++ {
			if w.IntN(4) == 0 && len(rows) > 0 {
				continue
			}
			changed := w.IntN(step) // when it changed last: the later, the likelier
			rows = append(rows, fmt.Sprintf("(%d, 'k%d', %s, %d, timestamp_add(timestamp '2026-11-20 00:00:00+00', interval %d hour), date '2026-11-2%d')",
				id, id%2, w.one("'x'", "'y'", "null"), changed, changed, changed))
		}
		out.WriteString("select * from unnest(array<struct<id int64, kind string, word string, n int64, ts timestamp, d date>>[" + strings.Join(rows, ",\n  ") + "])\n")
	}
	out.WriteString("{% endif %}")
	w.model(in, []setting{{"materialized", w.one("'view'", "'table'")}}, "", out.String())
	for i := range 1 + w.IntN(2) {
		w.addSnapshot(fmt.Sprintf("%s%d", name, i), in)
	}
}

func (w *caseWriter) addSnapshot(name, in string) {
	isCheck := w.IntN(2) == 0
	settings := []setting{{"unique_key", w.one("'id'", "['id']", "['id', 'kind']", "'id'")}}
	if isCheck {
		settings = append(settings, setting{"strategy", "'check'"}, setting{"check_cols", w.one("'all'", "['word']", "['word', 'n']", "['n']")})
		settings = w.choose(settings, 2, map[string][]string{"updated_at": {"'ts'"}}, "updated_at")
	} else {
		settings = append(settings, setting{"strategy", "'timestamp'"}, setting{"updated_at", w.one("'ts'", "'ts'", "'timestamp(d)'")})
	}
	settings = w.choose(settings, 2, map[string][]string{
		"hard_deletes": {"'invalidate'", "'ignore'", "'new_record'"},
	}, "hard_deletes")
	settings = w.choose(settings, 5, map[string][]string{
		"dbt_valid_to_current":       {"\"timestamp '9999-12-31'\""},
		"snapshot_meta_column_names": {"{'dbt_valid_from': 'begins', 'dbt_valid_to': 'ends'}", "{'dbt_scd_id': 'state', 'dbt_updated_at': 'changed', 'dbt_is_deleted': 'is_gone'}"},
		"alias":                      {"'" + name + "_other'"}, "persist_docs": tableSettings["persist_docs"], "labels": tableSettings["labels"],
		"post_hook": {"\"update {{ this }} set n = n where true\""}, "grants": tableSettings["grants"],
	}, "dbt_valid_to_current", "snapshot_meta_column_names", "alias", "persist_docs", "labels", "grants")
	columns := w.one("*", "*", "id, kind, word, n, ts, d", "*, n + 1 as further", "*{% if var('step') > 1 %}, 'x' as added{% endif %}", "* except (d), d")
	if strings.Contains(columns, "except") && strings.Contains(fmt.Sprint(settings), "(d)") {
		columns = "*"
	}
	var parts []string
	if w.IntN(3) == 0 && columns == "*" {
		for _, s := range settings {
			parts = append(parts, s.key+": "+s.value)
		}
		w.files["snapshots/"+w.name+"/"+name+".yml"] = "snapshots:\n- {name: " + name + ", description: of a yml file, relation: ref('" + in + "'), config: {" + strings.Join(parts, ", ") + "}}\n"
	} else {
		for _, s := range settings {
			parts = append(parts, s.key+"="+s.value)
		}
		w.files["snapshots/"+w.name+"/"+name+".sql"] = "{% snapshot " + name + " %}\n{{ config(" + strings.Join(parts, ", ") + ") }}\nselect " + columns + " from {{ ref('" + in + "') }}" +
			w.one("", " where id <> 4", "") + "\n{% endsnapshot %}\n"
	}
	w.models = append(w.models, name)
	if w.IntN(2) == 0 {
		w.model(name+"_now", []setting{{"materialized", w.one("'view'", "'table'")}}, "", "select id, word, n, ts from {{ ref('"+name+"') }}")
	}
}

// writeSeeds adds seeds with odd values, whose files change.
func (w *caseWriter) writeSeeds() {
	for i := range 1 + w.IntN(2) {
		name := fmt.Sprintf("%s_seed%d", w.name, i)
		delimiter := ","
		columns := []string{"id", "a", w.one("b", "B", "_b"), "c"}
		settings := w.choose(nil, 3, map[string][]string{
			"column_types":  {"{'id': 'string'}", "{'a': 'string', 'c': 'string'}", "{'id': 'INT64', 'c': 'STRING'}", "{'id': 'float64'}", "{'id': 'numeric'}", "{'id': 'bignumeric', 'a': 'STRING'}"},
			"quote_columns": {"true", "false"}, "alias": {"'" + name + "_other'"}, "persist_docs": tableSettings["persist_docs"], "full_refresh": {"true", "false"},
			"labels": tableSettings["labels"], "grants": tableSettings["grants"],
		}, "column_types", "quote_columns", "alias", "persist_docs", "full_refresh", "labels")
		kinds := make([]int, len(columns))
		for j := range kinds {
			kinds[j] = w.IntN(len(seedColumns))
		}
		kinds[0] = 0
		path := "seeds/" + w.name + "/" + name + ".csv"
		w.files[path] = w.csv(columns, kinds, delimiter)
		for step := 2; step <= w.steps; step++ {
			if w.IntN(2) == 0 {
				continue
			}
			if w.IntN(3) == 0 {
				kinds[1+w.IntN(3)] = w.IntN(len(seedColumns))
			}
			if w.IntN(4) == 0 {
				columns[3] = w.one("c", "other")
			}
			if w.of.later[step] == nil {
				w.of.later[step] = map[string]string{}
			}
			w.of.later[step][path] = w.csv(columns, kinds, delimiter)
		}
		var parts []string
		for _, s := range settings {
			parts = append(parts, s.key+": "+s.value)
		}
		w.files["seeds/"+w.name+"/"+name+".yml"] = "seeds:\n- {name: " + name + ", description: \"odd 'values'\", config: {" + strings.Join(parts, ", ") + "}, columns: [{name: id, description: the id}]}\n"
		w.models = append(w.models, name)
		w.model(name+"_view", []setting{{"materialized", w.one("'view'", "'table'", "'incremental'")}}, "", "select id, a, to_json_string(a) as json from {{ ref('"+name+"') }}")
	}
}

// seedColumns are values of columns of a seed.
var seedColumns = [][]string{
	{"1", "2", "30", "4"}, {"1", "-2", "+3", "007", ""}, {"1.5", "-.5", "1.25", "", "2"}, {"a", "", "null", "NULL", "n/a", `"q,""x"`, `"two
lines"`, "it's", `back\slash`, "ä", " spaced "}, {"true", "false", "True", ""},
	{"2026-11-22", "2026-01-01", ""}, {"2026-11-22 10:00:00", "2026-11-22 10:00:00.5", ""}, {"9223372036854775807", "-9223372036854775808", "1"}, {"", ""}, {"1", "a"}, {"true", "1"}, {"2026-11-22", "x"},
	{"1", "1.0", "2.50"}, {"0", "-0", "00"}, {"12345678901234567890", "1"}, {"1e5", "2"}, {"1,5", "x"}, {"10:00:00", "11:30:00"}, {"yes", "no"}, {"{{ x }}", "{% y %}"}, {"#", "-- c", "';'"},
}

func (w *caseWriter) csv(columns []string, kinds []int, delimiter string) string {
	lines := []string{strings.Join(columns, delimiter)}
	for i := range 1 + w.IntN(5) {
		var values []string
		for j, kind := range kinds {
			value := w.one(seedColumns[kind]...)
			if j == 0 {
				value = fmt.Sprint(i + 1)
			}
			if strings.Contains(value, delimiter) && !strings.HasPrefix(value, `"`) {
				value = `"` + value + `"`
			}
			values = append(values, value)
		}
		lines = append(lines, strings.Join(values, delimiter))
	}
	return strings.Join(lines, w.one("\n", "\n", "\r\n")) + w.one("\n", "", "\n\n")
}

// writeTested adds models with tests of all severities. Models are tables and
// views, which a later step makes again where a test held them back.
func (w *caseWriter) writeTested() {
	in, name, below := w.name+"_in", w.name+"_m", w.name+"_below"
	w.input(in, 6, true, true)
	var tests []string
	for i := range 2 + w.IntN(4) {
		tests = append(tests, w.genericTest(i))
	}
	columns := "columns: [{name: id, data_tests: [" + strings.Join(tests[:len(tests)/2], ", ") + "]}, {name: kind, data_tests: [" + strings.Join(tests[len(tests)/2:], ", ") + "]}]"
	w.model(name, []setting{{"materialized", w.one("'table'", "'view'")}}, ", "+columns, "select * from {{ ref('"+in+"') }}")
	w.model(below, []setting{{"materialized", w.one("'table'", "'view'")}}, "", "select id, n from {{ ref('"+name+"') }}")
	w.model(below+"_too", []setting{{"materialized", "'table'"}}, ", columns: [{name: id, data_tests: [{relationships: {arguments: {to: ref('"+name+"'), field: id}}}]}]", "select id from {{ ref('"+below+"') }}")
	for i := range w.IntN(3) {
		w.files[fmt.Sprintf("tests/%s/%s_test%d.sql", w.name, w.name, i)] = w.testConfig() + "select id, n, {{ var('step') }} as step from {{ ref('" + w.one(name, below) + "') }} where " + w.one("n > 3", "id is null", "false", "n < {{ var('step') }}") + "\n"
	}
	if w.IntN(2) == 0 {
		w.files["macros/"+w.name+".sql"] = "{% test " + w.name + "_most(model, column_name, most=2) %}\n{{ config(severity='warn') }}\nselect {{ column_name }} from {{ model }} where {{ column_name }} > {{ most }}\n{% endtest %}\n"
		w.files["models/"+w.name+"/more.yml"] = "models: [{name: " + below + ", columns: [{name: n, data_tests: [" + w.name + "_most, {" + w.name + "_most: {name: " + w.name + "_named, arguments: {most: 0}, config: {" + strings.Join(w.testSettings(), ", ") + "}}}]}]}]\n"
		delete(w.files, "models/"+w.name+"/"+below+".yml")
		if !strings.Contains(w.files["models/"+w.name+"/"+below+".sql"], "materialized") {
			w.files["models/"+w.name+"/"+below+".sql"] = "{{ config(materialized='table') }}" + w.files["models/"+w.name+"/"+below+".sql"]
		}
	}
}

func (w *caseWriter) testSettings() (settings []string) {
	for _, s := range w.choose(nil, 3, map[string][]string{
		"severity": {"warn", "error", "WARN"}, "warn_if": {"'> 1'", "'>= 2'", "'!= 0'", "'>0'"}, "error_if": {"'> 2'", "'=1'", "'>10'"}, "limit": {"1", "2", "5", "0"},
		"store_failures": {"true", "true", "false"}, "fail_calc": {"'count(*)'", "'count(*) + 1'", "'coalesce(max(1), 0)'", "'sum(1)'"}, "where": {"'n > 0'", "'n is not null'", "\"word = 'x'\"", "\"n > {{ var('step') }}\""},
		"tags": {"x"}, "enabled": {"true", "true", "false"}, "meta": {"{a: 1}"},
	}, "severity", "warn_if", "error_if", "limit", "store_failures", "fail_calc", "where", "tags", "meta") {
		settings = append(settings, s.key+": "+s.value)
	}
	return settings
}

func (w *caseWriter) testConfig() string {
	var parts []string
	for _, text := range w.testSettings() {
		key, value, _ := strings.Cut(text, ": ")
		if key == "where" || key == "meta" {
			continue
		}
		if key == "severity" || key == "tags" {
			value = "'" + value + "'"
		}
		parts = append(parts, key+"="+value)
	}
	if len(parts) == 0 {
		return ""
	}
	return "{{ config(" + strings.Join(parts, ", ") + ") }}\n"
}

func (w *caseWriter) genericTest(i int) string {
	kind := w.one("unique", "not_null", "accepted_values", "relationships")
	arguments := map[string]string{"accepted_values": "arguments: {values: " + w.one("[a, b]", "['', 'a', 'b', 'B']", "[1, 2]") + ", quote: " + w.one("true", "true", "false") + "}, ",
		"relationships": "arguments: {to: ref('" + w.name + "_in'), field: " + w.one("id", "kind") + "}, "}[kind]
	return fmt.Sprintf("{%s: {%sname: %s_%s%d, config: {%s}}}", kind, arguments, w.name, kind, i, strings.Join(w.testSettings(), ", "))
}

// writeContracts adds models whose columns are declared, at times otherwise than
// the SQL gives them.
func (w *caseWriter) writeContracts() {
	in := w.name + "_in"
	w.input(in, 5, false, w.IntN(2) == 0)
	for i := range 1 + w.IntN(3) {
		name := fmt.Sprintf("%s_%c", w.name, 'a'+i)
		kinds := map[string]string{
			"id": w.one("int64", "INT64", "integer", "bigint", "string"), "kind": w.one("string", "STRING", "text", "string", "int64"), "n": w.one("int64", "int", "float64", "int64"),
			"d": w.one("date", "date", "datetime"), "price": w.one("numeric", "decimal", "bignumeric", "numeric"), "amount": w.one("float64", "float64", "FLOAT64", "float"), "flag": w.one("bool", "boolean"),
		}
		columns := []string{"id", "kind", "n", "d", "price", "amount", "flag"}[:3+w.IntN(5)]
		declared := slices.Clone(columns)
		if w.IntN(3) == 0 {
			w.Shuffle(len(declared), func(i, j int) { declared[i], declared[j] = declared[j], declared[i] })
		}
		switch w.IntN(8) {
		case 0:
			declared = declared[1:]
		case 1:
			declared, kinds["more"] = append(declared, "more"), "string"
		}
		var entries []string
		for _, column := range declared {
			entry := "{name: " + column + ", data_type: \"" + kinds[column] + "\""
			switch w.IntN(10) {
			case 0:
				entry += ", description: \"it's `" + column + "`\""
			case 1:
				entry += ", constraints: [{type: not_null}]"
			}
			entries = append(entries, entry+"}")
		}
		settings := []setting{{"materialized", w.one("'table'", "'view'", "'incremental'")}, {"contract", "{'enforced': true}"}}
		if strings.Contains(settings[0].value, "incremental") {
			settings = append(settings, setting{"on_schema_change", w.one("'append_new_columns'", "'fail'")})
			settings = w.choose(settings, 2, tableSettings, "unique_key")
		}
		settings = w.choose(settings, 4, tableSettings, "persist_docs", "cluster_by")
		w.model(name, settings, ", description: a contract, columns: ["+strings.Join(entries, ", ")+"]", "select "+strings.Join(columns, ", ")+" from {{ ref('"+in+"') }}")
	}
}
