package dbtequal

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A facts is an entry of a manifest.
type facts = map[string]any

// A caseOfCore is what dbt-core makes of a case.
type caseOfCore struct {
	Nodes    map[string]facts
	Faults   []string
	Selected []struct {
		IDs   []string
		Error string
	}
}

// A batchOfCore is what dbt-core makes of a project with many cases.
type batchOfCore struct {
	Error string
	Cases map[string]caseOfCore
}

// A coreCompiler is a Python in which dbt-core compiles projects of many cases.
type coreCompiler struct{ *conversation }

func startCompiler(t *testing.T) *coreCompiler {
	return &coreCompiler{converse(t, "generated.py", path.Base(t.Name()))}
}

func (c *coreCompiler) compile(t *testing.T, f frame, cases []generated) (answer batchOfCore) {
	t.Helper()
	folder := f.project(cases...).write(t)
	asked := map[string][][2][]string{}
	for _, one := range cases {
		asked[one.name] = one.selections
	}
	c.ask(t, map[string]any{"folder": folder, "cases": asked}, &answer)
	return answer
}

// A caseHere is what the runner makes of a case.
type caseHere struct {
	nodes    map[string]facts
	selected []map[string]bool // nil for a selector that it refuses
}

func compileHere(t *testing.T, f frame, c generated) (*caseHere, error) {
	files := f.project(c).mapFS()
	p, err := project.Load(files, project.Target{Project: "proj", Dataset: "d", LookupEnv: func(name string) (string, bool) { return "value", name == "SET" }})
	if err != nil {
		return nil, err
	}
	compiled := map[string]string{}
	for _, m := range p.Models {
		if m.Type == project.TypeSeed {
			continue
		}
		text, err := p.Compile(m, project.Compilation{Execute: true, Which: "compile"})
		if err != nil {
			return nil, err
		}
		compiled[m.ID] = text.SQL
	}
	for _, test := range p.Tests {
		text, err := p.CompileTest(test, project.Compilation{Execute: true, Which: "compile"})
		if err != nil {
			return nil, err
		}
		compiled[test.ID] = text.SQL
	}
	var manifest struct {
		Nodes, Sources map[string]facts
	}
	check(t, json.Unmarshal(artifact.Manifest(p, compiled, "", time.Unix(0, 0)), &manifest))
	here := &caseHere{nodes: map[string]facts{}}
	for _, of := range []map[string]facts{manifest.Nodes, manifest.Sources} {
		for id, node := range of {
			if inCase(node, c.name) {
				here.nodes[id] = node
			}
		}
	}
	for _, selection := range c.selections {
		ids, err := p.Select(selection[0], selection[1])
		if err != nil {
			ids = nil
		}
		maps.DeleteFunc(ids, func(id string, _ bool) bool { return here.nodes[id] == nil })
		here.selected = append(here.selected, ids)
	}
	return here, nil
}

func inCase(node facts, name string) bool {
	return slices.Contains(node["fqn"].([]any), any(name))
}

// differences are those between what both make of a case.
func (here *caseHere) differences(c generated, core caseOfCore) (found []string) {
	for _, fault := range core.Faults {
		found = append(found, "only dbt-core refuses: "+fault)
	}
	for _, id := range slices.Sorted(maps.Keys(core.Nodes)) {
		native, ok := here.nodes[id]
		if !ok {
			found = append(found, "the runner has no "+id)
			continue
		}
		for _, difference := range differencesOfNode(core.Nodes[id], native) {
			found = append(found, id+": "+difference)
		}
	}
	for id := range here.nodes {
		if core.Nodes[id] == nil {
			found = append(found, "only the runner has "+id)
		}
	}
	for i, selection := range c.selections {
		if i >= len(core.Selected) || here.selected[i] == nil { // refused
			continue
		}
		if got := slices.Sorted(maps.Keys(here.selected[i])); !slices.Equal(got, core.Selected[i].IDs) || core.Selected[i].Error != "" {
			found = append(found, fmt.Sprintf("--select %q --exclude %q are %v %s, the runner's %v", selection[0], selection[1], core.Selected[i].IDs, core.Selected[i].Error, got))
		}
	}
	return found
}

