package project

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// settings are those of dbt_project.yml.
type settings struct {
	modelPaths, macroPaths, testPaths, seedPaths, docsPaths []string

	models, seeds, tests, sources *configTree
}

// settingsFile is the only name that dbt reads.
const settingsFile = "dbt_project.yml"

func (l *loader) readSettings() error {
	var read struct {
		Name       string   `yaml:"name"`
		ModelPaths []string `yaml:"model-paths"`
		MacroPaths []string `yaml:"macro-paths"`
		TestPaths  []string `yaml:"test-paths"`
		SeedPaths  []string `yaml:"seed-paths"`
		Snapshots  []string `yaml:"snapshot-paths"`
		DocsPaths  []string `yaml:"docs-paths"`
	}
	doc, err := readYAML(l.files, settingsFile)
	if err != nil {
		return err
	}
	if err := errors.Join(doc.check("project", doc.root), doc.decode(doc.root, &read)); err != nil {
		return err
	}
	if read.Name == "" {
		return fmt.Errorf("%s: the project has no name", settingsFile)
	}
	l.Name = read.Name
	if err := errors.Join(l.readVars(doc), checkVersion(doc), checkQuoting(doc), l.readRunHooks(doc), l.checkOtherFiles()); err != nil {
		return err
	}
	for _, folder := range orDefault(read.Snapshots, "snapshots") {
		if found := filesUnder(l.files, folder, ".sql", ".yml", ".yaml"); len(found) > 0 {
			return fmt.Errorf("%s: snapshots are not supported: build history as an incremental model", found[0])
		}
	}
	l.settings = &settings{
		modelPaths: orDefault(read.ModelPaths, "models"), macroPaths: orDefault(read.MacroPaths, "macros"),
		testPaths: orDefault(read.TestPaths, "tests"), seedPaths: orDefault(read.SeedPaths, "seeds"),
	}
	l.settings.docsPaths = read.DocsPaths
	if len(read.DocsPaths) == 0 {
		l.settings.docsPaths = slices.Concat(l.settings.modelPaths, l.settings.seedPaths, l.settings.macroPaths, orDefault(read.Snapshots, "snapshots"))
	}
	tests := "data_tests"
	if doc.field(doc.root, tests) == nil {
		tests = "tests"
	}
	for _, tree := range []struct {
		into        **configTree
		name, place string
	}{
		{&l.settings.models, "models", "model config"}, {&l.settings.seeds, "seeds", "seed config"},
		{&l.settings.tests, tests, "test config"}, {&l.settings.sources, "sources", "source config"},
	} {
		root, err := l.readTree(doc, doc.field(doc.root, tree.name), tree.place)
		if err != nil {
			return err
		}
		*tree.into = newConfigTree(tree.name, root)
	}
	return nil
}

// readVars reads the variables: the project's own win over those of all, and
// the target's over both. Dicts keep the order of their keys.
func (l *loader) readVars(doc *document) error {
	l.vars = map[string]any{}
	entries, err := doc.entries(doc.field(doc.root, "vars"))
	if err != nil {
		return err
	}
	var own ast.Node
	for _, entry := range entries {
		if _, isMapping := entry.Value.(*ast.MappingNode); isMapping && keyOf(entry) == l.Name {
			own = entry.Value
			continue
		}
		if l.vars[keyOf(entry)], err = doc.value(entry.Value); err != nil {
			return err
		}
	}
	if entries, err = doc.entries(own); err != nil {
		return err
	}
	for _, entry := range entries {
		if l.vars[keyOf(entry)], err = doc.value(entry.Value); err != nil {
			return err
		}
	}
	maps.Copy(l.vars, l.target.Vars)
	return nil
}

// ParseVars reads what --vars has: YAML as dbt-core reads it.
func ParseVars(text string) (map[string]any, error) {
	doc, err := parseYAML("--vars", []byte(text))
	if err != nil {
		return nil, err
	}
	entries, err := doc.entries(doc.root)
	vars := map[string]any{}
	for _, entry := range entries {
		if err == nil {
			vars[keyOf(entry)], err = doc.value(entry.Value)
		}
	}
	return vars, err
}

