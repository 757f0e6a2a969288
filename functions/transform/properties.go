package transform

import (
	"fmt"
	"io/fs"
	"strings"
)

// The yml files beside the models. Keys that only document are read past;
// what would change a result and is not known here is an error.

type properties struct {
	Version int                `yaml:"version"`
	Models  []modelProperties  `yaml:"models"`
	Sources []sourceProperties `yaml:"sources"`
}

type modelProperties struct {
	Name        string             `yaml:"name"`
	Description string             `yaml:"description"`
	Config      map[string]any     `yaml:"config"`
	Tests       []any              `yaml:"data_tests"`
	OldTests    []any              `yaml:"tests"`
	UnitTests   []any              `yaml:"unit_tests"`
	Columns     []columnProperties `yaml:"columns"`
}

type columnProperties struct {
	Name        string `yaml:"name"`
	Type        string `yaml:"data_type"`
	Description string `yaml:"description"`
	Tests       []any  `yaml:"data_tests"`
	OldTests    []any  `yaml:"tests"`
}

type sourceProperties struct {
	Name     string `yaml:"name"`
	Database string `yaml:"database"`
	Schema   string `yaml:"schema"`
	Tables   []struct {
		Name       string             `yaml:"name"`
		Identifier string             `yaml:"identifier"`
		Tests      []any              `yaml:"data_tests"`
		Columns    []columnProperties `yaml:"columns"`
	} `yaml:"tables"`
}

func (p *Project) readProperties(files fs.FS) error {
	for _, file := range filesUnder(files, "models", ".yml") {
		var read properties
		if err := readYAML(files, file, &read); err != nil {
			return err
		}
		for _, source := range read.Sources {
			if err := p.addSource(file, source); err != nil {
				return err
			}
		}
		for _, model := range read.Models {
			if err := p.addProperties(file, model); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Project) addSource(file string, source sourceProperties) error {
	render := func(text, fallback string) (string, error) {
		if text == "" {
			return fallback, nil
		}
		r := &rendering{project: p, config: map[string]any{}}
		rendered, err := p.templates.text(file, text, r.functions())
		if err != nil {
			return "", r.explain(err)
		}
		return rendered, nil
	}
	database, err := render(source.Database, p.target.Project)
	if err != nil {
		return err
	}
	schema, err := render(source.Schema, source.Name)
	if err != nil {
		return err
	}
	for _, table := range source.Tables {
		identifier := table.Identifier
		if identifier == "" {
			identifier = table.Name
		}
		p.sources[source.Name+"."+table.Name] = relation(database, schema, identifier)
	}
	return nil
}

func (p *Project) addProperties(file string, of modelProperties) error {
	model := p.models[of.Name]
	if model == nil {
		return fmt.Errorf("%s: there is no model %q", file, of.Name)
	}
	model.Description = strings.TrimSpace(of.Description)
	model.declared = of.Config
	tests := append(of.Tests, of.OldTests...)
	if err := model.addChecks(file, "", tests); err != nil {
		return err
	}
	for _, column := range of.Columns {
		model.Columns = append(model.Columns, Column{
			Name:        column.Name,
			Type:        strings.ToLower(column.Type),
			Description: strings.TrimSpace(column.Description),
		})
		if err := model.addChecks(file, column.Name, append(column.Tests, column.OldTests...)); err != nil {
			return err
		}
	}
	return nil
}
