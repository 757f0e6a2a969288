package warehouse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestProperties_OfOrder compares the values of each type that has an order
// with each other, and holds what goes by order and equality without OVER to
// their places.
func TestProperties_OfOrder(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	random := rand.New(rand.NewPCG(9, 10))
	for _, typ := range orderedTypes {
		t.Run(typ.name, func(t *testing.T) {
			list := make([]string, 0, len(typ.values))
			for _, i := range random.Perm(len(typ.values)) {
				list = append(list, fmt.Sprintf("struct(%d as i, %s as v)", i, typ.values[i]))
			}
			table := "s." + typ.name + "_values"
			run(t, client, "create table "+table+" as select i, v from unnest(["+strings.Join(list, ", ")+"])")
			var arrays []string
			for _, statement := range byOrder {
				arrays = append(arrays, "array("+strings.ReplaceAll(statement.sql, "TABLE", table)+")")
			}
			answers := run(t, client, "select "+strings.Join(arrays, ", "))[0]
			for i, statement := range byOrder {
				if got, want := show(answers[i]), fmt.Sprint(places(statement.want, len(typ.values))); strings.ReplaceAll(got, ",", "") != want {
					t.Errorf("%s: %v, want %v", arrays[i], got, want)
				}
			}
		})
	}
}

// byOrder are queries of a table of a type's values, each with its place, and
// the places that they find.
var byOrder = []struct{ sql, want string }{
	{"select i from TABLE order by v", "up"},
	{"select i from TABLE order by v desc", "down"},
	{"select i from (select * from TABLE union all select * from TABLE) group by i, v order by max(v)", "up"},
	{"select a.i from TABLE a join TABLE b on a.v >= b.v group by a.i order by count(*)", "up"},
	{"select a.i from TABLE a join TABLE b on a.v < b.v or a.v = b.v group by a.i order by count(*) desc", "up"},
	{"select a.i from TABLE a, TABLE b where greatest(a.v, b.v) = a.v group by a.i order by count(*)", "up"},
	{"select a.i from TABLE a, TABLE b where least(a.v, b.v) = b.v group by a.i order by count(*)", "up"},
	{"select a.i from TABLE a, TABLE b where a.v between b.v and a.v group by a.i order by count(*)", "up"},
	{"select i from TABLE, unnest(array(select v from TABLE order by v)) v2 with offset o where v = v2 order by o", "up"},
	{"select i from TABLE, unnest((select array_agg(v order by v desc) from TABLE)) v2 with offset o where v = v2 order by o", "down"},
	{"select a.i from TABLE a join TABLE b using (v) order by v", "up"},
	{"select i from TABLE where v in (select v from TABLE) order by i", "up"},
	{"select i from TABLE where v not in (select v from TABLE where i != 0)", "first"},
	{"select i from TABLE where v = (select min(v) from TABLE)", "first"},
	{"select i from TABLE where v = (select max(v) from TABLE)", "last"},
	{"select max_by(i, v) from TABLE", "last"},
	{"select min_by(i, v) from TABLE", "first"},
	{"select i from TABLE where v = (select approx_quantiles(v, 1)[offset(0)] from TABLE)", "first"},
	{"select i from TABLE where v = (select approx_quantiles(v, 1)[offset(1)] from TABLE)", "last"},
	{"select count(distinct v) - 1 from (select * from TABLE union all select * from TABLE)", "last"},
	{"select count(*) - 1 from (select distinct v from (select * from TABLE union all select * from TABLE))", "last"},
	{"select count(*) - 1 from (select v from TABLE union distinct select v from TABLE)", "last"},
	{"select count(*) - 1 from (select v from TABLE intersect distinct select v from TABLE)", "last"},
	{"select count(*) from (select v from TABLE except distinct select v from TABLE)", "first"},
	{"select count(distinct v) - 1 from (select * from TABLE union all select * from TABLE)", "last"},
	{"select count(*) - 1 from (select v from (select * from TABLE union all select * from TABLE) group by v)", "last"},
	{"select i from TABLE order by v limit 1", "first"},
	{"select count(*) - 1 from TABLE group by v is null", "last"},
}

// places are those of all values in order, or of one.
func places(which string, n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i)
	}
	switch which {
	case "first":
		return all[:1]
	case "last":
		return all[n-1:]
	case "down":
		slices.Reverse(all)
	}
	return all
}
