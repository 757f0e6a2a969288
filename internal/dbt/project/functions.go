package project

import (
	"cmp"
	"crypto/md5" // dbt's local_md5
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

var errDisabled = errors.New("it is disabled")

// A rendering is what dbt's functions know while one file is rendered.
type rendering struct {
	project     *Project
	in          *pkg // of the resource; nil knows variables of the command line only
	compilation Compilation
	model       *Model // nil for a test
	file        string
	config      map[string]any
	called      map[string]any // what the calls of config came to
	dicts       []orderedSetting
	reads       []string
	macros      []string               // ids of those that were found
	ephemeral   []*Model               // read, in the order of first use
	extra       map[string]jinja.Value // further names
	ofTest      bool                   // a test, which is not there when what it reads is disabled
	ymlOnly     bool                   // a value of a yml file: it knows variables only
	asked       bool

	asksIncremental bool                   // is_incremental was called
	results         map[string]jinja.Value // of statements, by name
}

// executes is dbt's execute: false while a model is only parsed.
func (r *rendering) executes() bool { return r.compilation.Query != nil || r.compilation.Execute }

// functions are the names that work in every file, besides those that depend
// on the moment; all that dbt-core knows are in support.txt.
var functions map[string]func(*rendering, *jinja.Arguments) (jinja.Value, error)

func init() { // not above: they find each other by it
	functions = map[string]func(*rendering, *jinja.Arguments) (jinja.Value, error){
		"ref":     (*rendering).ref,
		"source":  (*rendering).source,
		"var":     (*rendering).variable,
		"env_var": (*rendering).environment,
		"is_incremental": func(r *rendering, a *jinja.Arguments) (jinja.Value, error) {
			r.asksIncremental = true
			return r.compilation.Incremental, a.Take(0, nil)
		},
		"should_store_failures": func(r *rendering, a *jinja.Arguments) (jinja.Value, error) {
			return r.compilation.StoreFailures, a.Take(0, nil)
		},
		"run_query":            (*rendering).query,
		"statement":            (*rendering).statement,
		"load_result":          (*rendering).loadResult,
		"load_relation":        (*rendering).loadRelation,
		"load_cached_relation": (*rendering).loadRelation,
		"set":                  newSet,
		"log":                  silent,
		"print":                silent,
		"return":               func(_ *rendering, a *jinja.Arguments) (jinja.Value, error) { return jinja.Return(a) },
		"tojson":               toJSON,
		"fromjson":             fromJSON,
		"zip":                  zip,
		"local_md5":            localMD5,

		"before_begin":   hookText(false),
		"after_commit":   hookText(false),
		"in_transaction": hookText(true),
	}
}

// lookup finds a name of dbt's context, and refuses those that it has and this
// package does not. A macro of the resource's package wins over one of the
// project, and that over what dbt has.
func (r *rendering) lookup(name string) (v jinja.Value, found bool, err error) {
	if v, ok := r.extra[name]; ok {
		return v, true, nil
	}
	if value, ok := r.compilation.Macros[name]; ok && !r.ymlOnly {
		return overridden(value), true, nil
	}
	if !r.ymlOnly {
		for _, of := range []*pkg{r.in, r.project.packages[0]} {
			if v, err := r.macroIn(of, name); v != nil || err != nil {
				return v, err == nil, err
			}
		}
	}
	if f, ok := functions[name]; ok {
		return jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) { return f(r, a) }), true, nil
	}
	if v, ok := r.object(name); ok {
		return v, true, nil
	}
	if of := r.project.named(name); of != nil && !r.ymlOnly {
		return &packageOf{r, of}, true, nil
	}
	if v := r.dbtMacro(name); v != nil && !r.ymlOnly {
		return v, true, nil
	}
	for _, place := range []string{"name", "macro"} {
		if s := supportOf(place, name); s.status == refused {
			return nil, false, fmt.Errorf("%s is not supported: %s", name, s.note)
		}
	}
	return nil, false, nil
}

// macroIn is a macro of a package; nil for none.
func (r *rendering) macroIn(of *pkg, name string) (jinja.Value, error) {
	if of == nil {
		return nil, nil
	}
	if err := of.broken[name]; err != nil {
		return nil, fmt.Errorf("the macro %s of the package %s cannot be used: %w", name, of.name, err)
	}
	if d, ok := of.macros[name]; ok {
		r.noteMacro(of, name)
		return d.Macro(r.lookup), nil
	}
	return nil, nil
}

