package project

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// settings are those of dbt_project.yml.
type settings struct {
	modelPaths, macroPaths, testPaths, seedPaths, docsPaths, snapshotPaths []string // within the project

	packages string              // folder of what is installed
	dispatch map[string][]string // packages that adapter.dispatch looks into, by namespace

	models, seeds, snapshots, tests, sources *configTree
}

// settingsFile is the only name that dbt reads.
const settingsFile = "dbt_project.yml"

// readPackage reads the settings of the project, whose folder is "", or of a
// package.
func (l *loader) readPackage(dir string) error {
	var read struct {
		Name       string   `yaml:"name"`
		ModelPaths []string `yaml:"model-paths"`
		MacroPaths []string `yaml:"macro-paths"`
		TestPaths  []string `yaml:"test-paths"`
		SeedPaths  []string `yaml:"seed-paths"`
		Snapshots  []string `yaml:"snapshot-paths"`
		Packages   string   `yaml:"packages-install-path"`
		DocsPaths  []string `yaml:"docs-paths"`

		OldModelPaths []string `yaml:"source-paths"` // dbt's names before 1.0
		OldSeedPaths  []string `yaml:"data-paths"`
	}
	of := &pkg{dir: dir, testPatches: map[string]testPatch{}}
	doc, err := readYAML(l.files, of.at(settingsFile))
	if err != nil {
		return err
	}
	if err := errors.Join(doc.check("project", doc.root), doc.decode(doc.root, &read)); err != nil {
		return err
	}
	if read.OldModelPaths != nil && read.ModelPaths != nil || read.OldSeedPaths != nil && read.SeedPaths != nil {
		return fmt.Errorf("%s: source-paths and data-paths are dbt's old names for model-paths and seed-paths: write each once", doc.file)
	}
	if read.Name == "" {
		return fmt.Errorf("%s: the project has no name", doc.file)
	}
	if l.named(read.Name) != nil || read.Name == "dbt" {
		return fmt.Errorf("%s: there is another package of the name %s", doc.file, read.Name)
	}
	of.name, doc.in = read.Name, of
	if of.isRoot() {
		l.Name = of.name
	}
	var faults [2]error
	of.vars, faults[0] = readVars(doc)
	dispatch, fault := readDispatch(doc)
	faults[1] = fault
	if err := errors.Join(faults[0], faults[1], checkVersion(doc), checkQuoting(doc), l.readRunHooks(doc), l.checkOtherFiles(of)); err != nil {
		return err
	}
	paths := func(configured []string, fallback string) []string {
		var all []string
		for _, folder := range orDefault(configured, fallback) {
			all = append(all, of.at(folder))
		}
		return all
	}
	of.settings = &settings{
		modelPaths: paths(slices.Concat(read.ModelPaths, read.OldModelPaths), "models"), macroPaths: paths(read.MacroPaths, "macros"),
		testPaths: paths(read.TestPaths, "tests"), seedPaths: paths(slices.Concat(read.SeedPaths, read.OldSeedPaths), "seeds"), snapshotPaths: paths(read.Snapshots, "snapshots"),
		packages: cmp.Or(read.Packages, InstallFolder), dispatch: dispatch,
	}
	of.settings.docsPaths = slices.Concat(of.settings.modelPaths, of.settings.seedPaths, of.settings.macroPaths, of.settings.snapshotPaths)
	if len(read.DocsPaths) > 0 {
		of.settings.docsPaths = paths(read.DocsPaths, "")
	}
	l.packages = append(l.packages, of)
	return l.readTrees(of, doc)
}

// readTrees reads the configuration by folder.
func (l *loader) readTrees(of *pkg, doc *document) error {
	tests := "data_tests"
	if doc.field(doc.root, tests) == nil {
		tests = "tests"
	}
	for _, tree := range []struct {
		into        **configTree
		name, place string
	}{
		{&of.settings.models, "models", "model config"}, {&of.settings.seeds, "seeds", "seed config"}, {&of.settings.snapshots, "snapshots", "snapshot config"},
		{&of.settings.tests, tests, "test config"}, {&of.settings.sources, "sources", "source config"},
	} {
		root, err := l.readTree(doc, doc.field(doc.root, tree.name), tree.place)
		if err != nil {
			return err
		}
		*tree.into = newConfigTree(tree.name, root)
		node := doc.field(doc.root, tree.name)
		(*tree.into).raw = sync.OnceValue(func() map[string]any { return rawOf(doc, node) })
	}
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

// unsupported is a setting that the runner refuses, as soon as it applies to
// something.
type unsupported struct{ error }

// applies reports what is wrong in settings that apply to something.
func applies(settings map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if refused, ok := settings[key].(unsupported); ok && settings["enabled"] != false {
			return refused.error
		}
	}
	return nil
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
		if isMapping(entry.Value) && !strings.HasPrefix(key, "+") {
			if root[key], err = l.readTree(doc, entry.Value, place); err != nil {
				return nil, err
			}
			continue
		}
		if err := supported(place, strings.TrimPrefix(key, "+")); err != nil {
			root[key] = unsupported{doc.fail(entry, "%w", err)}
			continue
		}
		if slices.Contains(hookKeys, strings.ReplaceAll(strings.TrimPrefix(key, "+"), "-", "_")) { // rendered when they run
			if root[key], err = written(doc, entry.Value); err != nil {
				return nil, err
			}
			continue
		}
		if root[key], err = rendered(doc, entry.Value, &rendering{project: l.Project, ymlOnly: true}); err != nil {
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
		return r.value(doc.file, lineOfNode(node), v)
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
	if !doc.in.isRoot() {
		return nil // dbt asks the project alone
	}
	entries, err := doc.entries(doc.field(doc.root, "quoting"))
	for _, entry := range entries {
		if b, ok := entry.Value.(*ast.BoolNode); !ok || !b.Value {
			return doc.fail(entry, "quoting %s: false is not supported: names are always quoted here", keyOf(entry))
		}
	}
	return err
}

// checkOtherFiles refuses what dbt would read from a package's folder.
func (l *loader) checkOtherFiles(of *pkg) error {
	if content, err := fs.ReadFile(l.files, of.at(".dbtignore")); err == nil {
		for i, line := range strings.Split(string(content), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				return &jinja.Error{File: of.at(".dbtignore"), Line: i + 1, Err: errors.New("files to ignore are not supported: move them out of the project")}
			}
		}
	}
	if found, _ := fs.Glob(l.files, "selectors.yml"); len(found) == 0 || !of.isRoot() {
		return nil
	}
	doc, err := readYAML(l.files, "selectors.yml")
	if err != nil {
		return err
	}
	selectors, err := doc.items(doc.field(doc.root, "selectors"))
	for _, selector := range selectors {
		if at := doc.field(selector, "default"); at != nil && at.String() != "false" {
			return doc.fail(at, "a default selector is not supported: write --select at the command")
		}
	}
	return err
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
	all := slices.Concat(s.modelPaths, s.seedPaths, s.macroPaths, s.testPaths, s.snapshotPaths)
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
	for _, tree := range []*configTree{s.models, s.seeds, s.snapshots, s.tests, s.sources} {
		for _, path := range slices.Sorted(maps.Keys(tree.unused)) {
			warnings = append(warnings, fmt.Sprintf("%s: the configuration %s applies to nothing: no resource is in that folder", settingsFile, path))
		}
	}
	return warnings
}
