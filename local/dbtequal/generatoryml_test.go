package dbtequal

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// test is a generic test of a yml file.
func (w *projectWriter) test(column bool) string {
	kinds := []string{"unique", "not_null", "accepted_values", "relationships", w.name + "_few", "unique", "not_null", "over"}
	if !column {
		kinds = []string{w.name + "_few", w.name + "_few", "unique"}
	}
	kind := kinds[w.IntN(len(kinds))]
	var arguments []string
	switch kind {
	case "accepted_values":
		arguments = append(arguments, "values: "+w.one("[1, 2]", "['a', \"b c\"]", "[true, x]", "[1.5, no]"))
		if w.rarely() {
			arguments = append(arguments, "quote: "+w.one("false", "true"))
		}
	case "relationships":
		to := "ref('" + w.all[w.IntN(len(w.all))] + "')"
		if len(w.sources) > 0 && w.IntN(2) == 0 {
			to = "source('" + strings.Replace(w.sources[0], ".", "', '", 1) + "')"
		}
		arguments = append(arguments, `to: "`+to+`"`, "field: n")
	case w.name + "_few":
		if w.IntN(2) == 0 {
			arguments = append(arguments, "than: "+w.one("3", "'x'", "[1, 2]", "{a: 1}", `"{{ var('shared') }}"`, "null", "true"))
		}
	}
	if !column && w.IntN(3) > 0 || kind == "unique" && !column {
		arguments = append(arguments, "column_name: "+w.one("n", "\"n + m\"", "m"))
	}
	if len(arguments) > 0 && w.IntN(2) == 0 {
		arguments = []string{"arguments: {" + strings.Join(arguments, ", ") + "}"}
	}
	config := w.ymlConfig(testValues, 3, "")
	if w.IntN(4) == 0 {
		where := w.one("n > 1", "n = '{{ var('shared') }}'", "{{ 1 }} = 1", "m like '%x%'")
		config = strings.TrimPrefix(config+`, where: "`+where+`"`, ", ")
	}
	switch {
	case config == "":
	case w.IntN(4) == 0:
		arguments = append(arguments, strings.Split(config, ", ")[0]) // beside, as it was before
		if strings.Count(arguments[len(arguments)-1], "{") != strings.Count(arguments[len(arguments)-1], "}") || strings.Contains(arguments[len(arguments)-1], "[") {
			arguments[len(arguments)-1] = "severity: warn"
		}
	default:
		arguments = append(arguments, "config: {"+config+"}")
	}
	if w.rarely() {
		arguments = append(arguments, "name: "+w.name+"_named_"+fmt.Sprint(w.IntN(1000)))
	}
	if w.rarely() {
		arguments = append(arguments, "description: said")
	}
	if len(arguments) == 0 {
		return kind
	}
	if w.rarely() {
		return "{test_name: " + kind + ", " + strings.Join(arguments, ", ") + "}"
	}
	return kind + ": {" + strings.Join(arguments, ", ") + "}"
}

func (w *projectWriter) tests(column bool) string {
	var all []string
	for range w.IntN(3) {
		all = append(all, w.test(column))
	}
	return w.one("data_tests", "data_tests", "tests") + ": [" + strings.Join(all, ", ") + "]"
}

func (w *projectWriter) columns() string {
	var columns []string
	for _, name := range []string{"n", "m", "d"}[:w.IntN(4)] {
		parts := []string{"name: " + name}
		for _, part := range []string{"description: " + w.one("a column", `"{{ doc('`+w.name+`_said') }}"`, "''"), "data_type: " + w.one("int64", "STRING", "numeric(5, 2)"),
			"meta: {a: 1}", "tags: [c]", "quote: true", w.tests(true), w.tests(true), "constraints: [{type: not_null}]"} {
			key, _, _ := strings.Cut(part, ":")
			if w.IntN(4) == 0 && !strings.Contains(strings.Join(parts, "\n"), key+":") && !(strings.HasSuffix(key, "tests") && strings.Contains(strings.Join(parts, "\n"), "tests:")) {
				parts = append(parts, part)
			}
		}
		columns = append(columns, "{"+strings.ReplaceAll(strings.Join(parts, ", "), "(5, 2)", "")+"}")
	}
	return "[" + strings.Join(columns, ", ") + "]"
}

