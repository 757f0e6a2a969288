// Package project reads a dbt project and compiles it as dbt does: settings,
// yml files, macros, models, seeds and tests come in; SQL in an order in
// which each model comes after those it reads goes out.
//
// It knows a subset of dbt. What is outside of it is an error that names the
// file, the line and the construct, never other SQL than dbt's. The package
// talks to no warehouse: who compiles gives it the answers of run_query.
package project

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
)

// A Target is where a project's relations are.
type Target struct {
	Project string              // Google Cloud project
	Dataset string              // dataset of the models
	Vars    map[string]any      // override the project's own
	Getenv  func(string) string // what env_var reads; nil knows no variable
}

// A Project is a dbt project read from its files: checked, its models in an
// order in which each comes after those it reads. It is immutable and safe
// for concurrent use.
type Project struct {
	Name    string
	Models  []*Model // seeds too
	Tests   []*Test
	Sources []*Source // in the order of their ids

	Exposures []*Exposure
	UnitTests []*UnitTest
	Macros    []*Macro

	Warnings []string // what is legal and most likely a mistake

	target    Target
	vars      map[string]any
	templates *templates
	settings  *settings
	models    map[string]*Model  // by name
	sources   map[string]*Source // by "source.table"
}

// A Resource is what models, seeds, tests and sources have in common.
type Resource struct {
	ID    string // dbt's unique_id, for example model.stationflow.incidents_hourly
	Type  string // model, seed, test or source
	Name  string
	Path  string   // of the file that declares it, within the project
	FQN   []string // project, folders, name
	Tags  []string
	Reads []string // ids of the models, seeds and sources it reads, in the order of first use
}

// Types of resources.
const (
	TypeModel  = "model"
	TypeSeed   = "seed"
	TypeTest   = "test"
	TypeSource = "source"
)

// A Model is one file of models/ or seeds/.
type Model struct {
	Resource
	Description string
	Columns     []Column
	Config      Config // as it is on a first run
	RawSQL      string // the file as it is, without white space around it

	folder   map[string]any // config of dbt_project.yml
	declared map[string]any // config of the yml entry
	template *template      // nil for a seed
	rows     string         // a seed's rows as a query
	checks   []check
}

// A Column is declared in a model's yml entry.
type Column struct {
	Name        string
	Type        string // GoogleSQL, lower case
	Description string
	NotNull     bool // has a not_null constraint
}

// A Source is a table that others fill.
type Source struct {
	Resource
	SourceName  string
	Relation    string
	Description string
	LoadedAt    string // column or expression; "" for none
	Filter      string // of the freshness query; "" for none
	Warn, Error *Age   // freshness; nil for no limit

	checks []check
}

// Load reads a project. Every fault names its file.
func Load(files fs.FS, target Target) (*Project, error) {
	p := &Project{target: target, templates: &templates{}, models: map[string]*Model{}, sources: map[string]*Source{}}
	for _, step := range []func(fs.FS) error{
		p.readSettings, p.readMacros, p.readModels, p.readSeeds, p.readProperties, p.discoverAll, p.readTests, p.readDocuments,
	} {
		if err := step(files); err != nil {
			return nil, err
		}
	}
	p.Warnings = append(p.Warnings, p.settings.unused()...)
	return p, nil
}

// Model returns the model or seed of a name, or nil.
func (p *Project) Model(name string) *Model { return p.models[name] }

// Source returns the source of an id, or nil.
func (p *Project) Source(id string) *Source {
	at := slices.IndexFunc(p.Sources, func(s *Source) bool { return s.ID == id })
	if at < 0 {
		return nil
	}
	return p.Sources[at]
}

// Relation is the quoted name of a model's table or view.
func (p *Project) Relation(model *Model) string { return p.RelationOf(model.Table()) }

// RelationOf is the quoted name of a table in the models' dataset.
func (p *Project) RelationOf(table string) string {
	return relation(p.target.Project, p.target.Dataset, table)
}

func relation(project, dataset, table string) string {
	return "`" + project + "`.`" + dataset + "`.`" + table + "`"
}

// Target is where the project's relations are.
func (p *Project) Target() Target { return p.target }

// Table is the name of the model's table or view.
func (m *Model) Table() string {
	if m.Config.Alias != "" {
		return m.Config.Alias
	}
	return m.Name
}

