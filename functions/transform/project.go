package transform

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
)

// A Target is where a project's relations are.
type Target struct {
	Project string            // Google Cloud project
	Dataset string            // dataset of the models
	Vars    map[string]any    // override the project's own
	Env     map[string]string // what env_var reads; all others are an error
}

// A Project is a dbt project read from its files: checked, its models in an
// order in which each comes after those it reads. It is immutable and safe
// for concurrent use.
type Project struct {
	Name   string
	Models []*Model
	Tests  []*Test

	target    Target
	vars      map[string]any
	templates *templates
	models    map[string]*Model
	sources   map[string]string // relation by "source.table"
}

// A Model is one file of models/.
type Model struct {
	Name        string
	Path        string
	Description string
	Columns     []Column
	Config      ModelConfig // as it is on a first run
	Refs        []string
	Sources     []string // "source.table"

	folder   map[string]any // config of dbt_project.yml
	declared map[string]any // config of the yml entry
	template *template
	checks   []check
}

// A Column is declared in a model's yml entry.
type Column struct {
	Name        string
	Type        string // GoogleSQL, lower case
	Description string
}

// Load reads a project. Every fault names its file.
func Load(files fs.FS, target Target) (*Project, error) {
	p := &Project{target: target, templates: &templates{}, models: map[string]*Model{}, sources: map[string]string{}}
	folders, err := p.readSettings(files)
	if err != nil {
		return nil, err
	}
	if err := p.readMacros(files); err != nil {
		return nil, err
	}
	if err := p.readModels(files, folders); err != nil {
		return nil, err
	}
	if err := p.readProperties(files); err != nil {
		return nil, err
	}
	for _, model := range p.Models {
		if err := p.discover(model); err != nil {
			return nil, err
		}
	}
	if p.Models, err = inOrder(p.Models, p.models); err != nil {
		return nil, err
	}
	if err := p.readTests(files); err != nil {
		return nil, err
	}
	return p, nil
}

// Relation is the quoted name of a model's table or view.
func (p *Project) Relation(name string) string {
	return relation(p.target.Project, p.target.Dataset, name)
}

func relation(project, dataset, table string) string {
	return "`" + project + "`.`" + dataset + "`.`" + table + "`"
}

// readSettings reads dbt_project.yml and returns the configuration of the
// model folders.
func (p *Project) readSettings(files fs.FS) (map[string]any, error) {
	const name = "dbt_project.yml"
	var settings struct {
		Name   string         `yaml:"name"`
		Vars   map[string]any `yaml:"vars"`
		Models map[string]any `yaml:"models"`
	}
	if err := readYAML(files, name, &settings); err != nil {
		return nil, err
	}
	p.Name = settings.Name
	p.vars = maps.Clone(settings.Vars)
	if p.vars == nil {
		p.vars = map[string]any{}
	}
	maps.Copy(p.vars, p.target.Vars)
	folders, ok := settings.Models[p.Name].(map[string]any)
	if !ok && len(settings.Models) > 0 {
		return nil, fmt.Errorf("%s: models has no entry %q", name, p.Name)
	}
	return folders, nil
}

func (p *Project) readMacros(files fs.FS) error {
	for _, file := range sqlFiles(files, "macros") {
		source, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(source), onlyForDbt) {
			continue
		}
		parsed, err := parseTemplate(file, string(source))
		if err != nil {
			return err
		}
		p.templates.macros = append(p.templates.macros, parsed)
	}
	return nil
}

// onlyForDbt begins a macro file that changes how dbt-core builds models; the
// materializations of this package have that built in.
const onlyForDbt = "{# dbt-core only"

func (p *Project) readModels(files fs.FS, folders map[string]any) error {
	for _, file := range sqlFiles(files, "models") {
		source, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		parsed, err := parseTemplate(file, string(source))
		if err != nil {
			return err
		}
		model := &Model{Name: nameOf(file), Path: file, template: parsed, folder: folderConfig(folders, file)}
		if other := p.models[model.Name]; other != nil {
			return fmt.Errorf("%s: %s already has a model of this name", file, other.Path)
		}
		p.models[model.Name] = model
		p.Models = append(p.Models, model)
	}
	return nil
}

// folderConfig collects the "+key" settings on the way to a file.
func folderConfig(folders map[string]any, file string) map[string]any {
	settings := map[string]any{}
	steps := strings.Split(path.Dir(file), "/")[1:]
	for level := folders; level != nil; {
		for key, value := range level {
			if name, ok := strings.CutPrefix(key, "+"); ok {
				settings[name] = value
			}
		}
		if len(steps) == 0 {
			break
		}
		level, _ = level[steps[0]].(map[string]any)
		steps = steps[1:]
	}
	return settings
}

// discover renders the model once, without a warehouse, to learn what it
// reads and how it is configured.
func (p *Project) discover(model *Model) error {
	compiled, err := p.Compile(model, Compilation{})
	if err != nil {
		return err
	}
	model.Config, model.Refs, model.Sources = compiled.Config, compiled.refs, compiled.sources
	return model.check()
}

// check refuses what the runner could not carry out.
func (m *Model) check() error {
	c := &m.Config
	switch {
	case !slices.Contains([]string{view, table, incremental}, c.Materialized):
		return fmt.Errorf("%s: materialized is %q: only view, table and incremental are supported", m.Path, c.Materialized)
	case c.Materialized == incremental && c.Strategy != "insert_overwrite":
		return fmt.Errorf("%s: incremental_strategy is %q: only insert_overwrite is supported", m.Path, c.Strategy)
	case c.Materialized == incremental && c.PartitionBy == nil:
		return fmt.Errorf("%s: insert_overwrite needs partition_by", m.Path)
	case c.Materialized != view && len(m.Columns) == 0:
		return fmt.Errorf("%s: the model is a table: declare its columns in a yml file beside it", m.Path)
	}
	for _, column := range m.Columns {
		if column.Type == "" && c.Materialized != view {
			return fmt.Errorf("%s: column %s has no data_type in the yml file", m.Path, column.Name)
		}
	}
	return nil
}

// inOrder sorts models so that each comes after those it reads; ties by name.
func inOrder(all []*Model, byName map[string]*Model) ([]*Model, error) {
	const visiting, done = 1, 2
	state := map[*Model]int{}
	var order []*Model
	var visit func(model *Model, from string) error
	visit = func(model *Model, from string) error {
		switch state[model] {
		case visiting:
			return fmt.Errorf("%s: the models %s and %s read each other", model.Path, model.Name, from)
		case done:
			return nil
		}
		state[model] = visiting
		for _, ref := range model.Refs {
			if err := visit(byName[ref], model.Name); err != nil {
				return err
			}
		}
		state[model] = done
		order = append(order, model)
		return nil
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, model := range all {
		if err := visit(model, ""); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// sqlFiles lists the .sql files under a folder, in the order of their names.
func sqlFiles(files fs.FS, folder string) []string { return filesUnder(files, folder, ".sql") }

func filesUnder(files fs.FS, folder, extension string) []string {
	var found []string
	_ = fs.WalkDir(files, folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Ext(name) == extension {
			found = append(found, name)
		}
		return nil // an absent folder is an empty one
	})
	return found
}

func readYAML(files fs.FS, name string, into any) error {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("reading the dbt project: %w", err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
