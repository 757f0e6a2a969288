package dbtequal

import (
	"fmt"
	"strings"
)

// What the random cases of tables have in them: incremental models, microbatch,
// chains of models, hooks and failures. builtothers_test.go has the rest.

var partitions = []string{
	"{'field': 'd', 'data_type': 'date'}", "{'field': 'd'}", "{'field': 'd', 'data_type': 'date', 'granularity': 'month'}", "{'field': 'd', 'data_type': 'date', 'granularity': 'year'}",
	"{'field': 'ts', 'data_type': 'timestamp'}", "{'field': 'ts', 'data_type': 'timestamp', 'granularity': 'hour'}", "{'field': 'ts', 'data_type': 'timestamp', 'granularity': 'month'}",
	"{'field': 'id', 'data_type': 'int64', 'range': {'start': 0, 'end': 10, 'interval': 2}}", "{'field': 'id', 'data_type': 'int64', 'range': {'start': 2, 'end': 5, 'interval': 1}}",
}

var tableSettings = map[string][]string{
	"cluster_by": {"'id'", "['kind', 'id']"}, "labels": {"{'a': 'b'}", "{'a': 'c', 'd': 'e'}"}, "hours_to_expiration": {"24"}, "persist_docs": {"{'relation': true}", "{'relation': true, 'columns': true}", "{'columns': true}"},
	"require_partition_filter": {"true", "false"}, "partition_expiration_days": {"4000"}, "full_refresh": {"true", "false", "false"},
	"unique_key":       {"'id'", "['id']", "['id', 'kind']", "'id'", "['kind']"},
	"on_schema_change": {"'ignore'", "'append_new_columns'", "'sync_all_columns'", "'sync_all_columns'", "'fail'"},
	"grants":           {"{'roles/x': ['user:a@example.org']}"},
}

// changes are columns that a later step adds, takes away, or gives another type.
func (w *caseWriter) changes() (columns []string) {
	since := 2 + w.IntN(w.steps-1)
	later := fmt.Sprintf("var('step') >= %d", since)
	all := []string{
		"{% if " + later + " %}, word as added{% endif %}",
		"{% if " + later + " %}, n as more, [n] as list{% endif %}",
		"{% if not " + later + " %}, word as gone{% endif %}",
		"{% if not " + later + " %}, struct(n as x, word as y) as gone_too{% endif %}",
		"{% if " + later + " %}, cast(id as float64) as other{% else %}, id as other{% endif %}",
		"{% if " + later + " %}, cast(id as string) as text{% else %}, id as text{% endif %}",
		"{% if " + later + " %}, cast(id as numeric) as exact{% else %}, id as exact{% endif %}",
		"{% if " + later + " %}, id as whole{% else %}, cast(id as string) as whole{% endif %}",
		"{% if " + later + " %}, timestamp(d) as day{% else %}, d as day{% endif %}",
		"{% if " + later + " %}, struct(1 as x, 'y' as y) as s{% else %}, struct(1 as x) as s{% endif %}",
		"{% if " + later + " %}, 2 as second, 1 as first{% else %}, 1 as first, 2 as second{% endif %}",
		"{% if " + later + " %}, word as CAPITAL{% else %}, word as capital{% endif %}",
		", word as `order`{% if " + later + " %}, id as `select`{% endif %}",
		"{% if " + later + " %}, cast(null as string) as nothing{% else %}, cast(null as int64) as nothing{% endif %}",
		"{% if var('step') == " + fmt.Sprint(since) + " %}, word as once{% endif %}",
	}
	w.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:w.IntN(3)]
}

