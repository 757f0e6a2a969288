package project

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

//go:embed macros.sql
var macrosText string

// dbtMacros are those that dbt has for BigQuery, by name.
var dbtMacros = sync.OnceValue(func() map[string]jinja.Definition {
	parsed, err := jinja.Parse("dbt", macrosText, 1)
	must(err)
	found := map[string]jinja.Definition{}
	for _, d := range parsed.Definitions() {
		found[d.Name] = d
	}
	return found
})

// prefixes are those of the macros that adapter.dispatch finds, the first wins.
var prefixes = []string{"bigquery__", "default__"}

// dbtMacro is a macro that dbt has; nil for one that is not known here.
func (r *rendering) dbtMacro(name string) jinja.Value {
	macros := dbtMacros()
	if d, ok := macros[name]; ok {
		return d.Macro(r.lookup)
	}
	for _, prefix := range prefixes {
		if _, ok := macros[prefix+name]; ok {
			return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
				macro, err := r.dispatched(name, "dbt")
				if err != nil {
					return nil, err
				}
				return macro.Call(a)
			})
		}
	}
	if f, ok := functions[name]; ok && supportOf("macro", name).status != "" {
		return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return f(r, a) })
	}
	return nil
}

// adapter is dbt's variable of that name.
func (r *rendering) adapter() jinja.Value {
	return &refuser{"adapter", map[string]jinja.Value{
		"dispatch": jinja.Func(r.dispatch), "quote": jinja.Func(quote),
		"type":                    jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return "bigquery", a.Take(0, nil) }),
		"get_columns_in_relation": jinja.Func(r.columnsOf),
		"get_relation":            jinja.Func(r.getRelation),
	}}
}

// dispatch is adapter.dispatch: the macro that is meant for BigQuery, or the
// one for all warehouses, of the first package that has one.
func (r *rendering) dispatch(a *jinja.Arguments) (jinja.Value, error) {
	var name, namespace jinja.Value
	if err := a.Take(1, []string{"macro_name", "macro_namespace"}, &name, &namespace); err != nil {
		return nil, err
	}
	text, ok := name.(string)
	within, isText := namespace.(string)
	if !ok || namespace != nil && !isText {
		return nil, errors.New("the names of a macro and of a package are strings")
	}
	if strings.Contains(text, ".") {
		return nil, fmt.Errorf("%q is not the name of a macro: write the package as the second argument", text)
	}
	return r.dispatched(text, within)
}

