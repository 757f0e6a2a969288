package project

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// settings are those of dbt_project.yml.
type settings struct {
	modelPaths, macroPaths, testPaths, seedPaths []string

	models, seeds, tests *configTree
}

// settingsFile is the only name that dbt reads.
const settingsFile = "dbt_project.yml"

func (l *loader) readSettings() error {
	var read struct {
		Name       string         `yaml:"name"`
		ModelPaths []string       `yaml:"model-paths"`
		MacroPaths []string       `yaml:"macro-paths"`
		TestPaths  []string       `yaml:"test-paths"`
		SeedPaths  []string       `yaml:"seed-paths"`
		Models     map[string]any `yaml:"models"`
		Seeds      map[string]any `yaml:"seeds"`
		DataTests  map[string]any `yaml:"data_tests"`
		Tests      map[string]any `yaml:"tests"`
		Hooks      []any          `yaml:"on-run-start"`
		EndHooks   []any          `yaml:"on-run-end"`
	}
	if err := readYAML(l.files, settingsFile, &read); err != nil {
		return err
	}
	if read.Name == "" {
		return fmt.Errorf("%s: the project has no name", settingsFile)
	}
	if len(read.Hooks)+len(read.EndHooks) > 0 {
		return fmt.Errorf("%s: on-run-start and on-run-end are not supported", settingsFile)
	}
	l.Name = read.Name
	if err := l.readVars(); err != nil {
		return err
	}
	if len(read.DataTests) == 0 {
		read.DataTests = read.Tests
	}
	l.settings = &settings{
		modelPaths: orDefault(read.ModelPaths, "models"), macroPaths: orDefault(read.MacroPaths, "macros"),
		testPaths: orDefault(read.TestPaths, "tests"), seedPaths: orDefault(read.SeedPaths, "seeds"),
		models: newConfigTree("models", read.Models), seeds: newConfigTree("seeds", read.Seeds), tests: newConfigTree("data_tests", read.DataTests),
	}
	return nil
}

// readVars reads the variables: the project's own win over those of all, and
// the target's over both. Dicts keep the order of their keys.
func (l *loader) readVars() error {
	content, err := fs.ReadFile(l.files, settingsFile)
	if err != nil {
		return err
	}
	var read struct {
		Vars yaml.MapSlice `yaml:"vars"`
	}
	if err := yaml.UnmarshalWithOptions(content, &read, yaml.UseOrderedMap()); err != nil {
		return fmt.Errorf("%s: %w", settingsFile, err)
	}
	l.vars = map[string]any{}
	var own yaml.MapSlice
	for _, item := range read.Vars {
		if below, ok := item.Value.(yaml.MapSlice); ok && item.Key == l.Name {
			own = below
			continue
		}
		l.vars[fmt.Sprint(item.Key)] = ordered(item.Value)
	}
	for _, item := range own {
		l.vars[fmt.Sprint(item.Key)] = ordered(item.Value)
	}
	maps.Copy(l.vars, l.target.Vars)
	return nil
}

// ordered is a value of a yml file as Jinja takes it.
func ordered(value any) any {
	switch value := value.(type) {
	case yaml.MapSlice:
		dict := exec.NewDict()
		for _, item := range value {
			dict.Pairs = append(dict.Pairs, &exec.Pair{Key: exec.AsValue(item.Key), Value: exec.AsValue(ordered(item.Value))})
		}
		return dict
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = ordered(item)
		}
		return list
	}
	return value
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

// rootOf is the configured path that a yml file is below.
func (s *settings) rootOf(file string) string {
	for _, root := range append(slices.Clone(s.modelPaths), s.seedPaths...) {
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
	for _, tree := range []*configTree{s.models, s.seeds, s.tests} {
		for _, path := range slices.Sorted(maps.Keys(tree.unused)) {
			warnings = append(warnings, fmt.Sprintf("%s: the configuration %s applies to nothing: no resource is in that folder", settingsFile, path))
		}
	}
	return warnings
}

// A configTree is the configuration by folder in dbt_project.yml: keys that
// begin with +, or hold no further keys, are settings; all others are folders
// or names of resources.
type configTree struct {
	name   string
	root   map[string]any
	unused map[string]bool // paths with settings, until one resource is below them
}

func newConfigTree(name string, root map[string]any) *configTree {
	t := &configTree{name: name, root: root, unused: map[string]bool{}}
	t.note(name, root)
	return t
}

func (t *configTree) note(path string, level map[string]any) {
	for key, value := range level {
		if below, ok := folderOf(key, value); ok {
			t.note(path+"."+key, below)
		} else if path != t.name {
			t.unused[path] = true
		}
	}
}

func folderOf(key string, value any) (map[string]any, bool) {
	below, ok := value.(map[string]any)
	return below, ok && !strings.HasPrefix(key, "+")
}

// of collects the settings on the way to a resource; the deeper ones win, and
// tags add up.
func (t *configTree) of(fqn []string) map[string]any {
	settings := map[string]any{}
	level, path := t.root, t.name
	for i := 0; level != nil; i++ {
		for key, value := range level {
			if _, ok := folderOf(key, value); ok {
				continue
			}
			name := strings.TrimPrefix(key, "+")
			if name == "tags" {
				value = addTags(settings[name], value)
			}
			settings[name] = value
		}
		delete(t.unused, path)
		if i == len(fqn) {
			break
		}
		path += "." + fqn[i]
		level, _ = folderOf(fqn[i], level[fqn[i]])
	}
	return settings
}

// addTags joins two values of the setting tags, each a text or a list.
func addTags(values ...any) any {
	var all []any
	for _, value := range values {
		list, _ := stringList(value)
		for _, tag := range list {
			if !slices.Contains(all, any(tag)) {
				all = append(all, tag)
			}
		}
	}
	return all
}