func (w *caseWriter) writeIncremental() {
	in, name := w.name+"_in", w.name+"_m"
	w.input(in, 6, w.IntN(6) == 0, w.IntN(3) > 0)
	settings := []setting{{"materialized", "'incremental'"}}
	settings = w.choose(settings, 2, tableSettings, "on_schema_change")
	if w.IntN(2) == 0 {
		settings = w.overwriting(settings)
	} else {
		settings = w.merging(settings)
	}
	settings = w.choose(settings, 6, tableSettings, "cluster_by", "labels", "persist_docs", "full_refresh", "grants")
	w.Shuffle(len(settings), func(i, j int) { settings[i], settings[j] = settings[j], settings[i] })
	w.model(name, settings, ", description: of the model, columns: [{name: id, description: the key}]", w.incrementalSQL(in))
	below := w.name + "_below"
	w.model(below, []setting{{"materialized", w.one("'view'", "'table'")}}, "",
		"select count(*) as n, count(distinct id) as ids, sum(n) as total from {{ ref('"+name+"') }}"+w.one("", " where d is null or d is not null"))
}

func (w *caseWriter) merging(settings []setting) []setting {
	settings = append(settings, w.choose(nil, 4, map[string][]string{"incremental_strategy": {"'merge'"}}, "incremental_strategy")...)
	if w.IntN(5) > 0 {
		settings = append(settings, setting{"unique_key", w.one(tableSettings["unique_key"]...)})
	}
	switch w.IntN(4) {
	case 0:
		settings = append(settings, setting{"merge_update_columns", w.one("['n']", "['word', 'n']", "['N', 'd']")})
	case 1:
		settings = append(settings, setting{"merge_exclude_columns", w.one("['n']", "['WORD', 'd']", "['id']")})
	}
	if w.IntN(4) == 0 {
		settings = append(settings, setting{"incremental_predicates", w.one("['DBT_INTERNAL_DEST.id > 2']", "['DBT_INTERNAL_DEST.d > date(2026, 11, 20)', 'DBT_INTERNAL_SOURCE.id < 5']")})
	}
	if w.IntN(3) == 0 {
		settings = append(settings, setting{"partition_by", w.one(partitions...)})
		settings = w.choose(settings, 3, tableSettings, "require_partition_filter")
	}
	return settings
}

func (w *caseWriter) overwriting(settings []setting) []setting {
	by := w.one(partitions...)
	settings = append(settings, setting{"incremental_strategy", "'insert_overwrite'"})
	switch {
	case w.IntN(4) == 0 && strings.Contains(by, "'d'") && !strings.Contains(by, "month") && !strings.Contains(by, "year"):
		settings = append(settings, setting{"partitions", w.one(`["date '2026-11-20'", "date '2026-11-21'", "date '2026-11-22'", "date '2026-12-01'"]`, `["date '2026-11-21'"]`, `["date_add(date '2026-11-20', interval 1 day)"]`)})
	case w.IntN(6) == 0 && !strings.Contains(by, "int64"):
		by = strings.TrimSuffix(by, "}") + ", 'copy_partitions': true}"
	}
	settings = append(settings, setting{"partition_by", by})
	return w.choose(settings, 6, tableSettings, "require_partition_filter", "partition_expiration_days")
}

func (w *caseWriter) incrementalSQL(in string) string {
	columns := w.one("id, kind, n, word, d, ts", "id, kind, n, word, d, ts, amount, price, flag", "*", "d, ts, n, word, id, kind, [n] as numbers, struct(n as x, word as y) as s")
	if strings.Contains(columns, "[n]") || columns == "*" || w.IntN(2) == 0 {
		columns = strings.ReplaceAll(columns, "[n]", "[ifnull(n, 0)]")
	}
	sql := "select " + columns
	for _, change := range w.changes() {
		sql += "\n" + strings.ReplaceAll(change, "[n]", "[ifnull(n, 0)]")
	}
	sql += "\nfrom {{ ref('" + in + "') }}"
	switch w.IntN(4) {
	case 0:
		sql += "\n{% if is_incremental() %}where id > (select min(id) from {{ this }} where d is null or d is not null){% endif %}"
	case 1:
		sql += "\nwhere {% if is_incremental() %}n is not null{% else %}true{% endif %}"
	case 2:
		sql += w.one(" order by id", " where d = date '2026-11-21'", " where id <> 3")
	}
	return sql
}

