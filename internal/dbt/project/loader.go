package project

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
)

// A loader reads the files of a project into it.
type loader struct {
	*Project
	files     fs.FS
	documents []folded
	// described are the lines of descriptions, by model and by model.column.
	described map[string]int
}

// A folded document is a yml file and the configured folder it lies in.
type folded struct {
	folder string
	*document
}

// Load reads a project and the packages that it has installed. Every fault
// names its file.
func Load(files fs.FS, target Target) (*Project, error) {
	l := &loader{files: files, described: map[string]int{}, Project: &Project{target: target, models: map[string]*Model{}, sources: map[string]*Source{}}}
	if err := l.readPackage(""); err != nil {
		return nil, err
	}
	if err := l.readInstalled(); err != nil {
		return nil, err
	}
	l.orderRunHooks()
	for _, read := range []func(*pkg) error{l.readMacros, l.readModels, l.readSeeds, l.readSnapshots, l.readProperties} {
		for _, of := range l.packages {
			if err := read(of); err != nil {
				return nil, err
			}
		}
	}
	for _, step := range []func() error{l.discoverAll, l.readTests, l.checkAccess, l.readDocuments, l.describe, l.checkExecution, l.checkHooks} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	l.Warnings = append(l.Warnings, l.packages[0].settings.unused()...)
	return l.Project, nil
}

func (l *loader) readModels(of *pkg) error {
	for _, folder := range of.settings.modelPaths {
		for _, file := range filesUnder(l.files, folder, ".sql") {
			source, err := fs.ReadFile(l.files, file)
			if err != nil {
				return err
			}
			model := l.newModel(of, TypeModel, folder, file, func(s *settings) *configTree { return s.models })
			model.File = asText(source)
			model.RawSQL = strings.TrimSpace(string(source))
			if model.template, err = parseTemplate(file, string(source)); err != nil {
				return err
			}
			if !of.isRoot() {
				model.template = model.template.Lenient()
			}
			if err := l.addModel(model); err != nil {
				return err
			}
		}
		if found := filesUnder(l.files, folder, ".py"); len(found) > 0 {
			return fmt.Errorf("%s: models in Python are not supported: write it in SQL", found[0])
		}
	}
	return nil
}

func (l *loader) newModel(of *pkg, kind, folder, file string, tree func(*settings) *configTree) *Model {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	model := &Model{in: of, Resource: of.resource(kind, name, file, of.fqn(folder, file, name))}
	model.folder, model.over = l.settingsOf(of, model.FQN, tree)
	model.asWritten = l.writtenOf(of, model.FQN, tree)
	return model
}

func (l *loader) addModel(model *Model) error {
	if other := l.models[model.Name]; other != nil {
		return fmt.Errorf("%s: %s already has a model of this name", model.Path, other.Path)
	}
	l.models[model.Name] = model
	l.Models = append(l.Models, model)
	return nil
}

// discoverAll renders each model once, without a warehouse, to learn what it
// reads and how it is configured, and puts the models in order.
func (l *loader) discoverAll() error {
	for _, model := range l.Models {
		if err := l.discover(model); err != nil {
			return err
		}
	}
	l.Models = slices.DeleteFunc(l.Models, func(m *Model) bool { return !m.Config.Enabled })
	if err := l.checkRelations(); err != nil {
		return err
	}
	var err error
	l.Models, err = l.inOrder()
	return err
}

func (l *loader) discover(model *Model) error {
	if model.Type == TypeSeed {
		if err := model.readRows(); err != nil {
			return err
		}
	}
	compiled, err := l.render(model, Compilation{})
	var input *unreadable
	if errors.As(err, &input) { // nothing is wrong with that where the model is disabled
		compiled, _ = l.render(model, Compilation{lenient: true})
		if compiled != nil && !compiled.Config.Enabled {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	model.Config, model.Reads, model.Tags = compiled.Config, compiled.reads, compiled.Config.Tags
	model.asksIncremental = compiled.asksIncremental
	model.asWritten.called, model.Macros = compiled.called, compiled.macros
	model.dicts = append(model.dicts, compiled.dicts...)
	if model.Type == TypeModel {
		model.asWritten.source, model.asWritten.isModel = model.RawSQL, true
	}
	if c := &model.Config; c.KnowsPartitions && c.Partitions == "" && !model.Remembers() {
		c.KnowsPartitions = false // dbt replaces those that there are rows of, then
	}
	if !model.Config.Enabled {
		return nil
	}
	if err := l.nameByMacros(model); err != nil {
		return err
	}
	if err := l.discoverHooks(model); err != nil {
		return err
	}
	if model.Type == TypeSnapshot {
		if err := model.checkSnapshot(l.target); err != nil {
			return err
		}
	}
	return model.check()
}

// inOrder sorts models so that each comes after those it reads; ties by name.
func (l *loader) inOrder() ([]*Model, error) {
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
		for _, parent := range l.parents(model) {
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
	all := slices.Clone(l.Models)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, model := range all {
		if err := visit(model, ""); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func (l *loader) parents(model *Model) []*Model {
	var parents []*Model
	for _, id := range model.Reads {
		if parent := l.ByID(id); parent != nil {
			parents = append(parents, parent)
		}
	}
	return parents
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
