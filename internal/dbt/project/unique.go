package project

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// nameByMacros names a model's relation as the project's own macros do, where
// it has them.
func (l *loader) nameByMacros(model *Model) error {
	r := &rendering{project: l.Project, in: model.in, compilation: Compilation{Execute: true}, model: model, config: map[string]any{}, file: model.Path}
	node := r.modelObject()
	for _, macro := range []string{"generate_schema_name", "generate_database_name"} {
		of := definesIn(macro, model.in, l.packages[0])
		if of == nil {
			continue
		}
		name, err := r.call(of, macro, nil, node)
		if err != nil {
			return err
		}
		want := l.target.Dataset
		if macro == "generate_database_name" {
			want = l.target.Project
		}
		if name = strings.TrimSpace(name); name != want {
			return fmt.Errorf("%s: the macro %s puts the model into %s, and all models land in %s: let it give the target's own", model.Path, macro, name, want)
		}
	}
	var err error
	model.Config.Alias, err = l.aliasOf(r, model.Config.Alias, node)
	return err
}

// nameTest names the table of a test's failures as dbt does.
func (l *loader) nameTest(test *Test, custom string) error {
	node := &refuser{"node", map[string]jinja.Value{
		"name": test.Name, "unique_id": test.ID, "resource_type": test.Type, "package_name": test.Package, "original_file_path": test.Within(),
		"fqn": jinja.ValueOf(test.FQN), "tags": jinja.ValueOf(test.Tags), "database": l.target.Project,
	}}
	alias, err := l.aliasOf(&rendering{project: l.Project, in: test.in, compilation: Compilation{Execute: true}, file: test.Path}, custom, node)
	test.Alias = cmp.Or(alias, test.Name)
	return err
}

// aliasOf is the alias that a project's macro gives, or else the one that is
// configured.
func (l *loader) aliasOf(r *rendering, configured string, node jinja.Value) (string, error) {
	of := definesIn("generate_alias_name", r.in, l.packages[0])
	if of == nil {
		return configured, nil
	}
	var custom jinja.Value
	if configured != "" {
		custom = configured
	}
	name, err := r.call(of, "generate_alias_name", custom, node)
	return strings.TrimSpace(name), err
}

// beside matches the names of what the runner keeps beside a relation.
var beside = regexp.MustCompile(`^(.+)__(?:next|new|wider|table)(?:_\d+_[a-z0-9]{8})?$`)

// checkRelations refuses two models with one relation, and one whose relation
// is what the runner keeps beside another.
func (l *loader) checkRelations() error {
	paths := map[string]string{}
	for _, model := range l.Models { // dbt counts ephemeral ones, too
		if other, twice := paths[model.Table()]; twice {
			return fmt.Errorf("%s: %s makes the same relation %s: give one of them another alias", model.Path, other, model.Table())
		}
		paths[model.Table()] = model.Path
	}
	for name, path := range paths {
		if parts := beside.FindStringSubmatch(name); parts != nil && paths[parts[1]] != "" {
			return fmt.Errorf("%s: the runner keeps a relation of its own under the name %s: give the model another alias", path, name)
		}
	}
	return nil
}
