package project

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// The yml files next to the models. Each name in them is honoured, means
// nothing to what is built, or is refused; support.txt says which.

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

func (l *loader) readProperties(of *pkg) error {
	for _, folder := range of.settings.ymlPaths() {
		for _, file := range filesUnder(l.files, folder, ".yml", ".yaml") {
			doc, err := readYAML(l.files, file)
			if err != nil {
				return err
			}
			doc.in = of
			if err := l.readDocument(folder, doc); err != nil {
				return err
			}
		}
	}
	sort.Slice(l.Sources, func(i, j int) bool { return l.Sources[i].ID < l.Sources[j].ID })
	return nil
}

func (l *loader) readDocument(folder string, doc *document) error {
	if err := doc.check("file", doc.root); err != nil {
		return err
	}
	l.documents = append(l.documents, folded{folder, doc})
	for _, section := range []struct {
		names []string
		read  func(ast.Node) error
	}{
		{[]string{"sources"}, func(n ast.Node) error { return l.addSource(folder, doc, n) }},
		{[]string{"models"}, func(n ast.Node) error { return l.addPatch(doc, TypeModel, n) }},
		{[]string{"seeds"}, func(n ast.Node) error { return l.addPatch(doc, TypeSeed, n) }},
		{[]string{"snapshots"}, func(n ast.Node) error { return l.addSnapshotEntry(folder, doc, n) }},
		{[]string{"data_tests", "tests"}, func(n ast.Node) error { return l.addTestPatch(doc, n) }},
	} {
		for _, name := range section.names {
			items, err := doc.items(doc.field(doc.root, name))
			if err != nil {
				return err
			}
			for _, item := range items {
				if err := section.read(item); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// named is the name of an entry, which must have one.
func (d *document) named(node ast.Node) (string, error) {
	name := d.text(node, "name")
	if name == "" {
		return "", d.fail(node, "the entry has no name")
	}
	return name, nil
}

// text is the text of a field; "" for none.
func (d *document) text(node ast.Node, field string) string {
	var text string
	if at := d.field(node, field); at != nil {
		if err := d.decode(at, &text); err != nil {
			return at.GetToken().Value
		}
	}
	return text
}

// context is what values of yml files know.
func (l *loader) context(doc *document) *rendering {
	return &rendering{project: l.Project, in: doc.in, config: map[string]any{}, file: doc.file, ymlOnly: true}
}

// string renders a text of a yml file.
func (l *loader) string(doc *document, node ast.Node, field, fallback string) (string, error) {
	text := doc.text(node, field)
	if text == "" {
		return fallback, nil
	}
	value, err := l.context(doc).value(doc.file, lineOfNode(doc.field(node, field)), text)
	if rendered, ok := value.(string); ok || err != nil {
		return rendered, err
	}
	return "", doc.fail(doc.field(node, field), "%s is %v, and dbt takes a text only: write it as a text", field, value)
}

// addPatch reads what a yml file says of a model or seed.
func (l *loader) addPatch(doc *document, kind string, node ast.Node) error {
	name, err := doc.named(node)
	if err != nil {
		return err
	}
	if err := errors.Join(doc.check(kind, node), doc.check(kind+" config", doc.field(node, "config"))); err != nil {
		return err
	}
	for _, key := range []string{"meta", "docs", "group", "access", "contract"} {
		if at := doc.field(node, key); at != nil && doc.field(doc.field(node, "config"), key) != nil {
			return doc.fail(at, "%s is in config, too, which dbt refuses: leave it there alone", key)
		}
	}
	model := l.models[name]
	if model == nil || model.Type != kind {
		l.Warnings = append(l.Warnings, fmt.Sprintf("%s:%d: there is no %s %q: dbt reads past the entry", doc.file, lineOfNode(node), kind, name))
		if model == nil {
			return nil
		}
		checks, err := checksOf(doc, node) // which find whatever has the name
		model.checks = append(model.checks, checks...)
		return err
	}
	if model.patched != "" {
		return doc.fail(node, "%s already has an entry for the %s %s", model.patched, kind, name)
	}
	model.patched = doc.file
	model.asWritten.doc, model.asWritten.entry = doc, node
	model.Description = doc.text(node, "description")
	l.described[model.Name] = lineOfNode(doc.field(node, "description"))
	if model.declared, err = l.declaredConfig(doc, model, doc.field(node, "config")); err != nil {
		return err
	}
	for _, key := range []string{"meta", "docs", "group", "access"} { // dbt moves them
		if at := doc.field(node, key); at != nil {
			if model.declared[key], err = l.declared(doc, model, key, at); err != nil {
				return err
			}
		}
	}
	checks, err := checksOf(doc, node)
	if err != nil {
		return err
	}
	model.checks = append(model.checks, checks...)
	return l.addColumns(doc, model, node)
}

// declaredConfig is the config of a yml entry; its hooks are rendered when they
// run.
func (l *loader) declaredConfig(doc *document, model *Model, at ast.Node) (map[string]any, error) {
	entries, err := doc.entries(at)
	config := map[string]any{}
	for _, entry := range entries {
		if err != nil {
			break
		}
		if slices.Contains(hookKeys, keyOf(entry)) {
			config[keyOf(entry)], err = written(doc, entry.Value)
		} else {
			config[keyOf(entry)], err = l.declared(doc, model, keyOf(entry), entry.Value)
		}
	}
	return config, err
}

// declared is one setting of a yml entry, its texts rendered.
func (l *loader) declared(doc *document, model *Model, key string, node ast.Node) (any, error) {
	value, err := doc.value(node)
	if err == nil {
		value, err = renderedIn(doc, node, value, l.context(doc))
	}
	if err != nil {
		return nil, err
	}
	if dict, ok := value.(*jinja.Dict); ok {
		model.dicts = append(model.dicts, orderedSetting{key, dict})
	}
	return jinja.Go(value)
}

func (l *loader) addColumns(doc *document, model *Model, node ast.Node) error {
	columns, err := doc.items(doc.field(node, "columns"))
	if err != nil {
		return err
	}
	for _, node := range columns {
		name, err := doc.named(node)
		if err != nil {
			return err
		}
		for _, other := range model.Columns {
			if strings.EqualFold(other.Name, name) {
				return doc.fail(node, "the column %s comes twice", name)
			}
		}
		declared := Column{
			Name: name, Type: strings.ToLower(doc.text(node, "data_type")), Declared: doc.text(node, "data_type"), Description: doc.text(node, "description"),
			Quoted: doc.text(node, "quote") == "true",
		}
		constraints, err := doc.items(doc.field(node, "constraints"))
		if err != nil {
			return err
		}
		for _, constraint := range constraints {
			if kind := doc.text(constraint, "type"); kind != "not_null" {
				return doc.fail(constraint, "the constraint %s is not supported: BigQuery does not enforce it: write a test", kind)
			}
			declared.NotNull = true
		}
		l.described[model.Name+"."+name] = lineOfNode(doc.field(node, "description"))
		model.Columns = append(model.Columns, declared)
	}
	return nil
}

// checksOf reads the tests of a model or source and of its columns.
func checksOf(doc *document, node ast.Node) ([]check, error) {
	checks, err := addChecks(nil, doc, "", node)
	if err != nil {
		return nil, err
	}
	columns, err := doc.items(doc.field(node, "columns"))
	for _, column := range columns {
		if err != nil {
			return nil, err
		}
		name := doc.text(column, "name")
		if doc.text(column, "quote") == "true" {
			name = "`" + name + "`"
		}
		if err = doc.check("column", column); err == nil {
			before := len(checks)
			checks, err = addChecks(checks, doc, name, column)
			tags, _ := written(doc, doc.field(column, "tags"))
			for i := before; i < len(checks); i++ {
				checks[i].tags, _ = stringList(tags)
			}
		}
	}
	return checks, err
}
