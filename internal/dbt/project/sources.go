package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

func (l *loader) addSource(folder string, doc *document, node ast.Node) error {
	name, err := doc.named(node)
	if err != nil {
		return err
	}
	config := doc.field(node, "config")
	if err := errors.Join(doc.check("source", node), doc.check("source config", config)); err != nil {
		return err
	}
	database, err := l.string(doc, node, "database", l.target.Project)
	if err != nil {
		return err
	}
	schema, err := l.string(doc, node, "schema", name)
	if err != nil {
		return err
	}
	tables, err := doc.items(doc.field(node, "tables"))
	for _, table := range tables {
		if err := l.addTable(folder, doc, node, table, name, database, schema); err != nil {
			return err
		}
	}
	return err
}

func (l *loader) addTable(folder string, doc *document, of, table ast.Node, sourceName, database, schema string) error {
	name, err := doc.named(table)
	if err != nil {
		return err
	}
	if err := errors.Join(doc.check("table", table), doc.check("source config", doc.field(table, "config"))); err != nil {
		return err
	}
	identifier, err := l.string(doc, table, "identifier", name)
	if err != nil {
		return err
	}
	key := doc.in.name + "." + sourceName + "." + name
	if l.sources[key] != nil {
		return doc.fail(table, "%s already declares the source %s", l.sources[key].Path, sourceName+"."+name)
	}
	source := &Source{
		Resource:   doc.in.resource(TypeSource, sourceName+"."+name, doc.file, append(doc.in.fqn(folder, doc.file, sourceName), name)),
		SourceName: sourceName, Relation: relation(database, schema, identifier), Description: doc.text(table, "description"),
	}
	source.Name = name
	source.asWritten = l.writtenOf(doc.in, source.FQN, func(s *settings) *configTree { return s.sources })
	source.asWritten.doc, source.entries = doc, []ast.Node{of, table}
	source.WrittenDatabase, source.WrittenSchema = doc.text(of, "database"), doc.text(of, "schema")
	if err := l.configureSource(doc, source, of, table); err != nil {
		return err
	}
	if source.checks, err = checksOf(doc, table); err != nil {
		return err
	}
	columns, err := doc.items(doc.field(table, "columns"))
	if err != nil {
		return err
	}
	for _, column := range columns {
		source.columns = append(source.columns, Column{Name: doc.text(column, "name"), Quoted: doc.text(column, "quote") == "true"})
	}
	l.sources[key] = source
	if source.enabled {
		l.Sources = append(l.Sources, source)
	}
	return nil
}

// configureSource reads tags, freshness and whether the source is enabled: of
// dbt_project.yml, the source, and its table; the later win.
func (l *loader) configureSource(doc *document, source *Source, of, table ast.Node) (err error) {
	source.enabled = true
	own, over := l.settingsOf(doc.in, source.FQN, func(s *settings) *configTree { return s.sources })
	if err := errors.Join(checkSettings(own), checkSettings(over)); err != nil {
		return err
	}
	delete(own, "tags") // those of the yml file take their place in dbt, even none
	delete(own, "meta")
	if err := source.configure(own); err != nil {
		return err
	}
	defer func() {
		slices.Sort(source.Tags)
		if err == nil {
			err = source.configure(over)
		}
	}()
	for _, node := range []ast.Node{of, doc.field(of, "config"), table, doc.field(table, "config")} {
		if node == nil {
			continue
		}
		for _, field := range []string{"enabled", "tags", "meta"} {
			at := doc.field(node, field)
			if at == nil {
				continue
			}
			value, err := rendered(doc, at, l.context(doc))
			if err != nil {
				return err
			}
			if err := checkType("source config", field, value); err != nil {
				return doc.fail(at, "source config %w", err)
			}
			switch field {
			case "tags":
				source.Tags, _ = stringList(addTags(anyList(source.Tags), value))
				if node == of || node == table {
					source.own, _ = stringList(addTags(anyList(source.own), value))
				}
			case "enabled":
				source.enabled, _ = value.(bool)
			}
		}
		if at := doc.text(node, "event_time"); at != "" {
			source.eventTime = at
		}
		if err := l.limit(doc, source, node); err != nil {
			return err
		}
	}
	return nil
}

// configure takes over settings of dbt_project.yml.
func (s *Source) configure(settings map[string]any) error {
	if err := applies(settings); err != nil {
		return err
	}
	for key, value := range settings {
		switch key {
		case "enabled":
			s.enabled = value == true
		case "tags":
			s.Tags, _ = stringList(value)
		case "freshness", "loaded_at_field":
			return fmt.Errorf("%s: sources: %s is not supported here: write it in the source's yml file", settingsFile, key)
		}
	}
	return nil
}

// checkSettings refuses settings of dbt_project.yml of the wrong type, also those
// that the yml file overrides.
func checkSettings(settings map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if err := checkType("source config", key, settings[key]); err != nil {
			return fmt.Errorf("%s: sources: %w", settingsFile, err)
		}
	}
	return nil
}

func anyList(texts []string) []any {
	out := []any{}
	for _, text := range texts {
		out = append(out, text)
	}
	return out
}

// limit reads the freshness of a source from one of its entries; null takes
// the limits away.
func (l *loader) limit(doc *document, source *Source, node ast.Node) error {
	text, err := l.string(doc, node, "loaded_at_field", source.LoadedAt)
	if err != nil {
		return err
	}
	source.LoadedAt = text
	limits := doc.field(node, "freshness")
	if limits == nil {
		return nil
	}
	source.freshness = true
	if _, isNull := limits.(*ast.NullNode); isNull {
		source.Warn, source.Error = nil, nil
		return nil
	}
	if err := doc.check("freshness", limits); err != nil {
		return err
	}
	var read struct {
		Warn   *Age   `yaml:"warn_after"`
		Error  *Age   `yaml:"error_after"`
		Filter string `yaml:"filter"`
	}
	if err := doc.decode(limits, &read); err != nil {
		return err
	}
	source.Warn, source.Error, source.Filter = read.Warn, read.Error, read.Filter
	for _, age := range []*Age{source.Warn, source.Error} {
		if age != nil && age.Duration() == 0 {
			return doc.fail(limits, "freshness: %d %q is no age: write a count and a period of minute, hour or day", age.Count, age.Period)
		}
	}
	return nil
}
