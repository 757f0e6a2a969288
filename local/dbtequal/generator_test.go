package dbtequal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// A generated case is a small project in a folder of its own, so that many may
// stand in one project.
type generated struct {
	name       string // of its folders, and the begin of all its names
	files      map[string]string
	settings   map[string]string // of its folder in dbt_project.yml, by section
	vars       []string
	selections [][2][]string // selectors, and those of what is left out
}

// A frame is what the cases of one project share.
type frame struct {
	files    map[string]string
	head     string
	settings map[string]string // of all folders, by section
	vars     []string
}

var sections = []string{"models", "seeds", "data_tests", "sources"}

// project is the frame with some cases.
func (f frame) project(cases ...generated) small {
	files := maps.Clone(f.files)
	var out strings.Builder
	out.WriteString(f.head)
	for _, section := range sections {
		fmt.Fprintf(&out, "%s:\n  p:\n", section)
		for _, c := range cases {
			if text := c.settings[section]; text != "" {
				fmt.Fprintf(&out, "    %s: %s\n", c.name, text)
			}
		}
		fmt.Fprintf(&out, "    +meta: {p: 1}\n%s", f.settings[section])
	}
	out.WriteString("vars:\n  shared: 7\n")
	for _, line := range f.vars {
		out.WriteString("  " + line + "\n")
	}
	for _, c := range cases {
		maps.Copy(files, c.files)
		for _, line := range c.vars {
			out.WriteString("  " + line + "\n")
		}
	}
	files["dbt_project.yml"] = out.String()
	return small{files: files}
}

// A projectWriter writes random projects.
type projectWriter struct {
	*rand.Rand
	*generated
	models, seeds, sources, all []string // that may be referred to
}

func (w *projectWriter) one(of ...string) string { return of[w.IntN(len(of))] }
func (w *projectWriter) rarely() bool            { return w.IntN(12) == 0 }

// someOf picks up to n keys.
func (w *projectWriter) someOf(of map[string][]string, n int) []string {
	keys := slices.Sorted(maps.Keys(of))
	w.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:w.IntN(n+1)]
}

// Values of configuration that YAML and Jinja both read.
var modelValues = map[string][]string{
	"materialized": {"'view'", "'table'", "'ephemeral'", "'incremental'", "'view'", "'table'"}, "tags": {"'x'", "['x', 'y']", "['y', 'z']", "[]", "'a b'", "['x', 'x']"},
	"meta": {"{'a': 1}", "{'a': 2, 'b': [1, 'x']}", "{'c': {'d': true}}", "{'a': 'text'}"}, "enabled": {"true", "true", "true", "true", "true", "true", "false"},
	"docs": {"{'show': false}", "{'show': true, 'node_color': 'red'}"}, "persist_docs": {"{'relation': true}", "{'relation': true, 'columns': true}", "{'columns': false}"},
	"labels": {"{'a': 'b'}", "{'a': 'e', 'c': 'd'}"}, "hours_to_expiration": {"3", "24"}, "full_refresh": {"true", "false"},
	"unique_key": {"'n'", "['n']", "['n', 'm']"}, "on_schema_change": {"'ignore'", "'append_new_columns'", "'fail'", "'sync_all_columns'"},
	"incremental_strategy": {"'merge'", "'insert_overwrite'"}, "cluster_by": {"'n'", "['n', 'm']"}, "require_partition_filter": {"true", "false"},
	"partition_by": {"{'field': 'd'}", "{'field': 'd', 'data_type': 'date'}", "{'field': 't', 'data_type': 'timestamp', 'granularity': 'hour'}",
		"{'field': 'n', 'data_type': 'int64', 'range': {'start': 0, 'end': 10, 'interval': 1}}"},
	"partition_expiration_days": {"3"}, "merge_exclude_columns": {"['n']"}, "merge_update_columns": {"['m']"}, "incremental_predicates": {"['DBT_INTERNAL_DEST.n > 1']"},
	"grants":   {"{'roles/x': ['user:a@b']}", "{'+roles/x': 'user:c@d'}", "{'roles/y': ['user:a@b', 'user:e@f']}"},
	"pre_hook": {"'select 1'", "['select 1', 'select 2']", "{'sql': 'select 3', 'transaction': false}", "\"select '{{ this }}'\""}, "post_hook": {"'select 4'", "[]", "[\"select {{ 1 + 1 }}\"]"},
	"access": {"'protected'", "'public'", "'protected'", "'private'"}, "event_time": {"'t'"}, "batch_size": {"'day'"}, "lookback": {"2"}, "begin": {"'2026-01-01'"},
	"contract": {"{'enforced': false}"}, "kms_key_name": {"'k'"}, "description": {"'of the config'"}, "static_analysis": {"'off'"}, "alias": {"ALIAS"},
}

