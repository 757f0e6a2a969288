// Package project reads a dbt project and compiles it as dbt does: settings,
// yml files, macros, models, seeds and tests come in; SQL in an order in
// which each model comes after those it reads goes out.
//
// It knows a subset of dbt. What is outside of it is an error that names the
// file, the line and the construct, never other SQL than dbt's. The package
// talks to no warehouse: who compiles gives it the answers of run_query.
package project

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// A Target is where a project's relations are.
type Target struct {
	Project string         // Google Cloud project
	Dataset string         // dataset of the models
	Vars    map[string]any // override the project's own
	// LookupEnv is what env_var reads; nil knows no variable.
	LookupEnv func(string) (string, bool)
}

// A Project is a dbt project read from its files: checked, its models in an
// order in which each comes after those it reads. It is immutable and safe
// for concurrent use.
type Project struct {
	Name    string
	Models  []*Model // seeds and snapshots too
	Tests   []*Test
	Sources []*Source // in the order of their ids

	Exposures []*Exposure
	UnitTests []*UnitTest
	Macros    []*Macro

	OnRunStart, OnRunEnd []Hook

	Warnings []string // what is legal and most likely a mistake

	target   Target
	states   map[string]map[string]bool // ids, by value of the selector state:
	packages []*pkg                     // the project itself, and those that it has installed
	models   map[string]*Model          // by name
	sources  map[string]*Source         // by "package.source.table"
}

// A Resource is what models, seeds, tests and sources have in common.
type Resource struct {
	ID    string // dbt's unique_id, for example model.stationflow.incidents_hourly
	Type  string // model, seed, snapshot, test or source
	Name  string
	Path  string   // of the file that declares it, within the project
	FQN   []string // package, folders, name
	Tags  []string
	Reads []string // ids of the models, seeds and sources it reads, in the order of first use

	// Macros are the ids of those of the project and its packages that it uses,
	// also by others.
	Macros []string

	Package string // the project's name, or that of a package
	dir     string // of the package, within the project
}

// Within is the path of its file within its package.
func (r *Resource) Within() string { return strings.TrimPrefix(strings.TrimPrefix(r.Path, r.dir), "/") }

// Types of resources.
const (
	TypeModel  = "model"
	TypeSeed   = "seed"
	TypeTest   = "test"
	TypeSource = "source"

	TypeSnapshot = "snapshot"
	TypeUnitTest = "unit_test"
)

// A Model is one file of models/ or seeds/, or a snapshot.
type Model struct {
	Resource
	Description string
	Columns     []Column
	Config      Config // as it is on a first run
	RawSQL      string // the file without white space around it
	File        string // the file as it is

	in        *pkg
	asWritten writtenConfig
	folder    map[string]any // config of its package's dbt_project.yml
	declared  map[string]any // config of the yml entry
	over      map[string]any // config of the project's dbt_project.yml for a model of a package
	template  *template      // nil for a seed
	rows      string         // a seed's rows as a query
	dicts     []orderedSetting
	checks    []check
	patched   string // yml file with its entry

	asksIncremental bool // it calls is_incremental
}

// A Column is declared in a model's yml entry.
type Column struct {
	Name        string
	Type        string // GoogleSQL, lower case
	Declared    string // the type as the yml file has it
	Description string
	NotNull     bool // has a not_null constraint
	Quoted      bool // quote: true
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

	// WrittenDatabase and WrittenSchema are as the yml file has them.
	WrittenDatabase, WrittenSchema string

	checks    []check
	own       []string // tags, without those of config
	enabled   bool
	freshness bool // a yml entry names it
	asWritten writtenConfig
	entries   []ast.Node // of the source and of its table
	eventTime string     // column
	columns   []Column
}

// States are the values of the selector state: that are known.
var States = []string{
	"new", "old", "modified", "unmodified", "modified.body", "modified.configs", "modified.relation", "modified.contract", "modified.macros",
}

// WithStates is the project with what the selector state: selects, by value.
func (p *Project) WithStates(states map[string]map[string]bool) *Project {
	with := *p
	with.states = states
	return &with
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

// Resources are all models, seeds, snapshots, tests, unit tests and sources, in
// the order in which they can be run; sources come first.
func (p *Project) Resources() []*Resource {
	var all []*Resource
	for _, source := range p.Sources {
		all = append(all, &source.Resource)
	}
	for _, model := range p.Models {
		all = append(all, &model.Resource)
	}
	for _, test := range p.Tests {
		all = append(all, &test.Resource)
	}
	for _, test := range p.UnitTests {
		all = append(all, &test.Resource)
	}
	return all
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

// NameOf is the name within an id: its last part.
func NameOf(id string) string { return id[strings.LastIndex(id, ".")+1:] }

// ByID returns the model, seed or snapshot of an id, or nil.
func (p *Project) ByID(id string) *Model {
	model := p.models[NameOf(id)]
	if model == nil || model.ID != id {
		return nil
	}
	return model
}

// test returns the test of an id, or nil.
func (p *Project) test(id string) *Test {
	at := slices.IndexFunc(p.Tests, func(t *Test) bool { return t.ID == id })
	if at < 0 {
		return nil
	}
	return p.Tests[at]
}

// Through replaces the ephemeral models among ids by what these read: what a
// reader of them depends on.
func (p *Project) Through(ids []string) []string {
	var out []string
	for _, id := range ids {
		model := p.ByID(id)
		switch {
		case model != nil && model.Config.Materialized == Ephemeral:
			out = append(out, p.Through(model.Reads)...)
		default:
			out = append(out, id)
		}
	}
	return out
}