// writeBatches adds a model of the strategy microbatch.
func (w *caseWriter) writeBatches() {
	in, name := w.name+"_in", w.name+"_m"
	w.model(in, []setting{{"materialized", w.one("'view'", "'table'")}, {"event_time", "'ts'"}}, "", fmt.Sprintf(
		"select timestamp_sub(timestamp_trunc(current_timestamp(), day), interval k * %d - 10 hour) as ts, k as id, k * {{ var('step') }} as n, date(timestamp_sub(timestamp_trunc(current_timestamp(), day), interval k * 20 - 10 hour)) as d from unnest([0, 1, 2, 3, 4, 5]) as k where mod(k + {{ var('step') }}, %d) > 0",
		7+w.IntN(20), 2+w.IntN(4)))
	size := w.one("day", "day", "month", "hour")
	begin := map[string]string{"day": "DAYS_AGO_" + w.one("2", "3", "4"), "month": "DAYS_AGO_40", "hour": "DAYS_AGO_1"}[size]
	by, event := "'field': 'ts', 'data_type': 'timestamp'", "'ts'"
	if size == "day" && w.IntN(2) == 0 {
		by, event = "'field': 'd', 'data_type': 'date'", "'d'"
	}
	settings := []setting{
		{"materialized", "'incremental'"}, {"incremental_strategy", "'microbatch'"}, {"event_time", event}, {"batch_size", "'" + size + "'"}, {"begin", "'" + begin + "'"},
		{"partition_by", "{" + by + ", 'granularity': '" + size + "'}"},
	}
	settings = w.choose(settings, 2, map[string][]string{"lookback": {"0", "1", "2"}, "on_schema_change": tableSettings["on_schema_change"]}, "lookback", "on_schema_change")
	settings = w.choose(settings, 5, tableSettings, "full_refresh", "labels", "cluster_by", "require_partition_filter")
	sql := "select ts, d, id, n, {{ is_incremental() }} as again" + w.one("", ", null as kind", ", 'k' as kind")
	if !strings.Contains(sql, "kind") {
		sql += ", 'x' as kind"
	}
	if w.IntN(3) == 0 {
		sql += "{% if var('step') >= 2 %}, 'x' as added{% endif %}"
	}
	w.model(name, settings, "", sql+" from {{ ref('"+in+"') }}"+w.one("", ".render()", "")+w.one("", " where id <> 2"))
	w.files["models/"+w.name+"/"+name+".sql"] = strings.Replace(w.files["models/"+w.name+"/"+name+".sql"], "') }}.render()", "').render() }}", 1)
}

