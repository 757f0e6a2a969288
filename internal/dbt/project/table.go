package project

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A table is what run_query gives. The warehouse's answer does not tell the
// order of columns, so they are found by name, or where there is only one.
type table struct {
	rows    []jinja.Value
	columns []string
}

func newTable(rows []map[string]any) *table {
	t := &table{}
	for _, row := range rows {
		t.rows = append(t.rows, &record{t, row})
	}
	if len(rows) > 0 {
		t.columns = slices.Sorted(maps.Keys(rows[0]))
	}
	return t
}

// Items are the rows.
func (t *table) Items() []jinja.Value { return t.rows }

// Len is their number.
func (t *table) Len() int { return len(t.rows) }

// Attribute is rows or columns.
func (t *table) Attribute(name string) (jinja.Value, bool) {
	switch name {
	case "rows":
		return jinja.NewList(t.rows...), true
	case "columns":
		return &columns{t}, true
	}
	return nil, false
}

// Refuse names what is not known.
func (t *table) Refuse(name string) error {
	return fmt.Errorf("%s of an answer is not supported: it has rows and columns", name)
}

// A record is a row; its columns are found by name.
type record struct {
	of     *table
	values map[string]any
}

// Attribute is a column's value.
func (r *record) Attribute(name string) (jinja.Value, bool) {
	v, ok := r.values[name]
	return jinja.ValueOf(v), ok
}

// Item is a column's value by its number, where there is one only.
func (r *record) Item(at jinja.Value) (jinja.Value, bool) {
	if at == jinja.Value(int64(0)) && len(r.of.columns) == 1 {
		return jinja.ValueOf(r.values[r.of.columns[0]]), true
	}
	return nil, false
}

// columns are those of a table.
type columns struct{ of *table }

// Attribute is a column by its name.
func (c *columns) Attribute(name string) (jinja.Value, bool) {
	if !slices.Contains(c.of.columns, name) {
		return nil, false
	}
	return &column{c.of, name}, true
}

// Item is the only column.
func (c *columns) Item(at jinja.Value) (jinja.Value, bool) {
	if at == jinja.Value(int64(0)) && len(c.of.columns) == 1 {
		return &column{c.of, c.of.columns[0]}, true
	}
	return nil, false
}

// A column has the values of all rows.
type column struct {
	of   *table
	name string
}

// Items are the values.
func (c *column) Items() []jinja.Value {
	var items []jinja.Value
	for _, row := range c.of.rows {
		v, _ := row.(*record).Attribute(c.name)
		items = append(items, v)
	}
	return items
}

// Attribute is values() or name.
func (c *column) Attribute(name string) (jinja.Value, bool) {
	switch name {
	case "values":
		return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
			return &jinja.Tuple{Items: c.Items()}, a.Take(0, nil)
		}), true
	case "name":
		return c.name, true
	}
	return nil, false
}
