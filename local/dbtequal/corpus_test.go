package dbtequal

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A small project of the corpus, and what the runner may refuse of it; "" for
// nothing.
type small struct {
	name, refused string
	files         map[string]string
	vars          map[string]any
	left          []string // models that ask a warehouse
}

// readCorpus reads cases: "=== name" begins one, "refused: text" says what the
// runner's error has in it, "-- file --" begins a file.
func readCorpus(t testing.TB, file string) []small {
	t.Helper()
	content, err := os.ReadFile(file)
	check(t, err)
	var cases []small
	for _, text := range strings.Split("\n"+string(content), "\n=== ")[1:] {
		head, rest, _ := strings.Cut(text, "\n-- ")
		name, expectation, _ := strings.Cut(head, "\n")
		c := small{name: name, refused: strings.TrimPrefix(expectation, "refused: "), files: map[string]string{}}
		for _, part := range strings.Split("\n-- "+rest, "\n-- ")[1:] {
			path, body, _ := strings.Cut(part, " --\n")
			c.files[path] = body + "\n"
		}
		cases = append(cases, c)
	}
	return cases
}

// all are the files of the project, with those that each has.
func (c small) all() map[string]string {
	files := map[string]string{
		"dbt_project.yml": "name: p\nversion: 1.0.0\nconfig-version: 2\nprofile: p\n",
		"profiles.yml": "p:\n  target: prod\n  outputs:\n    prod: {type: bigquery, method: oauth-secrets, token: t, project: proj, dataset: d, threads: 1}\n" +
			"config: {send_anonymous_usage_stats: false}\n",
	}
	maps.Copy(files, c.files)
	return files
}

// write puts the project into a folder.
func (c small) write(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range c.all() {
		path := filepath.Join(folder, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return folder
}

// mapFS holds the project in memory.
func (c small) mapFS() fstest.MapFS {
	files := fstest.MapFS{}
	for name, content := range c.all() {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return files
}

// A node is what both say of a model, seed, source or test.
type node struct {
	ID, SQL, Relation, Materialized, Alias, Severity string
	Reads, Tags                                      []string
	Where                                            any
	Builtin                                          bool
}

// A verdict is what dbt-core makes of a project.
type verdict struct {
	Error string
	Nodes map[string]node
}

// An asking is a project to compile.
type asking struct {
	Folder string         `json:"folder"`
	Vars   map[string]any `json:"vars"`
	Left   []string       `json:"left"` // names of models that ask a warehouse
}

// coreVerdict is what dbt-core makes of a project.
func coreVerdict(t testing.TB, of asking) (v verdict) {
	t.Helper()
	converse(t, "core.py").ask(t, of, &v)
	return v
}

// nativeVerdict is what the runner makes of a project.
func nativeVerdict(of asking) (map[string]node, error) {
	p, err := project.Load(os.DirFS(of.Folder), project.Target{Project: "proj", Dataset: "d", Vars: of.Vars, LookupEnv: func(name string) (string, bool) {
		value, ok := map[string]string{"SET": "value", "EMPTY": ""}[name]
		return value, ok
	}})
	if err != nil {
		return nil, err
	}
	nodes := map[string]node{}
	for _, m := range p.Models {
		compiled, err := p.Compile(m, project.Compilation{Execute: true, Which: "compile"})
		if errors.Is(err, project.ErrNeedsWarehouse) && slices.Contains(of.Left, m.Name) {
			compiled, err = &project.Compiled{}, nil
		}
		if err != nil {
			return nil, err
		}
		n := node{ID: m.ID, SQL: compiled.SQL, Relation: p.Relation(m), Materialized: m.Config.Materialized, Alias: m.Table(), Reads: m.Reads, Tags: m.Tags}
		if m.Type == project.TypeSeed {
			n.SQL = ""
		}
		if m.Config.Materialized == project.Ephemeral {
			n.Relation = ""
		}
		nodes[m.Type+"."+m.Name] = n
	}
	for _, s := range p.Sources {
		nodes["source."+s.Name] = node{ID: s.ID, Relation: s.Relation, Tags: s.Tags}
	}
	for _, test := range p.Tests {
		sql, err := p.CompileTest(test, project.Compilation{Execute: true})
		if err != nil {
			return nil, err
		}
		severity := "error"
		if test.Warn {
			severity = "warn"
		}
		nodes["test."+test.Name] = node{ID: test.ID, SQL: sql.SQL, Materialized: "test", Alias: test.Alias, Severity: severity, Reads: test.Reads, Tags: test.Tags}
	}
	return nodes, nil
}

// differencesOf are those between what both make of a project.
func differencesOf(core, native map[string]node) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(core)) {
		want, got := core[name], native[name]
		if _, ok := native[name]; !ok {
			found = append(found, "the runner has no "+name)
			continue
		}
		reads := slices.Sorted(slices.Values(got.Reads))
		tags := slices.Sorted(slices.Values(got.Tags))
		switch {
		case want.ID != got.ID:
			found = append(found, fmt.Sprintf("%s is %s, the runner's %s", name, want.ID, got.ID))
		case want.SQL != got.SQL && !want.Builtin:
			found = append(found, name+": "+firstDifference(want.SQL, got.SQL))
		case want.Relation != got.Relation && want.Materialized != "test":
			found = append(found, fmt.Sprintf("%s is %s, the runner's %s", name, want.Relation, got.Relation))
		case want.Alias != got.Alias && want.Materialized == "test":
			found = append(found, fmt.Sprintf("the failures of %s are %s, the runner's %s", name, want.Alias, got.Alias))
		case want.Materialized != got.Materialized:
			found = append(found, fmt.Sprintf("%s is a %s, the runner's a %s", name, want.Materialized, got.Materialized))
		case want.Severity != got.Severity && want.Materialized == "test":
			found = append(found, fmt.Sprintf("%s has severity %s, the runner's %s", name, want.Severity, got.Severity))
		case !strings.HasPrefix(name, "source.") && !slices.Equal(want.Reads, reads):
			found = append(found, fmt.Sprintf("%s reads %v, the runner's %v", name, want.Reads, reads))
		case !slices.Equal(want.Tags, tags):
			found = append(found, fmt.Sprintf("%s has tags %v, the runner's %v", name, want.Tags, tags))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(native)) {
		if _, ok := core[name]; !ok {
			found = append(found, "only the runner has "+name)
		}
	}
	return found
}

// compareProjects reports each project that the runner takes otherwise than
// dbt-core: it takes the same, or refuses what the case says.
func compareProjects(t *testing.T, cases []small) {
	t.Helper()
	for _, c := range cases {
		asked := asking{c.write(t), c.vars, c.left}
		core := coreVerdict(t, asked)
		native, err := nativeVerdict(asked)
		switch {
		case err != nil && core.Error == "" && c.refused == "":
			t.Errorf("%s: the runner refuses what dbt-core takes: %v", c.name, err)
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: the runner says %v, want %q in it", c.name, err, c.refused)
		case err == nil && core.Error != "":
			t.Errorf("%s: the runner takes what dbt-core refuses: %s", c.name, core.Error)
		case err == nil:
			for _, difference := range differencesOf(core.Nodes, native) {
				t.Errorf("%s: %s", c.name, difference)
			}
		}
	}
}

func TestCorpus_CompilesAsDbtCore(t *testing.T) {
	python(t)
	files, err := filepath.Glob("testdata/*.corpus")
	check(t, err)
	var cases []small
	for _, file := range files {
		cases = append(cases, readCorpus(t, file)...)
	}
	compareProjects(t, cases)
}
