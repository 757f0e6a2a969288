package project

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Select returns the resources, by id, that dbt's --select and --exclude
// name. Each argument may hold several selectors: a space between two means
// either, a comma both. No selector selects everything. A test is selected
// with anything that it reads, and excluded when it is named.
//
// A selector is [n]+method:value+[n] or @method:value; the methods are fqn,
// path, file, tag, source, resource_type, test_type, test_name, unit_test,
// state and config.materialized. Without a method the value is a path when it has a
// slash, a file when it ends in .sql or .csv, and else a name.
func (p *Project) Select(selectors, exclude []string) (map[string]bool, error) {
	selected := map[string]bool{}
	if len(selectors) == 0 {
		for _, resource := range p.Resources() {
			selected[resource.ID] = true
		}
	}
	graph := newGraph(p)
	chosen, err := graph.union(selectors)
	if err != nil {
		return nil, err
	}
	excluded, err := graph.union(exclude)
	if err != nil {
		return nil, err
	}
	for id := range chosen {
		selected[id] = true
	}
	for id := range excluded {
		delete(selected, id)
	}
	return selected, nil
}

// A graph knows the readers and the parents of each resource.
type graph struct {
	project  *Project
	all      []*Resource
	parents  map[string][]string
	children map[string][]string
}

func newGraph(p *Project) *graph {
	g := &graph{project: p, all: p.Resources(), parents: map[string][]string{}, children: map[string][]string{}}
	for _, resource := range g.all {
		g.parents[resource.ID] = resource.Reads
		for _, parent := range resource.Reads {
			g.children[parent] = append(g.children[parent], resource.ID)
		}
	}
	return g
}

func (g *graph) union(arguments []string) (map[string]bool, error) {
	found := map[string]bool{}
	for _, argument := range arguments {
		for _, selector := range strings.Fields(argument) {
			some, err := g.intersection(selector)
			if err != nil {
				return nil, err
			}
			for id := range some {
				found[id] = true
			}
		}
	}
	return g.withTests(found), nil
}

func (g *graph) intersection(selector string) (map[string]bool, error) {
	var both map[string]bool
	for _, part := range strings.Split(selector, ",") {
		some, err := g.one(part)
		if err != nil {
			return nil, err
		}
		some = g.withTests(some)
		if both == nil {
			both = some
			continue
		}
		for id := range both {
			if !some[id] {
				delete(both, id)
			}
		}
	}
	return both, nil
}

// withTests adds the tests that read one of the resources.
func (g *graph) withTests(found map[string]bool) map[string]bool {
	for _, resource := range g.all {
		if (resource.Type == TypeTest || resource.Type == TypeUnitTest) && slices.ContainsFunc(resource.Reads, func(id string) bool { return found[id] }) {
			found[resource.ID] = true
		}
	}
	return found
}

var selectorForm = regexp.MustCompile(`^(@|(\d*)\+)?(?:([a-z_.]+):)?([^+@]+?)(\+(\d*))?$`)

// one is a single selector with its operators.
func (g *graph) one(selector string) (map[string]bool, error) {
	parts := selectorForm.FindStringSubmatch(selector)
	if parts == nil {
		return nil, fmt.Errorf("the selector %q cannot be read: write it as [n]+method:value+[n]", selector)
	}
	operator, method, value := parts[1], parts[3], parts[4]
	if method == "state" && g.project.states == nil {
		return nil, fmt.Errorf("the selector %q needs --state FOLDER, with the manifest.json to compare with", selector)
	}
	matches, err := matcher(method, value)
	if err != nil {
		return nil, fmt.Errorf("the selector %q: %w", selector, err)
	}
	found := map[string]bool{}
	for _, resource := range g.all {
		if matches(g.project, resource) {
			found[resource.ID] = true
		}
	}
	if len(found) == 0 && method != "state" { // nothing modified is no mistake
		return nil, fmt.Errorf("the selector %q selects nothing", selector)
	}
	seeds := found
	if parts[5] != "" || operator == "@" {
		found = join(found, reach(seeds, g.children, parts[6]))
	}
	switch {
	case operator == "@":
		found = join(found, reach(found, g.parents, ""))
	case operator != "":
		found = join(found, reach(seeds, g.parents, parts[2]))
	}
	return found, nil
}