var seedValues = map[string][]string{
	"tags": modelValues["tags"], "meta": modelValues["meta"], "enabled": modelValues["enabled"], "docs": modelValues["docs"], "full_refresh": {"true", "false"},
	"column_types": {"{'n': 'string'}", "{'m': 'INT64', 'n': 'float64'}"}, "quote_columns": {"true", "false"}, "persist_docs": modelValues["persist_docs"],
	"grants": modelValues["grants"], "alias": {"ALIAS"}, "post_hook": modelValues["post_hook"], "delimiter": {"','"}, "event_time": {"'t'"},
}

var testValues = map[string][]string{
	"severity": {"'warn'", "'error'", "'WARN'"}, "tags": modelValues["tags"], "meta": modelValues["meta"], "enabled": modelValues["enabled"],
	"warn_if": {"'> 1'", "'>= 2'", "'!= 0'"}, "error_if": {"'> 10'", "'=5'"}, "limit": {"5", "100"}, "fail_calc": {"'count(*)'", "'max(n)'"}, "store_failures": {"true", "false"},
}

var sourceValues = map[string][]string{
	"tags": modelValues["tags"], "enabled": modelValues["enabled"], "meta": modelValues["meta"], "event_time": {"'t'"},
}

func (w *projectWriter) value(of map[string][]string, key string) string {
	if key != "alias" && w.IntN(400) == 0 {
		return w.one("3", "'text'", "['a', 1]", "{'z': 1}", "true", "''", "-1.5", "[]")
	}
	return strings.ReplaceAll(w.one(of[key]...), "ALIAS", "'"+w.name+"_alias_"+w.one("a", "b", "c", "d", "e")+"'")
}

var aWord = regexp.MustCompile(`^'\w+'$`)

// ymlConfig are settings of a yml file, in braces.
func (w *projectWriter) ymlConfig(of map[string][]string, n int, prefix string) string {
	var parts []string
	for _, key := range w.someOf(of, n) {
		value := w.value(of, key)
		switch {
		case w.rarely() && value == "true":
			value = w.one("yes", "On", `"{{ target.name == 'prod' }}"`)
		case w.rarely() && aWord.MatchString(value):
			value = w.one(`"{{ `+value+` }}"`, `"{{ `+value+` if 1 else 'other' }}"`, strings.Trim(value, "'"))
		}
		if prefix != "" && strings.HasPrefix(key, "p") && w.IntN(2) == 0 {
			key = strings.Replace(key, "_hook", "-hook", 1)
		}
		plus := prefix
		if !strings.HasPrefix(value, "{") && w.IntN(3) == 0 {
			plus = ""
		}
		parts = append(parts, plus+key+": "+value)
	}
	return strings.Join(parts, ", ")
}

// config calls config().
func (w *projectWriter) config(of map[string][]string, n int) string {
	var parts, pairs []string
	for _, key := range w.someOf(of, n) {
		value := w.value(of, key)
		if w.rarely() {
			value = w.one("("+value+")", value+" if true else none", "var('"+w.name+"_none', "+value+")")
		}
		parts, pairs = append(parts, key+w.one("=", " = ")+value), append(pairs, "'"+key+"': "+value)
	}
	switch {
	case len(parts) == 0:
		if w.rarely() {
			return w.one("{{ config() }}", "{{ config({}) }}")
		}
		return ""
	case w.rarely():
		return "{{ config({" + strings.Join(pairs, ", ") + "}) }}\n"
	case w.rarely() && len(parts) > 1:
		return "{{ config(" + parts[0] + ") }}{{ config(" + strings.Join(parts[1:], ", ") + ") }}\n"
	}
	return w.one("{{ config(", "{{\n  config(", "{{- config(", "{% do config(", "{{config(") + strings.Join(parts, w.one(", ", ",\n    ")) + w.one("", ",") + "CLOSE"
}