// writeChain adds models that read each other, of all materializations.
func (w *caseWriter) writeChain() {
	names := []string{w.name + "_in"}
	w.input(names[0], 6, true, true)
	if w.IntN(2) == 0 { // of a source, which others fill
		raw := w.name + "_raw"
		w.of.onStart = append(w.of.onStart, "create or replace table {{ target.schema }}."+raw+" as select * from unnest(array<struct<id int64, kind string, n int64, d date>>[(1, 'a', {{ var('step') }}, null), ({{ var('step') }}, 'b', 2, date '2026-11-22')])"+
			w.one("", " where id < 3"))
		w.files["models/"+w.name+"/sources.yml"] = "sources: [{name: " + w.name + ", schema: \"{{ target.schema }}\", tables: [{name: t, identifier: " + raw + ", columns: [{name: id, data_tests: [{not_null: {config: {severity: warn}}}]}]}]}]\n"
		w.model(w.name+"_of_source", []setting{{"materialized", w.one("'view'", "'table'", "'incremental'")}}, "", "select id, kind, n, d from {{ source('"+w.name+"', 't') }}")
		names = append(names, w.name+"_of_source")
	}
	for i := range 3 + w.IntN(4) {
		name := fmt.Sprintf("%s_%c", w.name, 'a'+i)
		kinds := []string{"'view'", "'table'", "'ephemeral'", "'table'", "'view'", "('table' if var('step') == 2 else 'view')", "('view' if var('step') > 2 else 'table')", "('ephemeral' if var('step') == 2 else 'table')", "('incremental' if var('step') == 3 else 'view')"}
		settings := []setting{{"materialized", w.one(kinds...)}}
		settings = w.choose(settings, 6, map[string][]string{"alias": {"'" + name + "_other'", "'" + name + "_Alias'"}, "enabled": {"true", "(var('step') > 0)"}, "persist_docs": tableSettings["persist_docs"],
			"labels": tableSettings["labels"], "cluster_by": tableSettings["cluster_by"], "hours_to_expiration": {"24"}, "grants": tableSettings["grants"],
			"partition_by": {"{'field': 'id', 'data_type': 'int64', 'range': {'start': 0, 'end': 10, 'interval': 2}}", "({'field': 'd'} if var('step') == 2 else none)"}},
			"alias", "enabled", "persist_docs", "labels", "cluster_by", "hours_to_expiration", "partition_by")
		more := ""
		if w.IntN(3) == 0 {
			more = ", description: \"It's {{ doc('" + w.name + "_doc') }}\", columns: [{name: id, description: the id}, {name: KIND, description: no column}]"
			w.files["models/"+w.name+"/docs.md"] = "{% docs " + w.name + "_doc %}of many *lines*\n\n- one{% enddocs %}\n"
		}
		w.model(name, settings, more, w.chainSQL(names))
		names = append(names, name)
	}
}

func (w *caseWriter) chainSQL(names []string) string {
	from := func() string { return "{{ ref('" + w.one(names[max(0, len(names)-3):]...) + "') }}" }
	return w.one(
		"select * from "+from(),
		"select id, kind, n, d from "+from()+" where n > 0",
		"select kind, count(*) as id, sum(n) as n, max(d) as d from "+from()+" group by kind",
		"select id, kind, n, d from "+from()+"\nunion all\nselect id, kind, n, d from "+from(),
		"with x as (\n  select id, max(n) as n from "+from()+" group by id\n)\nselect x.id, 'k' as kind, x.n, y.d from x left join "+from()+" as y on x.id = y.id and y.n > 0",
		"select id, kind, n, d, row_number() over (partition by kind order by id, n, d) as place from (select id, kind, n, d from "+from()+")",
		"{% set kinds = ['a', 'b'] %}select id, any_value(kind) as kind, {% for k in kinds %}countif(kind = '{{ k }}') as n_{{ k }}, {% endfor %} max(n) as n, min(d) as d from "+from()+" group by id",
		"{% set rows = run_query('select 1 as one union all select 2') if execute else [] %}select id, kind, n + {{ rows | length }} as n, d from "+from(),
		"select id, kind, {{ var('step') }} as n, d from "+from()+" -- a comment",
		"select distinct id, kind, n, d, {{ dbt.concat([\"kind\", \"'x'\"]) }} as word from "+from(),
	)
}

