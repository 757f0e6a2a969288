package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// variable is var: it looks where varsFor says.
func (r *rendering) variable(a *jinja.Arguments) (jinja.Value, error) {
	unset := &jinja.Undefined{}
	var name, fallback jinja.Value = nil, unset
	if err := a.Take(1, []string{"var_name", "default"}, &name, &fallback); err != nil {
		return nil, err
	}
	text, ok := name.(string)
	if !ok {
		return nil, errors.New("the name of a variable is a string")
	}
	for _, vars := range r.varsFor() {
		value, ok := vars[text]
		if !ok {
			continue
		}
		if source, ok := value.(string); ok { // dbt renders it where it is asked for
			return r.text(settingsFile, 1, source)
		}
		return copied(jinja.ValueOf(value)), nil
	}
	if fallback != jinja.Value(unset) {
		return fallback, nil
	}
	return nil, fmt.Errorf("%q is not set in dbt_project.yml", text)
}

// copied keeps a project's own lists and dicts from being changed.
func copied(v jinja.Value) jinja.Value {
	switch v := v.(type) {
	case *jinja.List:
		out := jinja.NewList()
		for _, item := range v.Items {
			out.Items = append(out.Items, copied(item))
		}
		return out
	case *jinja.Dict:
		out := jinja.NewDict()
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			must(out.Set(key, copied(value)))
		}
		return out
	}
	return v
}

func (r *rendering) environment(a *jinja.Arguments) (jinja.Value, error) {
	unset := &jinja.Undefined{}
	var name, fallback jinja.Value = nil, unset
	if err := a.Take(1, []string{"var", "default"}, &name, &fallback); err != nil {
		return nil, err
	}
	text, ok := name.(string)
	if !ok {
		return nil, errors.New("the name of a variable is a string")
	}
	if value, ok := r.compilation.Env[text]; ok {
		return jinja.ValueOf(value), nil
	}
	if strings.HasPrefix(text, "DBT_ENV_SECRET") {
		return nil, fmt.Errorf("%s is a secret, and secrets do not belong into SQL", text)
	}
	if lookup := r.project.target.LookupEnv; lookup != nil {
		if value, ok := lookup(text); ok {
			return value, nil
		}
	}
	if fallback != jinja.Value(unset) && fallback != nil {
		return fallback, nil
	}
	return nil, fmt.Errorf("%s is not set in the environment", text)
}