// ofManifest are the facts of a node that state: and other tools read.
var ofManifest = []string{"name", "package_name", "path", "original_file_path", "fqn", "alias", "relation_name", "database", "schema", "tags", "description", "checksum", "raw_code",
	"access", "identifier", "source_name", "loaded_at_field"}

func differencesOfNode(core, native facts) (found []string) {
	compare := func(what string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			found = append(found, fmt.Sprintf("%s is %v, the runner's %v", what, asJSON(want), asJSON(got)))
		}
	}
	if core["compiled_code"] != native["compiled_code"] && core["builtin"] != true {
		found = append(found, firstDifference(fmt.Sprint(core["compiled_code"]), fmt.Sprint(native["compiled_code"])))
	}
	isTest := core["resource_type"] == "test"
	for _, field := range ofManifest {
		if isTest && slices.Contains([]string{"relation_name", "schema", "description"}, field) {
			continue // failures are kept elsewhere, and tests not described
		}
		if want, ok := core[field]; ok {
			compare(field, comparable(field, want), comparable(field, native[field]))
		}
	}
	if depends, ok := native["depends_on"].(facts); ok {
		reads, _ := depends["nodes"].([]any)
		slices.SortFunc(reads, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		compare("depends_on", core["reads"], slices.Compact(reads))
	}
	if core["resource_type"] == "source" {
		return found
	}
	defaults := besides(core["defaults"], nil)
	want, got := besides(core["config"], defaults), besides(native["config"], defaults)
	for key := range maps.Keys(joined(want, got)) {
		compare("config "+key, want[key], got[key])
	}
	return found
}

func joined(a, b facts) facts {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// besides is a configuration without what is as it is by default.
func besides(config any, defaults facts) facts {
	out := facts{}
	fields, _ := config.(facts)
	for key, value := range fields {
		key = strings.ReplaceAll(key, "-", "_")
		if value = comparable(key, value); value != nil && !reflect.DeepEqual(value, defaults[key]) {
			out[key] = value
		}
	}
	return out
}

// comparable is a value of a configuration in its longest form.
func comparable(key string, value any) any {
	switch key {
	case "pre_hook", "post_hook":
		hooks := []any{}
		for _, hook := range listOf(value) {
			if fields, ok := hook.(facts); ok {
				hooks = append(hooks, []any{fields["sql"], fields["transaction"] != false})
			} else {
				hooks = append(hooks, []any{hook, true})
			}
		}
		return hooks
	case "docs", "contract":
		if fields, ok := value.(facts); ok {
			maps.DeleteFunc(fields, func(name string, _ any) bool {
				return !slices.Contains([]string{"show", "node_color", "enforced", "alias_types"}, name)
			})
		}
		if fields, ok := value.(facts); ok {
			return joined(facts{"docs": facts{"show": true, "node_color": nil}, "contract": facts{"enforced": false, "alias_types": true}}[key].(facts), fields)
		}
	case "store_failures_as", "static_analysis": // they follow from others
		return nil
	case "tags":
		tags := listOf(value)
		if len(tags) == 0 { // or null, which dbt-core makes of it in places
			return nil
		}
		slices.SortFunc(tags, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		return slices.Compact(tags)
	case "severity":
		return strings.ToUpper(fmt.Sprint(value))
	case "grants":
		fields, _ := value.(facts)
		out := facts{}
		for role, of := range fields {
			out[role] = listOf(of)
		}
		return out
	}
	return value
}

func listOf(value any) []any {
	if list, ok := value.([]any); ok || value == nil {
		return list
	}
	return []any{value}
}

func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// A seed reproduces a run: STATIONFLOW_SEED, with STATIONFLOW_CASES. The
// projects are compared in two processes.
func TestGenerated_ProjectsAreAsByDbtCore(t *testing.T) {
	python(t)
	seed, cases := number(t, "STATIONFLOW_SEED", 1), number(t, "STATIONFLOW_CASES", 500)
	for part := range 2 {
		t.Run(fmt.Sprintf("part %d", part+1), func(t *testing.T) {
			t.Parallel()
			compareGenerated(t, seed, part*cases/2, (part+1)*cases/2)
		})
	}
}

// compareGenerated compares the cases from first to last.
func compareGenerated(t *testing.T, seed, first, last int) {
	const size = 125
	core, refusals, refused := startCompiler(t), map[string]refusal{}, 0
	for ; first < last; first += size {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(first)))
		f := writeFrame(random)
		var taken []generated
		here := map[string]*caseHere{}
		for i := first; i < min(first+size, last); i++ {
			c := writeCase(random, fmt.Sprintf("case%d", i))
			made, err := compileHere(t, f, c)
			if err != nil {
				refused++
				refusals[noCase.ReplaceAllString(err.Error(), "…")] = refusal{f, c, err}
				continue
			}
			taken, here[c.name] = append(taken, c), made
		}
		compareBatch(t, core, f, taken, here, seed)
	}
	t.Logf("seed %d: up to case %d, %d are refused here", seed, last, refused)
	for _, kind := range slices.Sorted(maps.Keys(refusals)) {
		refusals[kind].justify(t, core, seed)
	}
}

