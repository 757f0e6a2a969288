package warehouse

import (
	"strings"
	"testing"

	bigquery "google.golang.org/api/bigquery/v2"
)

// One marks where an array and its only element take the place of a subquery: ‹(select 1)›.
func TestStrict_WritesSubqueriesAndNames(t *testing.T) {
	for _, sql := range []string{
		"select ‹(select n from d.t)› from d.u",
		"select 1 + ‹(select n from d.t where n = ‹(select m from d.u)›)›",
		"select f(a, ‹(select n from d.t)›), [‹(select n from d.t)›] from d.u where n > ‹(select n from d.t)› and not ‹(select b from d.t)›",
		"select (select max(n) from d.t), (select count(*) + 1 from d.t), (select 1), (select n from d.t order by n limit 1)",
		"select ‹(select n from d.t group by n)›, ‹(select max(n) over () from d.t)›, ‹(select 1 union all select 2)›",
		"select array(select n from d.t), exists (select n from d.t), n in (select n from d.t) from (select n from d.t) join (select m from d.u) on n = m",
		"with a as (select n from d.t), b as (select n from a) select * from a, b, unnest([1]) join (a join b using (n)) using (n)",
		"(select n from d.t) union all (select n from d.t) union distinct (select n from d.t)",
		"select distinct ‹(select n from d.t)› from d.t t2, t2.list as one where a is distinct from ‹(select n from d.t)›",
		"select extract(day from x), substr(a, ‹(select n from d.t)›) from d.t",
		"insert into d.t (n) (select n from d.u)",
		"insert into d.t (n) values (‹(select n from d.u)›)",
		"update d.t set n = ‹(select n from d.u)› where n in (select n from d.u)",
		"merge into d.t t using (select n from d.u) u on t.n = u.n when matched then update set n = ‹(select n from d.v)›",
		"create view d.v as (select n from d.t)",
		"create temp function f() as (‹(select n from d.t)›)",
		"create temp table t as select 1 as n; select n from t",
		"select n from d.t left join unnest(list) as x with offset as o° where x is null",
		"select n from d.t left join unnest(list) x on true join d.u using (n)",
		"select n from d.t left join unnest(list)° where n is null", "select n from d.t left join unnest(list) as set° where n is null",
		"select n from `d.t`, `p.d.t` t3, d.f(1)",
	} {
		replaced := strings.NewReplacer("‹", "ARRAY", "›", onlyElement, "°", " ON TRUE")
		plain := strings.NewReplacer("‹", "", "›", "", "°", "")
		got, fault := strict(query{SQL: plain.Replace(sql)})
		if want := replaced.Replace(sql); fault != nil || got != want {
			t.Errorf("%s:\ngot  %s (%v)\nwant %s", sql, got, fault, want)
		}
	}
}

func TestStrict_LooksForTablesInTheDefaultDatasetAlone(t *testing.T) {
	for _, sql := range []string{
		"select 1 from °t", "select 1 from °t as a join °u on true", "select 1 from d.t, °u", "with a as (select 1 from °t) select * from a",
		"select (select max(n) from °t)", "insert °t values (1)", "insert into °t (n) values (1)", "update °t set n = 1 where true",
		"delete from °t where true", "delete °t where true", "merge °t using °`u` on false when not matched then insert row",
		"truncate table °t", "create view d.v as select 1 from °t",
	} {
		text := strings.ReplaceAll(sql, "°", "")
		if got, fault := strict(query{SQL: text}); fault == nil || !strings.Contains(fault.message, "must be qualified with a dataset") {
			t.Errorf("%s: got %s, %v", text, got, fault)
		}
		q := query{SQL: text, DefaultDataset: &bigquery.DatasetReference{DatasetId: "e"}}
		if got, fault := strict(q); fault != nil || got != strings.ReplaceAll(sql, "°", "`e`.") {
			t.Errorf("%s: got %s, %v", text, got, fault)
		}
	}
}
