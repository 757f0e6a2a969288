package project

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// The yml files next to the models. Keys that only document are read past;
// what would change a result and is not known here is an error.

type properties struct {
	Models  []modelProperties  `yaml:"models"`
	Seeds   []modelProperties  `yaml:"seeds"`
	Sources []sourceProperties `yaml:"sources"`
}

type modelProperties struct {
	Name        string             `yaml:"name"`
	Description string             `yaml:"description"`
	Config      map[string]any     `yaml:"config"`
	Tests       []any              `yaml:"data_tests"`
	OldTests    []any              `yaml:"tests"`
	Columns     []columnProperties `yaml:"columns"`
}

type columnProperties struct {
	Name        string           `yaml:"name"`
	Type        string           `yaml:"data_type"`
	Description string           `yaml:"description"`
	Tests       []any            `yaml:"data_tests"`
	OldTests    []any            `yaml:"tests"`
	Constraints []map[string]any `yaml:"constraints"`
}

type sourceProperties struct {
	Name      string            `yaml:"name"`
	Database  string            `yaml:"database"`
	Schema    string            `yaml:"schema"`
	Freshness freshness         `yaml:",inline"`
	Config    sourceConfig      `yaml:"config"`
	Tables    []tableProperties `yaml:"tables"`
}

type tableProperties struct {
	Name        string             `yaml:"name"`
	Identifier  string             `yaml:"identifier"`
	Description string             `yaml:"description"`
	Freshness   freshness          `yaml:",inline"`
	Config      sourceConfig       `yaml:"config"`
	Tests       []any              `yaml:"data_tests"`
	OldTests    []any              `yaml:"tests"`
	Columns     []columnProperties `yaml:"columns"`
}

// freshness is what dbt reads from a source, one of its tables, or the config
// of either.
type freshness struct {
	LoadedAt string `yaml:"loaded_at_field"`
	Limits   *struct {
		Warn   *Age   `yaml:"warn_after"`
		Error  *Age   `yaml:"error_after"`
		Filter string `yaml:"filter"`
	} `yaml:"freshness"`
}

// sourceConfig is a config entry; in it freshness: null takes the limits away.
type sourceConfig struct {
	freshness
	unlimited bool
}

func (c *sourceConfig) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&c.freshness); err != nil {
		return err
	}
	var entries map[string]any
	if err := unmarshal(&entries); err != nil {
		return err
	}
	limits, given := entries["freshness"]
	c.unlimited = given && limits == nil
	return nil
}

// An Age is a limit of freshness.
type Age struct {
	Count  int64  `yaml:"count" json:"count"`
	Period string `yaml:"period" json:"period"` // minute, hour or day
}

// Duration is the age as a duration; 0 when its period is none.
func (a *Age) Duration() time.Duration {
	periods := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	return time.Duration(a.Count) * periods[a.Period]
}

func (l *loader) readProperties() error {
	for _, folder := range append(slices.Clone(l.settings.modelPaths), l.settings.seedPaths...) {
		for _, file := range filesUnder(l.files, folder, ".yml", ".yaml") {
			var read properties
			if err := readYAML(l.files, file, &read); err != nil {
				return err
			}
			for _, source := range read.Sources {
				if err := l.addSource(folder, file, source); err != nil {
					return err
				}
			}
			for _, model := range append(read.Models, read.Seeds...) {
				if err := l.addProperties(file, model); err != nil {
					return err
				}
			}
		}
	}
	sort.Slice(l.Sources, func(i, j int) bool { return l.Sources[i].ID < l.Sources[j].ID })
	return nil
}

// text renders a value of a yml file.
func (l *loader) text(file, text, fallback string) (string, error) {
	if text == "" {
		return fallback, nil
	}
	r := &rendering{project: l.Project, config: map[string]any{}}
	rendered, err := l.templates.text(file, text, r)
	if err != nil {
		return "", r.explain(err)
	}
	return rendered, nil
}

func (l *loader) addSource(folder, file string, of sourceProperties) error {
	database, err := l.text(file, of.Database, l.target.Project)
	if err != nil {
		return err
	}
	schema, err := l.text(file, of.Schema, of.Name)
	if err != nil {
		return err
	}
	for _, table := range of.Tables {
		identifier := table.Identifier
		if identifier == "" {
			identifier = table.Name
		}
		fqn := l.fqn(folder, file, of.Name)
		source := &Source{
			Resource: Resource{
				ID: TypeSource + "." + l.Name + "." + of.Name + "." + table.Name, Type: TypeSource, Name: table.Name, Path: file,
				FQN: append(fqn, table.Name),
			},
			SourceName: of.Name, Relation: relation(database, schema, identifier), Description: strings.TrimSpace(table.Description),
		}
		for _, more := range []freshness{of.Freshness, of.Config.freshness, table.Freshness, table.Config.freshness} {
			if err := source.limit(more); err != nil {
				return fmt.Errorf("%s: source %s.%s: %w", file, of.Name, table.Name, err)
			}
		}
		if table.Config.unlimited {
			source.Warn, source.Error = nil, nil
		}
		if source.checks, err = checksOf(file, of.Name+"."+table.Name, append(table.Tests, table.OldTests...), table.Columns); err != nil {
			return err
		}
		l.sources[of.Name+"."+table.Name] = source
		l.Sources = append(l.Sources, source)
	}
	return nil
}

func (s *Source) limit(by freshness) error {
	if by.LoadedAt != "" {
		s.LoadedAt = by.LoadedAt
	}
	if by.Limits == nil {
		return nil
	}
	s.Warn, s.Error, s.Filter = by.Limits.Warn, by.Limits.Error, by.Limits.Filter
	for _, age := range []*Age{s.Warn, s.Error} {
		if age != nil && age.Duration() == 0 {
			return fmt.Errorf("freshness: %d %q is no age: write a count and a period of minute, hour or day", age.Count, age.Period)
		}
	}
	return nil
}

func (l *loader) addProperties(file string, of modelProperties) error {
	model := l.models[of.Name]
	if model == nil {
		return fmt.Errorf("%s: there is no model or seed %q", file, of.Name)
	}
	model.Description = strings.TrimSpace(of.Description)
	model.declared = of.Config
	checks, err := checksOf(file, of.Name, append(of.Tests, of.OldTests...), of.Columns)
	if err != nil {
		return err
	}
	model.checks = append(model.checks, checks...)
	for _, column := range of.Columns {
		declared := Column{
			Name:        column.Name,
			Type:        strings.ToLower(column.Type),
			Description: strings.TrimSpace(column.Description),
		}
		for _, constraint := range column.Constraints {
			declared.NotNull = declared.NotNull || constraint["type"] == "not_null"
		}
		model.Columns = append(model.Columns, declared)
	}
	return nil
}

// checksOf reads the tests of a model or source and of its columns.
func checksOf(file, of string, tests []any, columns []columnProperties) ([]check, error) {
	checks, err := addChecks(nil, file, of, "", tests)
	for _, column := range columns {
		if err != nil {
			return nil, err
		}
		checks, err = addChecks(checks, file, of, column.Name, append(column.Tests, column.OldTests...))
	}
	return checks, err
}
