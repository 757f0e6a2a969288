package project

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// The objects of dbt's context. An attribute that they do not have here is an
// error.

// A refuser is a dict of dbt's of which some entries are known.
type refuser struct {
	name    string
	entries map[string]jinja.Value
}

// Attribute is one of the entries.
func (o *refuser) Attribute(name string) (jinja.Value, bool) {
	v, ok := o.entries[name]
	return v, ok
}

// Refuse names what is not known.
func (o *refuser) Refuse(name string) error {
	if s := supportOf(o.name, name); s.status == refused && s.note != "" {
		return fmt.Errorf("%s.%s is not supported: %s", o.name, name, s.note)
	}
	if o.name == "modules" {
		return fmt.Errorf("modules.%s is not supported: use current_timestamp() in the SQL, or a variable", name)
	}
	return fmt.Errorf("%s.%s is not supported", o.name, name)
}

// targetOf is the variable target.
func targetOf(t Target) jinja.Value {
	return &refuser{"target", map[string]jinja.Value{
		"project": t.Project, "database": t.Project, "dataset": t.Dataset, "schema": t.Dataset,
		"name": "prod", "target_name": "prod", "type": "bigquery",
	}}
}

var exceptions = &refuser{"exceptions", map[string]jinja.Value{
	"raise_compiler_error": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
		var message, node jinja.Value
		if err := a.Take(1, []string{"msg", "node"}, &message, &node); err != nil {
			return nil, err
		}
		text, err := jinja.Text(message)
		return nil, errors.Join(err, errors.New(text))
	}),
	"warn": jinja.Func(func(a *jinja.Arguments) (jinja.Value, error) {
		var message, node jinja.Value
		return "", a.Take(1, []string{"msg", "node"}, &message, &node)
	}),
}}

// packageOf is the macros of the project or a package, by its name; nil stands
// for dbt itself.
type packageOf struct {
	r  *rendering
	of *pkg
}

// Attribute is a macro.
func (p *packageOf) Attribute(name string) (jinja.Value, bool) {
	if p.of == nil {
		v := p.r.dbtMacro(name)
		return v, v != nil
	}
	if value, ok := p.r.compilation.Macros[p.of.name+"."+name]; ok {
		return overridden(value), true
	}
	v, err := p.r.macroIn(p.of, name)
	return v, v != nil && err == nil
}

// Refuse says that there is none.
func (p *packageOf) Refuse(name string) error {
	if p.of == nil {
		return fmt.Errorf("dbt.%s is not supported: write what it gives", name)
	}
	if _, err := p.r.macroIn(p.of, name); err != nil {
		return err
	}
	return fmt.Errorf("%s has no macro %s", p.of.name, name)
}

// configObject is config, which is called and asked.
type configObject struct{ r *rendering }