// entry is what a yml file says of a model or seed.
func (w *projectWriter) entry(name string, of map[string][]string) string {
	lines := []string{"- name: " + name}
	add := func(of int, line string) {
		if w.IntN(of) == 0 {
			lines = append(lines, "  "+line)
		}
	}
	add(3, "description: "+w.one("a text", "|\n    two\n    lines", `"{{ doc('`+w.name+`_said') }}"`, "''", "\" spaced \""))
	add(2, "config: {"+w.ymlConfig(of, 4, "")+"}")
	add(2, "columns: "+w.columns())
	add(3, w.tests(false))
	add(12, "meta: {a: 1}")
	add(12, "docs: {show: false}")
	add(12, "access: public")
	return strings.Join(lines, "\n") + "\n"
}

func (w *projectWriter) sourceEntry() string {
	name := w.name + "_raw"
	table := func(table string) string {
		parts := []string{"name: " + table}
		for _, part := range []string{"identifier: " + w.one("x", `"y_{{ target.name }}"`), "description: a table", "tags: [t, u]", "config: {" + w.ymlConfig(sourceValues, 2, "") + "}",
			"loaded_at_field: t", "freshness: " + w.one("null", "{warn_after: {count: 1, period: day}}", "{error_after: {count: 2, period: hour}, filter: n > 1}"), "columns: " + w.columns(), w.tests(false)} {
			if w.IntN(4) == 0 {
				parts = append(parts, part)
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	lines := "- name: " + name + "\n"
	for _, line := range []string{"schema: " + w.one("raw", `"{{ target.schema }}_x"`, `"{{ var('shared') }}"`), "database: other", "description: of others", "tags: [s]", "loader: hand",
		"config: {" + w.ymlConfig(sourceValues, 2, "") + "}", "meta: {a: 1}", "loaded_at_field: at", "freshness: {warn_after: {count: 3, period: hour}}"} {
		if w.IntN(4) == 0 {
			lines += "  " + line + "\n"
		}
	}
	return lines + "  tables:\n  - " + table("one") + "\n  - " + table("two") + "\n"
}

// folderSettings are those of the case's folder in dbt_project.yml.
func (w *projectWriter) folderSettings(of map[string][]string, names []string) string {
	if w.IntN(2) == 0 {
		return ""
	}
	parts := []string{w.ymlConfig(of, 3, "+")}
	if w.IntN(3) == 0 {
		parts = append(parts, "sub: {"+w.ymlConfig(of, 2, "+")+"}")
	}
	if len(names) > 0 && w.IntN(4) == 0 {
		parts = append(parts, names[w.IntN(len(names))]+": {"+w.ymlConfig(of, 2, "+")+"}")
	}
	text := strings.Trim(strings.Join(parts, ", "), ", ")
	if text == "" {
		return ""
	}
	return "{" + text + "}"
}

// selection is a pair of selectors and of what is left out.
func (w *projectWriter) selection() [2][]string {
	names := append([]string{}, w.all...)
	one := func() string {
		name := names[w.IntN(len(names))]
		text := w.one(name, name, w.name, w.name+".sub", "p."+w.name, "tag:x", "tag:y", "path:models/"+w.name, "path:models/"+w.name+"/sub", "models/"+w.name+"/sub", "resource_type:model", "resource_type:test",
			"config.materialized:table", "config.materialized:view", "test_type:generic", "test_type:singular", "test_name:unique", "source:"+w.name+"_raw", "source:"+w.name+"_raw.one", "file:"+name+".sql",
			name+".sql", w.name+"_*", "*", "fqn:p."+w.name+".*", "tag:"+w.one("s", "t", "all"), "source:*", "path:models/"+w.name+"/y.yml", "path:models/*/sub", "path:models/**/*.sql", "file:"+name, "tag:[xy]", "tag:[!x]*", "p.*.sub", name[:len(name)-1]+"?",
			"test_name:*few", w.name+".*", "source:p."+w.name+"_raw.t*", "config.materialized:ephemeral")
		switch w.IntN(6) {
		case 0:
			return w.one("+", "1+", "2+") + text
		case 1:
			return text + w.one("+", "+1", "+2")
		case 2:
			return w.one("@", "+") + text
		}
		return text
	}
	var include, exclude []string
	for range 1 + w.IntN(2) {
		text := one()
		if w.IntN(3) == 0 {
			text += w.one(",", ",", " ") + one()
		}
		include = append(include, text)
	}
	if w.IntN(3) == 0 {
		exclude = append(exclude, one())
	}
	return [2][]string{include, exclude}
}

// writeCase writes a case.
func writeCase(random *rand.Rand, name string) generated {
	c := generated{name: name, files: map[string]string{}, settings: map[string]string{}}
	w := &projectWriter{Rand: random, generated: &c}
	c.vars = []string{name + "_v: " + w.one("3", "text", "'it''s'", "1.50", "no", "0x1F", `"{{ target.name }}"`), name + "_l: [a, 1, " + w.one("b", "2.5", "yes") + "]"}
	c.files["macros/"+name+".sql"] = "{% macro " + name + "_m(a=1, b=2) -%} " + w.one("{{ a }} + {{ b }}", "'{{ a ~ b }}'", "{{ return(a) }}", "({{ a }}{% if b %}, {{ b }}{% endif %})", "{{ lib.shared(a) }}") + " {%- endmacro %}\n" +
		"{% test " + name + "_few(model, column_name='n', than=none) %}" + w.one("", "{{ config(severity='warn') }}", "{{ config(tags=['own'], limit=3) }}") + "select {{ column_name }} from {{ model }} where {{ than }} is null{% endtest %}\n"
	c.files["models/"+name+"/said.md"] = "{% docs " + name + "_said %}\nwhat is *said*\n{% enddocs %}\n"
	if w.IntN(3) == 0 {
		w.sources = []string{name + "_raw.one", name + "_raw.two"}
	}
	if w.IntN(3) == 0 {
		w.addSeed(name + "_s")
	}
	for i := range 1 + w.IntN(3) {
		w.addModel(name + "_" + string(rune('a'+i)))
	}
	w.all = append(append([]string{}, w.models...), w.seeds...)
	if w.IntN(3) == 0 {
		w.addSingular()
	}
	yml, models, seeds := "", "", ""
	if len(w.sources) > 0 {
		yml = "sources:\n" + w.sourceEntry()
	}
	for _, model := range w.models {
		if w.IntN(3) > 0 {
			models += w.entry(model, modelValues)
		}
	}
	for _, seed := range w.seeds {
		if w.IntN(2) == 0 {
			seeds += w.entry(seed, seedValues)
		}
	}
	if models != "" {
		yml += "models:\n" + models
	}
	if yml != "" {
		c.files["models/"+name+w.one("/y.yml", "/sub/y.yml", "/y.yaml")] = w.one("", "version: 2\n") + yml
	}
	if seeds != "" {
		c.files["seeds/"+name+"/y.yml"] = "seeds:\n" + seeds
	}
	c.settings["models"], c.settings["seeds"] = w.folderSettings(modelValues, w.models), w.folderSettings(seedValues, w.seeds)
	c.settings["data_tests"], c.settings["sources"] = w.folderSettings(testValues, nil), w.folderSettings(sourceValues, nil)
	for range 2 {
		c.selections = append(c.selections, w.selection())
	}
	return c
}

func (w *projectWriter) addSingular() {
	name := w.name + "_checks"
	config := w.config(testValues, 2)
	closing := ") }}\n"
	if strings.HasPrefix(config, "{%") {
		closing = ") %}\n"
	}
	w.files["tests/"+w.name+"/"+name+".sql"] = strings.ReplaceAll(config, "CLOSE", closing) + "select * from {{ ref('" + w.all[w.IntN(len(w.all))] + "') }} where n = {{ var('shared') }}" + w.one("", "\n", ";")
	if w.IntN(2) == 0 {
		w.files["tests/"+w.name+"/y.yml"] = "data_tests:\n- {name: " + name + ", description: said, config: {" + w.ymlConfig(testValues, 2, "") + "}}\n"
	}
}

// writeFrame writes what the cases of a project share.
func writeFrame(random *rand.Rand) frame {
	w := &projectWriter{Rand: random, generated: &generated{name: "shared"}}
	f := frame{files: map[string]string{}, settings: map[string]string{}}
	f.head = "name: p\nversion: 1.0.0\nconfig-version: 2\nprofile: p\nrequire-dbt-version: " + w.one(`">=1.0.0"`, `[">=1.3.0", "<2.0.0"]`) + "\n" +
		w.one("", "on-run-start: \"select 1\"\n", "on-run-end: [\"select '{{ target.name }}'\", '{{ quiet() }}']\n") +
		w.one("", "dispatch: [{macro_namespace: lib, search_order: [p, lib]}]\n", "dispatch: [{macro_namespace: lib, search_order: [lib]}]\n") + w.one("", "quoting: {identifier: true}\n", "query-comment: none\n")
	for _, section := range []struct {
		name string
		of   map[string][]string
	}{{"models", modelValues}, {"seeds", seedValues}, {"data_tests", testValues}, {"sources", sourceValues}} {
		for _, key := range []string{"tags", "persist_docs", "grants", "severity", "labels"} {
			if values := section.of[key]; values != nil && w.IntN(4) == 0 {
				f.settings[section.name] += "  +" + key + ": " + values[w.IntN(len(values))] + "\n"
			}
		}
	}
	if w.IntN(2) == 0 {
		f.settings["models"] += "  lib: {+tags: over, +materialized: view}\n"
	}
	f.files["packages.yml"] = "packages: [{local: ../lib}]\n"
	f.files["dbt_packages/lib/dbt_project.yml"] = "name: lib\nversion: 1.0.0\nconfig-version: 2\nmodels: {lib: {+materialized: table, +tags: lib}}\n"
	f.files["dbt_packages/lib/macros/m.sql"] = "{% macro shared(a) %}{{ return(adapter.dispatch('shared', 'lib')(a)) }}{% endmacro %}\n{% macro default__shared(a) %}lib {{ a }}{% endmacro %}\n"
	f.files["dbt_packages/lib/models/of_lib.sql"] = "select 1 as n"
	f.files["macros/shared.sql"] = "{% macro quiet() %}{% do log('x') %}{% endmacro %}\n{% macro dispatched(a) %}{{ return(adapter.dispatch('dispatched')(a)) }}{% endmacro %}\n{% macro default__dispatched(a) %}{{ a }} * 2{% endmacro %}\n" +
		w.one("", "{% macro default__shared(a) %}own {{ a }}{% endmacro %}\n") +
		w.one("", "", "{% macro generate_alias_name(custom_alias_name=none, node=none) -%}{{ 'a_' ~ (custom_alias_name or node.name) }}{%- endmacro %}\n") +
		"{% test over(model, column_name) %}select {{ column_name }} from {{ model }} where {{ column_name }} > 3{% endtest %}\n" +
		w.one("", "", "{% test not_null(model, column_name) %}select 1 from {{ model }} where {{ column_name }} is null{% endtest %}\n")
	if w.IntN(3) == 0 {
		f.vars = append(f.vars, "p: {own: 1}", "lib: {own: 2}")
	}
	return f
}