// readTree reads the configuration by folder: texts in it are rendered, and
// know variables of the command line only, as in dbt.
func (l *loader) readTree(doc *document, node ast.Node, place string) (map[string]any, error) {
	entries, err := doc.entries(node)
	if err != nil {
		return nil, err
	}
	root := map[string]any{}
	for _, entry := range entries {
		key := keyOf(entry)
		_, isDict := entry.Value.(*ast.MappingNode)
		if isDict && !strings.HasPrefix(key, "+") {
			if root[key], err = l.readTree(doc, entry.Value, place); err != nil {
				return nil, err
			}
			continue
		}
		if err := supported(place, strings.TrimPrefix(key, "+")); err != nil {
			return nil, doc.fail(entry, "%w", err)
		}
		if slices.Contains(hookKeys, strings.ReplaceAll(strings.TrimPrefix(key, "+"), "-", "_")) { // rendered when they run
			if root[key], err = written(doc, entry.Value); err != nil {
				return nil, err
			}
			continue
		}
		outside := &Project{Name: l.Name, vars: l.target.Vars, target: l.target, templates: l.templates}
		if root[key], err = rendered(doc, entry.Value, &rendering{project: outside, ymlOnly: true}); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// written is a value of a yml file as it is.
func written(doc *document, node ast.Node) (any, error) {
	v, err := doc.value(node)
	if err != nil {
		return nil, err
	}
	return jinja.Go(v)
}

// rendered is a value of a yml file whose texts are rendered.
func rendered(doc *document, node ast.Node, r *rendering) (any, error) {
	v, err := doc.value(node)
	if err != nil {
		return nil, err
	}
	if v, err = renderedIn(doc, node, v, r); err != nil {
		return nil, err
	}
	return jinja.Go(v)
}

func renderedIn(doc *document, node ast.Node, v jinja.Value, r *rendering) (jinja.Value, error) {
	switch v := v.(type) {
	case string:
		return r.project.templates.value(doc.file, lineOfNode(node), v, r)
	case *jinja.List:
		for i, item := range v.Items {
			inner, err := renderedIn(doc, node, item, r)
			if err != nil {
				return nil, err
			}
			v.Items[i] = inner
		}
	case *jinja.Dict:
		for _, key := range v.Keys() {
			item, _ := v.Get(key)
			inner, err := renderedIn(doc, node, item, r)
			if err != nil {
				return nil, err
			}
			must(v.Set(key, inner))
		}
	}
	return v, nil
}

// readsAs is the version of dbt-core that the runner equals.
var readsAs = [3]int{1, 12, 0}

var versionForm = regexp.MustCompile(`^\s*(>=|<=|>|<|==|=|)\s*v?(\d+)\.(\d+)\.(\d+)([-.a-z0-9]*)\s*$`)

// checkVersion refuses a project that is for other versions of dbt.
func checkVersion(doc *document) error {
	node := doc.field(doc.root, "require-dbt-version")
	if node == nil {
		return nil
	}
	var required []string
	if err := doc.decode(node, &required); err != nil {
		var one string
		if err := doc.decode(node, &one); err != nil {
			return err
		}
		required = []string{one}
	}
	for _, text := range strings.Split(strings.Join(required, ","), ",") {
		parts := versionForm.FindStringSubmatch(text)
		if parts == nil {
			return doc.fail(node, "require-dbt-version has %q: write it as in \">=1.12.0\"", text)
		}
		n := 0
		for i, part := range parts[2:5] {
			number, _ := strconv.Atoi(part)
			if n == 0 {
				n = readsAs[i] - number
			}
		}
		holds := map[string]bool{">=": n >= 0, "<=": n <= 0, ">": n > 0, "<": n < 0, "==": n == 0, "=": n == 0, "": n == 0}[parts[1]]
		if !holds {
			return doc.fail(node, "the project requires dbt %s, and the runner is as dbt 1.12", strings.Join(required, ", "))
		}
	}
	return nil
}

// checkQuoting refuses names without quotes: BigQuery's are always quoted.
func checkQuoting(doc *document) error {
	entries, err := doc.entries(doc.field(doc.root, "quoting"))
	for _, entry := range entries {
		if b, ok := entry.Value.(*ast.BoolNode); !ok || !b.Value {
			return doc.fail(entry, "quoting %s: false is not supported: names are always quoted here", keyOf(entry))
		}
	}
	return err
}

// checkOtherFiles refuses what dbt would read from the project's root.
func (l *loader) checkOtherFiles() error {
	if content, err := fs.ReadFile(l.files, ".dbtignore"); err == nil {
		for i, line := range strings.Split(string(content), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				return &jinja.Error{File: ".dbtignore", Line: i + 1, Err: errors.New("files to ignore are not supported: move them out of the project")}
			}
		}
	}
	if _, err := fs.Stat(l.files, "selectors.yml"); err == nil {
		doc, err := readYAML(l.files, "selectors.yml")
		if err != nil {
			return err
		}
		selectors, err := doc.items(doc.field(doc.root, "selectors"))
		if err != nil {
			return err
		}
		for _, selector := range selectors {
			if at := doc.field(selector, "default"); at != nil && at.String() != "false" {
				return doc.fail(at, "a default selector is not supported: write --select at the command")
			}
		}
	}
	for _, file := range []string{"packages.yml", "dependencies.yml"} {
		if _, err := fs.Stat(l.files, file); err != nil {
			continue
		}
		doc, err := readYAML(l.files, file)
		if err != nil {
			return err
		}
		for _, name := range []string{"packages", "projects"} {
			if at := doc.field(doc.root, name); at != nil {
				return doc.fail(at, "%s are not supported: put their macros and models into the project", name)
			}
		}
	}
	return nil
}

func orDefault(paths []string, fallback string) []string {
	if len(paths) == 0 {
		return []string{fallback}
	}
	return paths
}

// genericTestPaths hold tests that the project defines for its yml files.
func (s *settings) genericTestPaths() []string {
	var out []string
	for _, folder := range s.testPaths {
		out = append(out, path.Join(folder, "generic"))
	}
	return out
}

// ymlPaths are the folders of which dbt reads the yml files.
func (s *settings) ymlPaths() []string {
	all := slices.Concat(s.modelPaths, s.seedPaths, s.macroPaths, s.testPaths)
	slices.Sort(all)
	return slices.Compact(all)
}

// rootOf is the configured path that a yml file is below.
func (s *settings) rootOf(file string) string {
	for _, root := range s.ymlPaths() {
		if strings.HasPrefix(file, root+"/") {
			return root
		}
	}
	return ""
}

// unused names the configuration that applies to no resource: most likely a
// folder that was renamed.
func (s *settings) unused() []string {
	var warnings []string
	for _, tree := range []*configTree{s.models, s.seeds, s.tests, s.sources} {
		for _, path := range slices.Sorted(maps.Keys(tree.unused)) {
			warnings = append(warnings, fmt.Sprintf("%s: the configuration %s applies to nothing: no resource is in that folder", settingsFile, path))
		}
	}
	return warnings
}