func (r *rendering) dispatched(name, namespace string) (jinja.Callable, error) {
	root := r.project.packages[0]
	order := root.settings.dispatch[namespace]
	if len(order) == 0 && (namespace == "dbt" || namespace == "dbt_bigquery" || r.project.named(namespace) != nil) {
		order = []string{root.name, namespace}
	}
	if len(order) == 0 {
		order = []string{""} // wherever a bare name is found
	}
	for _, within := range order {
		for _, prefix := range prefixes {
			v, err := r.macroOf(within, prefix+name)
			if err != nil {
				return nil, err
			}
			if callable, ok := v.(jinja.Callable); ok {
				return callable, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no macro bigquery__%s or default__%s", name, name)
}

// macroOf is a macro of a package; "" is wherever a bare name is found.
func (r *rendering) macroOf(within, name string) (jinja.Value, error) {
	switch within {
	case "":
		for _, of := range []*pkg{r.in, r.project.packages[0]} {
			if v, err := r.macroIn(of, name); v != nil || err != nil {
				return v, err
			}
		}
		fallthrough
	case "dbt", "dbt_bigquery":
		if d, ok := dbtMacros()[name]; ok {
			return d.Macro(r.lookup), nil
		}
		return nil, nil
	}
	return r.macroIn(r.project.named(within), name)
}

// statement is dbt's block of that name: it keeps the rows of a query for
// load_result. While a model is only parsed it does nothing.
func (r *rendering) statement(a *jinja.Arguments) (jinja.Value, error) {
	var name, fetches, begins, language, caller jinja.Value = nil, false, true, "sql", nil
	if err := a.Take(0, []string{"name", "fetch_result", "auto_begin", "language", "caller"}, &name, &fetches, &begins, &language, &caller); err != nil {
		return nil, err
	}
	body, ok := caller.(jinja.Callable)
	switch {
	case !r.executes():
		return "", nil
	case !ok || language != "sql" || !jinja.Truth(fetches):
		return nil, errors.New("a statement that does not fetch rows is not supported: put it into a model")
	}
	text, err := body.Call(&jinja.Arguments{Named: jinja.NewDict()})
	if err != nil {
		return nil, err
	}
	sql, err := jinja.Text(text)
	if err != nil {
		return nil, err
	}
	rows, err := r.ask(strings.TrimSpace(sql))
	if err != nil {
		return nil, err
	}
	if key, ok := name.(string); ok {
		if r.results == nil {
			r.results = map[string]jinja.Value{}
		}
		found, result := newTable(rows), jinja.NewDict()
		must(result.Set("table", found))
		must(result.Set("data", jinja.NewList(found.rows...)))
		r.results[key] = result
	}
	return "", nil
}

// loadResult is dbt's function of that name: a result can be taken once.
func (r *rendering) loadResult(a *jinja.Arguments) (jinja.Value, error) {
	names, err := words(a, 1, 1)
	if err != nil {
		return nil, err
	}
	result, stored := r.results[names[0]]
	if stored && result == nil {
		return nil, fmt.Errorf("the result of the statement %q was loaded before: keep it in a variable", names[0])
	}
	if stored {
		r.results[names[0]] = nil
	}
	return result, nil
}

// columnsOf are the columns of a table or view, in their order; none while a
// model is only parsed, as in dbt.
func (r *rendering) columnsOf(a *jinja.Arguments) (jinja.Value, error) {
	var of jinja.Value
	if err := a.Take(1, []string{"relation"}, &of); err != nil {
		return nil, err
	}
	if !r.executes() {
		return jinja.NewList(), nil
	}
	at, ok := of.(*Relation)
	if !ok || at.isEphemeral() {
		return nil, errors.New("it takes the relation of a table or view")
	}
	rows, err := r.ask(fmt.Sprintf("select column_name, data_type from `%s`.`%s`.INFORMATION_SCHEMA.COLUMNS where table_name = '%s' order by ordinal_position",
		at.Database, at.Schema, at.Identifier))
	if err != nil {
		return nil, err
	}
	list := jinja.NewList()
	for _, row := range rows {
		name, _ := row["column_name"].(string)
		kind, _ := row["data_type"].(string)
		column, err := columnOf(name, kind)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, column)
	}
	return list, nil
}

// getRelation is adapter.get_relation: none where there is no such table, and
// while a model is only parsed.
func (r *rendering) getRelation(a *jinja.Arguments) (jinja.Value, error) {
	var database, schema, identifier jinja.Value
	if err := a.Take(3, []string{"database", "schema", "identifier"}, &database, &schema, &identifier); err != nil {
		return nil, err
	}
	parts, err := words(&jinja.Arguments{Positional: []jinja.Value{database, schema, identifier}, Named: jinja.NewDict()}, 3, 3)
	if err != nil {
		return nil, err
	}
	return r.existing(ParseRelation(relation(parts[0], parts[1], parts[2])))
}

func (r *rendering) loadRelation(a *jinja.Arguments) (jinja.Value, error) {
	var of jinja.Value
	if err := a.Take(1, []string{"relation"}, &of); err != nil {
		return nil, err
	}
	at, ok := of.(*Relation)
	if !ok || at.isEphemeral() {
		return nil, errors.New("it takes the relation of a table or view")
	}
	return r.existing(at)
}

func (r *rendering) existing(at *Relation) (jinja.Value, error) {
	if !r.executes() {
		return nil, nil
	}
	rows, err := r.ask(fmt.Sprintf("select table_name from `%s`.`%s`.INFORMATION_SCHEMA.TABLES where table_name = '%s'", at.Database, at.Schema, at.Identifier))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return at, nil
}

// A valueSet is what set() gives: it can be compared and gone through.
type valueSet struct{ values *jinja.Dict }

// newSet is dbt's function set, without its fallback.
func newSet(_ *rendering, a *jinja.Arguments) (jinja.Value, error) {
	var of jinja.Value
	if err := a.Take(1, []string{"value"}, &of); err != nil {
		return nil, err
	}
	items, err := jinja.Items(of)
	if err != nil {
		return nil, err
	}
	set := &valueSet{jinja.NewDict()}
	for _, item := range items {
		if err := set.values.Set(item, true); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// Len is the number of values.
func (s *valueSet) Len() int { return s.values.Len() }

// Same compares two sets.
func (s *valueSet) Same(other jinja.Value) bool {
	o, ok := other.(*valueSet)
	return ok && jinja.Equal(s.values, o.values)
}

// Attribute is none.
func (s *valueSet) Attribute(string) (jinja.Value, bool) { return nil, false }

// Refuse says what a set is for.
func (s *valueSet) Refuse(name string) error {
	return fmt.Errorf("%s of a set is not supported: sets can be compared only, as their order differs from run to run", name)
}