// noteMacro notes that what is rendered depends on a macro.
func (r *rendering) noteMacro(of *pkg, name string) {
	if id := "macro." + of.name + "." + name; !slices.Contains(r.macros, id) {
		r.macros = append(r.macros, id)
	}
}

// object is a name of dbt's that is no function.
func (r *rendering) object(name string) (jinja.Value, bool) {
	switch name {
	case "config":
		return &configObject{r}, true
	case "exceptions":
		return exceptions, true
	case "execute":
		return r.executes(), true
	case "project_name":
		return r.project.Name, true
	case "target":
		return targetOf(r.project.target), true
	case "database":
		return r.project.target.Project, true
	case "schema":
		return r.project.target.Dataset, true
	case "flags":
		return &refuser{"flags", map[string]jinja.Value{
			"FULL_REFRESH": r.compilation.FullRefresh, "WHICH": cmp.Or(r.compilation.Which, "build"), "EMPTY": false,
		}}, true
	case "adapter":
		return r.adapter(), true
	case "api":
		return api, true
	case "modules":
		return modules, true
	case "dbt":
		return &packageOf{r, nil}, true
	case "this":
		if r.model == nil {
			return nil, false
		}
		if r.compilation.Inputs != nil {
			if name, given := r.compilation.Inputs[r.model.ID]; given {
				return ParseRelation(name), true
			}
			return nil, true
		}
		return ParseRelation(cmp.Or(r.compilation.This, r.compilation.relation(r.project, r.model))), true
	case "model":
		if r.model == nil {
			return nil, false
		}
		return r.modelObject(), true
	}
	return nil, false
}

// overridden is a macro that always gives the same.
func overridden(value any) jinja.Value {
	return jinja.Func(func(*jinja.Arguments) (jinja.Value, error) { return jinja.ValueOf(value), nil })
}

func silent(_ *rendering, _ *jinja.Arguments) (jinja.Value, error) { return "", nil }

func (r *rendering) ref(a *jinja.Arguments) (jinja.Value, error) {
	for _, key := range a.Named.Keys() {
		if key == "v" || key == "version" {
			return nil, errors.New("versions of models are not supported: refer to a model by its name")
		}
	}
	names, err := words(a, 1, 2)
	if err != nil {
		return nil, err
	}
	name := names[len(names)-1]
	model := r.project.models[name]
	if model == nil || len(names) == 2 && names[0] != model.Package {
		return r.unreadable(fmt.Errorf("there is no model %q", strings.Join(names, ".")))
	}
	if r.ofTest && !model.Config.Enabled {
		return nil, errDisabled
	}
	r.note(model.ID)
	if v, err := r.input(model.ID, "ref('"+name+"')"); v != nil || err != nil {
		return v, err
	}
	if model.Config.Materialized == Ephemeral {
		if !slices.Contains(r.ephemeral, model) {
			r.ephemeral = append(r.ephemeral, model)
		}
		return &Relation{Identifier: cteOf(model), text: cteOf(model)}, nil
	}
	return r.inBatch(ParseRelation(r.compilation.Read(r.project, model)), model.Config.EventTime, model.Columns), nil
}

// An unreadable input is what ref or source cannot find.
type unreadable struct{ error }

func (r *rendering) unreadable(err error) (jinja.Value, error) {
	if r.compilation.lenient {
		return ParseRelation("unreadable"), nil
	}
	return nil, &unreadable{err}
}

func (r *rendering) note(id string) {
	if !slices.Contains(r.reads, id) {
		r.reads = append(r.reads, id)
	}
}

func (r *rendering) source(a *jinja.Arguments) (jinja.Value, error) {
	names, err := words(a, 2, 2)
	if err != nil {
		return nil, err
	}
	source := r.sourceNamed(names[0] + "." + names[1])
	if source == nil {
		return r.unreadable(fmt.Errorf("no yml file declares %s.%s", names[0], names[1]))
	}
	if !source.enabled && r.ofTest {
		return nil, errDisabled
	}
	if !source.enabled {
		return r.unreadable(fmt.Errorf("the source %s.%s is disabled", names[0], names[1]))
	}
	r.note(source.ID)
	if v, err := r.input(source.ID, "source('"+names[0]+"', '"+names[1]+"')"); v != nil || err != nil {
		return v, err
	}
	return r.inBatch(ParseRelation(source.Relation), source.eventTime, source.columns), nil
}