// Call takes config(...) with named arguments, or with one dict.
func (c *configObject) Call(a *jinja.Arguments) (jinja.Value, error) {
	given := a.Named
	switch {
	case len(a.Positional) == 1 && a.Named.Len() == 0:
		dict, ok := a.Positional[0].(*jinja.Dict)
		if !ok {
			return nil, errors.New("it takes named arguments or one dict")
		}
		given = dict
	case len(a.Positional) > 0:
		return nil, errors.New("it takes named arguments or one dict, not both")
	case given.Len() == 0:
		return nil, errors.New("it configures nothing, and dbt refuses that: leave the call out")
	}
	for _, key := range given.Keys() {
		name, ok := key.(string)
		if !ok {
			return nil, errors.New("the names of a config are strings")
		}
		value, _ := given.Get(key)
		plain, err := jinja.Go(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := c.r.checkConfig(name); err != nil {
			return nil, err
		}
		configure(c.r.config, name, plain)
		if c.r.called == nil {
			c.r.called = map[string]any{}
		}
		configure(c.r.called, name, plain)
		c.r.keepOrder(name, value)
	}
	return "", nil
}

// checkConfig refuses a key that is not supported, where it is written.
func (r *rendering) checkConfig(key string) error {
	place := "model config"
	switch {
	case r.model == nil:
		place = "test config"
	case r.model.Type == TypeSnapshot:
		place = "snapshot config"
	}
	return supported(place, strings.ReplaceAll(key, "-", "_"))
}

// Attribute is one of config's functions.
func (c *configObject) Attribute(name string) (jinja.Value, bool) {
	switch name {
	case "get":
		return jinja.Func(c.get), true
	case "require":
		return jinja.Func(c.require), true
	}
	return nil, false
}

// Refuse names what is not known.
func (c *configObject) Refuse(name string) error {
	return fmt.Errorf("config.%s is not supported: config has get and require", name)
}

// get answers with what is configured; while a model is only parsed dbt gives
// an empty text.
func (c *configObject) get(a *jinja.Arguments) (jinja.Value, error) {
	var name, fallback jinja.Value
	if err := a.Take(1, []string{"name", "default"}, &name, &fallback); err != nil {
		return nil, err
	}
	if !c.r.executes() {
		return "", nil
	}
	v, found, err := c.find(name)
	if err != nil || found {
		return v, err
	}
	return fallback, nil
}

func (c *configObject) require(a *jinja.Arguments) (jinja.Value, error) {
	var name jinja.Value
	if err := a.Take(1, []string{"name"}, &name); err != nil {
		return nil, err
	}
	if !c.r.executes() {
		return "", nil
	}
	v, found, err := c.find(name)
	if err == nil && !found {
		err = fmt.Errorf("the model has no config %v", name)
	}
	return v, err
}

func (c *configObject) find(name jinja.Value) (v jinja.Value, found bool, err error) {
	key, ok := name.(string)
	if !ok {
		return nil, false, errors.New("the name of a config is a string")
	}
	if c.r.model == nil {
		return nil, false, errors.New("the config of a test is not supported here")
	}
	if value, ok := c.r.model.Config.All[key]; ok {
		v, err := c.r.model.inOrder(key, value)
		return v, true, err
	}
	if value, ok := unset[key]; ok {
		return jinja.ValueOf(value), true, nil
	}
	if slices.Contains(unknownUnset, key) {
		return nil, false, fmt.Errorf("%s is not set: what dbt has for it by itself is not supported: set it", key)
	}
	return nil, false, nil
}

// keepOrder notes names with values as they are written: a configuration has
// them without an order.
func (r *rendering) keepOrder(key string, value jinja.Value) {
	if dict, ok := value.(*jinja.Dict); ok && r.model != nil {
		r.dicts = append(r.dicts, orderedSetting{key, dict})
	}
}

// An orderedSetting is one setting with names and values in their order.
type orderedSetting struct {
	key  string
	dict *jinja.Dict
}

// inOrder is a setting, its names in the order in which they were written.
func (m *Model) inOrder(key string, value any) (jinja.Value, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return jinja.ValueOf(value), nil
	}
	for _, one := range m.dicts {
		if plain, err := jinja.Go(one.dict); err == nil && one.key == key && reflect.DeepEqual(plain, value) {
			return one.dict, nil
		}
	}
	if len(fields) > 1 {
		return nil, fmt.Errorf("the config %s comes from dbt_project.yml, or from more than one place, and what order its names have is not supported: write it in one place", key)
	}
	return jinja.ValueOf(value), nil
}

// modelObject is the variable model.
func (r *rendering) modelObject() jinja.Value {
	m := r.model
	relation := ParseRelation(r.project.Relation(m))
	config := maps.Clone(unset)
	maps.Copy(config, m.Config.All)
	entries := map[string]jinja.Value{
		"name": m.Name, "alias": m.Table(), "unique_id": m.ID, "resource_type": m.Type, "package_name": m.Package,
		"database": relation.Database, "schema": relation.Schema, "original_file_path": m.Within(),
		"fqn": jinja.ValueOf(m.FQN), "tags": jinja.ValueOf(m.Tags), "description": m.Description,
	}
	entries["batch"] = r.batchObject()
	known := map[string]jinja.Value{}
	for key, value := range config {
		if value == nil || slices.Contains(unknownUnset, key) {
			continue
		}
		if v, err := m.inOrder(key, value); err == nil {
			known[key] = v
		}
	}
	entries["config"] = &refuser{"model.config", known}
	return &refuser{"model", entries}
}

// unset is what dbt has for the settings of a model that nobody sets. Those of
// BigQuery alone are not there, then.
var unset = map[string]any{
	"enabled": true, "alias": nil, "schema": nil, "database": nil, "tags": []any{}, "meta": map[string]any{}, "group": nil, "static_analysis": nil,
	"materialized": View, "incremental_strategy": nil, "batch_size": nil, "lookback": 1, "begin": nil, "persist_docs": map[string]any{},
	"column_types": map[string]any{}, "full_refresh": nil, "unique_key": nil, "on_schema_change": IgnoreChange, "grants": map[string]any{},
	"packages": []any{}, "event_time": nil, "concurrent_batches": nil, "freshness": nil, "on_error": nil,
}

// unknownUnset are those that dbt has as objects of its own.
var unknownUnset = []string{"pre_hook", "post_hook", "pre-hook", "post-hook", "docs", "contract", "access", "on_configuration_change", "quoting", "latest_version_pointer"}