// writeHooked adds models with hooks that write what they see.
func (w *caseWriter) writeHooked() {
	audit := "{{ target.schema }}." + w.name + "_audit"
	w.of.onStart = append(w.of.onStart, "create table if not exists "+audit+" (what string, n int64)")
	in := w.name + "_in"
	w.input(in, 5, false, true)
	w.files["models/"+w.name+"/"+in+".sql"] = strings.Replace(w.files["models/"+w.name+"/"+in+".sql"], "'ephemeral'", "'table'", 1) // hooks read it
	hook := func(what string) string {
		return w.one(
			`"insert into `+audit+` values ('`+what+` {{ this.name }}', {{ var('step') }})"`,
			`["insert into `+audit+` select '`+what+` of {{ this }}', count(*) from {{ ref('`+in+`') }}", "insert into `+audit+` values ('second', 2)"]`,
			`{'sql': "insert into `+audit+` values ('`+what+` outside', 0)", 'transaction': false}`,
			`"{% if is_incremental() %}insert into `+audit+` select '`+what+` again', count(*) from {{ this }}{% endif %}"`)
	}
	own := func() string {
		return w.one(`"update {{ this }} set n = ifnull(n, 0) + 1 where true"`, `"delete from {{ this }} where id = 1"`,
			`"insert into {{ this }} (id, kind, n) values (100 + {{ var('step') }}, 'hook', 0)"`, `"insert into `+audit+` select 'sum', sum(n) from {{ this }}"`)
	}
	w.settings["models"] = `{+tags: ` + w.name + `, +post-hook: "insert into ` + audit + ` values ('{{ this.name }} of all', 0)"}`
	for _, kind := range []string{"'table'", "'incremental'", w.one("'view'", "'incremental'")}[:1+w.IntN(3)] {
		name := fmt.Sprintf("%s_%s", w.name, string(rune('a'+len(w.models))))
		settings := []setting{{"materialized", kind}}
		if w.IntN(3) > 0 {
			settings = append(settings, setting{"pre_hook", hook("pre")})
		}
		switch {
		case w.IntN(3) == 0:
			settings = append(settings, setting{"post_hook", hook("post")})
		case kind != "'view'":
			settings = append(settings, setting{"post_hook", own()})
		}
		if kind == "'incremental'" {
			settings = w.merging(settings)
			settings = w.choose(settings, 3, tableSettings, "on_schema_change")
		}
		more := ""
		if w.IntN(3) == 0 {
			more = `, config: {post_hook: "insert into ` + audit + ` select 'yml', {{ 1 + 1 }}"}`
		}
		head := w.place("models", name, settings, "")
		if _, taken := w.files["models/"+w.name+"/"+name+".yml"]; more != "" && !taken {
			w.files["models/"+w.name+"/"+name+".yml"] = "models:\n- {name: " + name + more + "}\n"
		}
		w.files["models/"+w.name+"/"+name+".sql"] = head + "select id, kind, n, d from {{ ref('" + w.one(w.models...) + "') }}\n"
		w.models = append(w.models, name)
	}
}

// writeFailing adds a model that fails at a step, and others below it.
func (w *caseWriter) writeFailing() {
	in, failing, below := w.name+"_in", w.name+"_failing", w.name+"_below"
	w.input(in, 5, false, true)
	fault := w.one("1 / (id - id)", "error('no')", "nothing", "parse_date('%Y', 'x')", "{{ 1 if var('step') != STEP else exceptions.raise_compiler_error('no') }}", "cast('x' as int64)")
	step := fmt.Sprint(1 + w.IntN(w.steps))
	settings := []setting{{"materialized", w.one("'table'", "'incremental'", "'table'")}}
	if strings.Contains(settings[0].value, "incremental") {
		settings = w.choose(settings, 2, tableSettings, "unique_key", "on_schema_change")
	}
	w.model(failing, settings, w.one("", ", columns: [{name: id, data_tests: [not_null]}]"),
		"select id, kind, n, d, {% if var('step') == "+step+" %}"+strings.ReplaceAll(fault, "STEP", step)+"{% else %}1{% endif %} as x from {{ ref('"+in+"') }}")
	w.model(w.name+"_beside", []setting{{"materialized", "'table'"}}, "", "select id, {{ var('step') }} as step from {{ ref('"+in+"') }}")
	w.model(below, []setting{{"materialized", w.one("'view'", "'table'", "'incremental'", "'ephemeral'")}}, ", columns: [{name: id, data_tests: [{not_null: {config: {severity: warn}}}]}]", "select id, n from {{ ref('"+failing+"') }}")
	w.model(below+"_too", []setting{{"materialized", w.one("'view'", "'table'")}}, "", "select id, n from {{ ref('"+below+"') }}")
}