// reach follows edges up to a number of steps; "" is as far as they go.
func reach(from map[string]bool, edges map[string][]string, steps string) map[string]bool {
	limit := -1
	if steps != "" {
		limit, _ = strconv.Atoi(steps)
	}
	reached, border := map[string]bool{}, from
	for ; len(border) > 0 && limit != 0; limit-- {
		next := map[string]bool{}
		for id := range border {
			for _, other := range edges[id] {
				if !reached[other] {
					reached[other], next[other] = true, true
				}
			}
		}
		border = next
	}
	return reached
}

func join(sets ...map[string]bool) map[string]bool {
	all := map[string]bool{}
	for _, set := range sets {
		for id := range set {
			all[id] = true
		}
	}
	return all
}

type match func(*Project, *Resource) bool

func matcher(method, value string) (match, error) {
	if method == "" {
		switch {
		case strings.Contains(value, "/"):
			method = "path"
		case strings.HasSuffix(value, ".sql"), strings.HasSuffix(value, ".csv"):
			method = "file"
		default:
			method = "fqn"
		}
	}
	switch method {
	case "fqn":
		return func(_ *Project, r *Resource) bool { return matchesName(r, value) }, nil
	case "path":
		return func(p *Project, r *Resource) bool {
			model := p.ByID(r.ID)
			return matchesPath(value, r.Path) || model != nil && model.patched != "" && matchesParts(strings.Split(value, "/"), strings.Split(model.patched, "/"))
		}, nil
	case "file":
		return func(_ *Project, r *Resource) bool {
			name := path.Base(r.Path)
			return matchesText(value, name) || matchesText(value, strings.TrimSuffix(name, path.Ext(name)))
		}, nil
	case "tag":
		return func(_ *Project, r *Resource) bool {
			return slices.ContainsFunc(r.Tags, func(tag string) bool { return matchesText(value, tag) })
		}, nil
	case "source":
		return func(_ *Project, r *Resource) bool {
			name := strings.Join(strings.Split(r.ID, ".")[1:], ".")
			_, short, _ := strings.Cut(name, ".")
			of, _, _ := strings.Cut(short, ".")
			return r.Type == TypeSource && (matchesText(value, short) || matchesText(value, name) || matchesText(value, of))
		}, nil
	case "resource_type":
		return func(_ *Project, r *Resource) bool { return r.Type == value }, nil
	case "test_type":
		if !slices.Contains([]string{"generic", "singular", "data", "unit"}, value) {
			return nil, fmt.Errorf("test_type is generic, singular, data or unit")
		}
		return func(p *Project, r *Resource) bool {
			test := p.test(r.ID)
			return value == "unit" && r.Type == TypeUnitTest || test != nil && (value == "data" || value != "unit" && (value == Singular) == (test.Kind == Singular))
		}, nil
	case "unit_test":
		return func(_ *Project, r *Resource) bool {
			return r.Type == TypeUnitTest && (matchesText(value, r.Name) || matchesText(value, r.Package+"."+r.Name))
		}, nil
	case "test_name":
		return func(p *Project, r *Resource) bool {
			test := p.test(r.ID)
			return test != nil && test.Kind != Singular && matchesText(value, test.Kind)
		}, nil
	case "state":
		if !slices.Contains(States, value) {
			return nil, fmt.Errorf("state is one of %s", strings.Join(States, ", "))
		}
		return func(p *Project, r *Resource) bool { return p.states[value][r.ID] }, nil
	case "config.materialized":
		return func(p *Project, r *Resource) bool {
			model := p.ByID(r.ID)
			return model != nil && model.Config.Materialized == value
		}, nil
	}
	return nil, fmt.Errorf("there is no method %q: use fqn, path, file, tag, source, resource_type, test_type, test_name, unit_test, state or config.materialized", method)
}