// expression is a piece of SQL with Jinja.
func (w *projectWriter) expression() string {
	name := w.name
	return w.one("1", "'x'", "{{ 1 + 1 }}", "{{ var('shared') }}", "{{ var('"+name+"_v') }}", "{{ var('"+name+"_none', 'fallback') }}", "'{{ env_var('SET') }}'",
		"'{{ env_var('UNSET', 'd') }}'", "{{ this }}", "'{{ this.identifier }}'", "'{{ model.name }}'", "'{{ model.alias }}'", "'{{ target.schema }}'", "'{{ model.unique_id }}'",
		"'{{ config.get('materialized') }}'", "'{{ config.get('nothing', 'd') }}'", "'{{ config.get('tags') }}'", "{{ "+name+"_m(2) }}", "{{ "+name+"_m(b=3) }}", "{{ p."+name+"_m('x') }}",
		"{% for i in range(3) %}{{ i }}{{ ' + ' if not loop.last }}{% endfor %}", "{%- set x = [1, 2] -%} {{ x | sum }}", "{{ dbt.date_trunc('day', 't') }}", "{{ dbt.type_string() }}",
		"{% if target.name == 'prod' %}1{% else %}2{% endif %}", "{% if is_incremental() %}1{% else %}0{% endif %}", "{% if execute %}1{% else %}0{% endif %}",
		"{{ var('"+name+"_l') | join(', ') }}", "{% raw %}{{ raw }}{% endraw %}", "{# a comment #}1", "{{ \"it's\" | replace(\"'\", '') }}", "{{ lib.shared(1) }}", "{{ dispatched(2) }}",
		"{{ adapter.quote('n') }}", "'{{ model.fqn | join('.') }}'", "'{{ model.config.materialized }}'", "{{ model.tags | length }}",
		"'{{ model.original_file_path }}'", "{{ flags.FULL_REFRESH }}", "{{ local_md5('x') }}", "{{ tojson({'a': [1]}) }}",
		"{{ config.require('materialized') }}", "'{{ model.description }}'", "'{{ project_name }}'")
}

func (w *projectWriter) from() string {
	switch {
	case len(w.models) > 0 && w.IntN(3) > 0:
		name := w.models[w.IntN(len(w.models))]
		return w.one("{{ ref('"+name+"') }}", "{{ ref('p', '"+name+"') }}", "{{ref(\""+name+"\")}}", "{{ ref('"+name+"') }} as t", "{% set r = ref('"+name+"') %}{{ r }}")
	case len(w.sources) > 0 && w.IntN(2) == 0:
		return "{{ source('" + strings.Replace(w.sources[w.IntN(len(w.sources))], ".", "', '", 1) + "') }}"
	case len(w.seeds) > 0:
		return "{{ ref('" + w.seeds[w.IntN(len(w.seeds))] + "') }}"
	case w.IntN(40) == 0:
		return "{{ ref('" + w.name + "_nothing') }}"
	case w.rarely():
		return "{{ ref('of_lib') }}"
	}
	return "unnest([1, 2]) as n"
}

func (w *projectWriter) addModel(name string) {
	folder := "models/" + w.name + w.one("", "", "/sub", "/sub/deep")
	config := w.config(modelValues, 4)
	closing := ") }}\n"
	if strings.HasPrefix(config, "{%") {
		closing = ") %}\n"
	}
	var columns []string
	for i := range 1 + w.IntN(3) {
		columns = append(columns, w.expression()+" as "+[]string{"n", "m", "d"}[i])
	}
	sql := "select " + strings.Join(columns, ",\n  ") + "\nfrom " + w.from()
	switch w.IntN(6) {
	case 0:
		sql = "with x as (\n  " + sql + "\n)\nselect * from x join " + w.from() + " using (n)"
	case 1:
		sql += "\n{% if is_incremental() %}where t > (select max(t) from {{ this }}){% endif %}"
	case 2:
		sql += " -- {{ " + w.one("'said'", "not_a_name is defined", "'a' ~ 1") + " }}"
	}
	w.files[folder+"/"+name+".sql"] = strings.ReplaceAll(config, "CLOSE", closing) + sql + w.one("", "\n", "\n\n  \n", ";")
	w.models = append(w.models, name)
}

func (w *projectWriter) addSeed(name string) {
	lines := []string{"n,m"}
	for range 1 + w.IntN(3) {
		lines = append(lines, w.one("1", "2.5", "", "007", "x")+","+w.one("a", "true", "2026-11-22", `"q,""x"`, ""))
	}
	w.files["seeds/"+w.name+w.one("", "/sub")+"/"+name+".csv"] = strings.Join(lines, "\n") + w.one("", "\n", "\n\n")
	w.seeds = append(w.seeds, name)
}
