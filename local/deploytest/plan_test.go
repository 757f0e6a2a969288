package deploytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A plan is what Terraform would make, and the configuration that says so.
type plan struct {
	resources []*resource
	variables map[string]variable
}

type variable struct {
	Description string
	Sensitive   bool
}

// A resource is one planned resource. Values that are known only after it is
// made are missing; expressions tell what they come from.
type resource struct {
	Address     string
	Type        string
	values      map[string]any
	unknown     map[string]any // true where a value is known only after apply
	expressions map[string]any
}

type module struct {
	Resources []struct {
		Address     string
		Expressions map[string]any
	}
	Calls map[string]struct{ Module module } `json:"module_calls"`
}

// readPlan reads the output of terraform show -json.
func readPlan(out []byte) (*plan, error) {
	out = out[max(0, bytes.IndexByte(out, '{')):] // warnings come first
	var shown struct {
		Changes []struct {
			Address string
			Mode    string
			Type    string
			Change  struct {
				After   map[string]any
				Unknown map[string]any `json:"after_unknown"`
			}
		} `json:"resource_changes"`
		Configuration struct {
			Root struct {
				module
				Variables map[string]variable
			} `json:"root_module"`
		}
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		return nil, err
	}
	expressions := map[string]map[string]any{}
	collect(expressions, "", shown.Configuration.Root.module)
	p := &plan{variables: shown.Configuration.Root.Variables}
	for _, c := range shown.Changes {
		if c.Mode == "managed" && c.Change.After != nil {
			p.resources = append(p.resources, &resource{Address: c.Address, Type: c.Type, values: c.Change.After, unknown: c.Change.Unknown, expressions: expressions[unindexed(c.Address)]})
		}
	}
	return p, nil
}

func collect(into map[string]map[string]any, prefix string, m module) {
	for _, r := range m.Resources {
		into[prefix+r.Address] = r.Expressions
	}
	for name, call := range m.Calls {
		collect(into, prefix+"module."+name+".", call.Module)
	}
}

// unindexed is an address without the keys of count and for_each.
func unindexed(address string) string {
	for {
		from := strings.IndexByte(address, '[')
		if from < 0 {
			return address
		}
		to := from + strings.IndexByte(address[from:], ']')
		address = address[:from] + address[to+1:]
	}
}

// all returns the resources of a type.
func (p *plan) all(kind string) (found []*resource) {
	for _, r := range p.resources {
		if r.Type == kind {
			found = append(found, r)
		}
	}
	return found
}

// one returns the resource at an address.
func (p *plan) one(t *testing.T, address string) *resource {
	t.Helper()
	for _, r := range p.resources {
		if r.Address == address {
			return r
		}
	}
	t.Fatalf("the plan has no %s", address)
	return nil
}

// at walks a path of names and list positions, such as template.0.timeout; a
// block that may be repeated is a list. It returns nil where there is nothing.
func at(value any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// get returns a planned value.
func (r *resource) get(path string) any { return at(r.values, path) }

// text returns a planned string, or "".
func (r *resource) text(path string) string {
	s, _ := r.get(path).(string)
	return s
}

// number returns a planned number, or 0.
func (r *resource) number(path string) float64 {
	n, _ := r.get(path).(float64)
	return n
}

// from reports whether a value is taken from what reference names.
func (r *resource) from(path, reference string) bool {
	return slices.Contains(r.references(path), reference)
}

// references are what a value is taken from.
func (r *resource) references(path string) (names []string) {
	list, _ := at(r.expressions, path+".references").([]any)
	for _, name := range list {
		names = append(names, fmt.Sprint(name))
	}
	return names
}

// strings visits every string that is planned.
func (p *plan) strings(visit func(r *resource, s string)) {
	var walk func(r *resource, v any)
	walk = func(r *resource, v any) {
		switch v := v.(type) {
		case string:
			visit(r, v)
		case []any:
			for _, item := range v {
				walk(r, item)
			}
		case map[string]any:
			for _, item := range v {
				walk(r, item)
			}
		}
	}
	for _, r := range p.resources {
		walk(r, r.values)
	}
}