// noCase is what differs in an error from case to case.
var noCase = regexp.MustCompile(`(?s)\[\d+:\d+\].*|[\w/]*case\d+[\w/.]*|:\d+|\d+`)

// whenBuilt are errors that dbt-core, or BigQuery, has when a model is built.
var whenBuilt = []string{"needs partition_by", "exclude each other", "BigQuery", "of the wrong type", "it is warn or error",
	"partition_by is not a dict", "materialized is", "write a comparison", "it is one character"}

// A refusal is a case that the runner refuses.
type refusal struct {
	frame
	generated
	err error
}

// justify reports a refusal of what dbt-core takes, unless it says that the
// runner does not have it.
func (r refusal) justify(t *testing.T, core *coreCompiler, seed int) {
	t.Helper()
	if !strings.Contains(r.err.Error(), r.name) && !strings.Contains(r.err.Error(), "dbt_project.yml") {
		t.Errorf("seed %d, %s: no file is named: %v\n%s", seed, r.name, r.err, r.text(r.frame))
	}
	if strings.Contains(r.err.Error(), "not supported") || slices.ContainsFunc(whenBuilt, func(text string) bool { return strings.Contains(r.err.Error(), text) }) {
		t.Logf("%s: %v", r.name, r.err)
		return
	}
	answer := core.compile(t, r.frame, []generated{r.generated})
	if answer.Error == "" && len(answer.Cases[r.name].Faults) == 0 {
		t.Errorf("seed %d, %s: the runner refuses what dbt-core takes: %v\n%s", seed, r.name, r.err, r.text(r.frame))
	}
}

// compareBatch compares cases, in halves where dbt-core refuses the whole.
func compareBatch(t *testing.T, core *coreCompiler, f frame, cases []generated, here map[string]*caseHere, seed int) {
	t.Helper()
	if len(cases) == 0 {
		return
	}
	answer := core.compile(t, f, cases)
	if answer.Error != "" && len(cases) > 1 {
		half := len(cases) / 2
		compareBatch(t, core, f, cases[:half], here, seed)
		compareBatch(t, core, f, cases[half:], here, seed)
		return
	}
	for _, c := range cases {
		found := []string{"only dbt-core refuses: " + answer.Error}
		if answer.Error == "" {
			found = here[c.name].differences(c, answer.Cases[c.name])
		}
		if len(found) > 0 {
			t.Errorf("seed %d, %s:\n%s\n%s", seed, c.name, strings.Join(found, "\n"), c.text(f))
		}
	}
}

// text is a case as a person reads it.
func (c generated) text(f frame) string {
	var out strings.Builder
	files := f.project(c).files
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.Contains(name, c.name) || name == "dbt_project.yml" {
			fmt.Fprintf(&out, "-- %s --\n%s\n", name, strings.TrimSuffix(files[name], "\n"))
		}
	}
	return out.String()
}