func (p *Project) readMacros(files fs.FS) error {
	for _, folder := range append(slices.Clone(p.settings.macroPaths), p.settings.genericTestPaths()...) {
		for _, file := range filesUnder(files, folder, ".sql") {
			source, err := fs.ReadFile(files, file)
			if err != nil {
				return err
			}
			p.addMacros(file, string(source))
			if strings.HasPrefix(string(source), onlyForDbt) {
				continue
			}
			if err := p.templates.addMacros(file, string(source)); err != nil {
				return err
			}
		}
	}
	return nil
}

// onlyForDbt begins a macro file that changes how dbt-core builds models; the
// runner has its own way.
const onlyForDbt = "{# dbt-core only"

func (p *Project) readModels(files fs.FS) error {
	for _, folder := range p.settings.modelPaths {
		for _, file := range filesUnder(files, folder, ".sql") {
			source, err := fs.ReadFile(files, file)
			if err != nil {
				return err
			}
			model := p.newModel(TypeModel, folder, file, p.settings.models)
			model.RawSQL = strings.TrimSpace(string(source))
			if model.template, err = parseTemplate(file, model.RawSQL, leadingLines(string(source))); err != nil {
				return err
			}
			if err := p.addModel(model); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Project) newModel(kind, folder, file string, tree *configTree) *Model {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	model := &Model{Resource: Resource{
		ID: kind + "." + p.Name + "." + name, Type: kind, Name: name, Path: file, FQN: p.fqn(folder, file, name),
	}}
	model.folder = tree.of(model.FQN)
	return model
}

// fqn is the project, the folders below one of its paths, and the name.
func (p *Project) fqn(folder, file, name string) []string {
	fqn := []string{p.Name}
	if below := strings.TrimPrefix(strings.TrimPrefix(path.Dir(file), folder), "/"); below != "" {
		fqn = append(fqn, strings.Split(below, "/")...)
	}
	return append(fqn, name)
}

func (p *Project) addModel(model *Model) error {
	if other := p.models[model.Name]; other != nil {
		return fmt.Errorf("%s: %s already has a model of this name", model.Path, other.Path)
	}
	p.models[model.Name] = model
	p.Models = append(p.Models, model)
	return nil
}

// discoverAll renders each model once, without a warehouse, to learn what it
// reads and how it is configured, and puts the models in order.
func (p *Project) discoverAll(fs.FS) error {
	for _, model := range p.Models {
		if err := p.discover(model); err != nil {
			return err
		}
	}
	p.Models = slices.DeleteFunc(p.Models, func(m *Model) bool { return !m.Config.Enabled })
	var err error
	p.Models, err = p.inOrder()
	return err
}

func (p *Project) discover(model *Model) error {
	if model.Type == TypeSeed {
		if err := model.readRows(); err != nil {
			return err
		}
	}
	compiled, err := p.render(model, Compilation{})
	if err != nil {
		return err
	}
	model.Config, model.Reads, model.Tags = compiled.Config, compiled.reads, compiled.Config.Tags
	return model.check()
}

// inOrder sorts models so that each comes after those it reads; ties by name.
func (p *Project) inOrder() ([]*Model, error) {
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
		for _, parent := range p.parents(model) {
			if !parent.Config.Enabled {
				return fmt.Errorf("%s: ref: the model %q is disabled", model.Path, parent.Name)
			}
			if err := visit(parent, model.Name); err != nil {
				return err
			}
		}
		state[model] = done
		order = append(order, model)
		return nil
	}
	all := slices.Clone(p.Models)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, model := range all {
		if err := visit(model, ""); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func (p *Project) parents(model *Model) []*Model {
	var parents []*Model
	for _, id := range model.Reads {
		if parent := p.byID(id); parent != nil {
			parents = append(parents, parent)
		}
	}
	return parents
}

// byID returns the model or seed of an id, or nil.
func (p *Project) byID(id string) *Model {
	model := p.models[id[strings.LastIndex(id, ".")+1:]]
	if model == nil || model.ID != id {
		return nil
	}
	return model
}

// filesUnder lists the files below a folder, in the order of their names.
func filesUnder(files fs.FS, folder string, extensions ...string) []string {
	var found []string
	_ = fs.WalkDir(files, folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains(extensions, path.Ext(name)) {
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

// Through replaces the ephemeral models among ids by what these read: what a
// reader of them depends on.
func (p *Project) Through(ids []string) []string {
	var out []string
	for _, id := range ids {
		model := p.byID(id)
		switch {
		case model != nil && model.Config.Materialized == Ephemeral:
			out = append(out, p.Through(model.Reads)...)
		default:
			out = append(out, id)
		}
	}
	return out
}