// sourceNamed finds a source in the resource's package, in the project, or in
// another package.
func (r *rendering) sourceNamed(name string) *Source {
	for _, of := range append([]*pkg{r.in}, r.project.packages...) {
		if source := r.project.sources[of.name+"."+name]; source != nil {
			return source
		}
	}
	return nil
}

func quote(a *jinja.Arguments) (jinja.Value, error) {
	names, err := words(a, 1, 1)
	if err != nil {
		return nil, err
	}
	return "`" + names[0] + "`", nil
}

func toJSON(_ *rendering, a *jinja.Arguments) (jinja.Value, error) {
	unset := &jinja.Undefined{}
	var value, fallback, sortKeys jinja.Value = nil, unset, false
	if err := a.Take(1, []string{"value", "default", "sort_keys"}, &value, &fallback, &sortKeys); err != nil {
		return nil, err
	}
	text, err := jinja.JSON(value, jinja.Truth(sortKeys))
	if err != nil && fallback != jinja.Value(unset) {
		return fallback, nil
	}
	return text, err
}

func fromJSON(_ *rendering, a *jinja.Arguments) (jinja.Value, error) {
	var text, fallback jinja.Value
	if err := a.Take(1, []string{"string", "default"}, &text, &fallback); err != nil {
		return nil, err
	}
	source, ok := text.(string)
	if !ok {
		return nil, errors.New("takes a string")
	}
	if value, err := jinja.FromJSON(source); err == nil {
		return value, nil
	}
	return fallback, nil // dbt's, be it none
}

// zip pairs the items of lists, up to the end of the shortest.
func zip(_ *rendering, a *jinja.Arguments) (jinja.Value, error) {
	if a.Named.Len() > 0 {
		return nil, errors.New("a default is not supported")
	}
	out := jinja.NewList()
	for i := 0; len(a.Positional) > 0; i++ {
		row := &jinja.Tuple{}
		for _, list := range a.Positional {
			items, err := jinja.Items(list)
			if err != nil {
				return nil, err
			}
			if i >= len(items) {
				return jinja.Once(out.Items), nil
			}
			row.Items = append(row.Items, items[i])
		}
		out.Items = append(out.Items, row)
	}
	return jinja.Once(nil), nil
}

func localMD5(_ *rendering, a *jinja.Arguments) (jinja.Value, error) {
	texts, err := words(a, 1, 1)
	if err != nil {
		return nil, err
	}
	sum := md5.Sum([]byte(texts[0]))
	return hex.EncodeToString(sum[:]), nil
}

// query answers run_query with a table: rows, each with its columns by name.
func (r *rendering) query(a *jinja.Arguments) (jinja.Value, error) {
	queries, err := words(a, 1, 1)
	if err != nil {
		return nil, err
	}
	if r.compilation.Query == nil && !r.compilation.Execute {
		return nil, errors.New("guard it with is_incremental() or execute")
	}
	rows, err := r.ask(strings.TrimSpace(queries[0]))
	if err != nil {
		return nil, err
	}
	return newTable(rows), nil
}

// ask sends a query to the warehouse.
func (r *rendering) ask(sql string) ([]map[string]any, error) {
	r.asked = true
	if r.compilation.Query == nil {
		return nil, ErrNeedsWarehouse
	}
	return r.compilation.Query(sql)
}

// ErrNeedsWarehouse says that a model asks the warehouse while it is compiled
// without one.
var ErrNeedsWarehouse = errors.New("it asks the warehouse, and this command works without one")

// words are a function's arguments, all of them strings and none named.
func words(a *jinja.Arguments, least, most int) ([]string, error) {
	if a.Named.Len() > 0 || len(a.Positional) < least || len(a.Positional) > most {
		return nil, errors.New("it is called with arguments that are not supported")
	}
	var out []string
	for _, argument := range a.Positional {
		text, ok := argument.(string)
		if !ok {
			shown, err := jinja.Text(argument)
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("it takes strings, not %s", shown)
		}
		out = append(out, text)
	}
	return out, nil
}
