package project

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// What a project says besides what is built and tested here: the runner reads
// it for dbt's other tools, which find it in the manifest.

// An Exposure is a use of models outside of the project, such as a dashboard.
type Exposure struct {
	Resource
	Kind, Label, Maturity, Description, URL string
	Owner                                   map[string]any
}

// A UnitTest says what a model gives of some rows.
type UnitTest struct {
	Resource
	Model, Description string
	// Given are dicts; Expect is one, and Overrides may be. They are as they are
	// written, with what dbt adds.
	Given             *jinja.List
	Expect, Overrides *jinja.Dict
}

// Checksum is dbt's, of all but the description.
func (t *UnitTest) Checksum() string {
	overrides := "None"
	if t.Overrides != nil {
		overrides = fixture("UnitTestOverrides", t.Overrides, "macros", "vars", "env_vars")
	}
	given := make([]string, len(t.Given.Items))
	for i, item := range t.Given.Items {
		given[i] = fixture("UnitTestInputFixture", item.(*jinja.Dict), "input", "rows", "format", "fixture")
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s-None-[%s]-%s-%s", t.Model, strings.Join(given, ", "),
		fixture("UnitTestOutputFixture", t.Expect, "rows", "format", "fixture"), overrides))
	return hex.EncodeToString(sum[:])
}

// fixture is Python's text of an object of dbt's.
func fixture(class string, of *jinja.Dict, fields ...string) string {
	parts := make([]string, len(fields))
	for i, field := range fields {
		value, _ := of.Get(field)
		text, err := jinja.Text(jinja.NewList(value))
		must(err) // a yml value
		text = text[1 : len(text)-1]
		if kind, ok := value.(string); ok && field == "format" {
			text = fmt.Sprintf("<UnitTestFormat.%s: '%s'>", map[string]string{"dict": "Dict", "csv": "CSV", "sql": "SQL"}[kind], kind)
		}
		parts[i] = field + "=" + text
	}
	return class + "(" + strings.Join(parts, ", ") + ")"
}

// A Macro is a macro of the project; that of a generic test is named test_….
type Macro struct {
	Resource
	SQL string
}

type exposureProperties struct {
	Name        string         `yaml:"name"`
	Label       string         `yaml:"label"`
	Type        string         `yaml:"type"`
	Maturity    string         `yaml:"maturity"`
	Description string         `yaml:"description"`
	URL         string         `yaml:"url"`
	Owner       map[string]any `yaml:"owner"`
	DependsOn   []string       `yaml:"depends_on"`
}

type unitTestProperties struct {
	Name        string `yaml:"name"`
	Model       string `yaml:"model"`
	Description string `yaml:"description"`
}

// readDocuments reads exposures and unit tests, whose models must be there.
func (l *loader) readDocuments() error {
	names := map[string]string{}
	once := func(doc *document, at ast.Node, id string) error {
		if other, twice := names[id]; twice {
			return doc.fail(at, "%s already has an entry %s", other, id)
		}
		names[id] = doc.file
		return nil
	}
	for _, d := range l.documents {
		exposures, err := d.items(d.field(d.root, "exposures"))
		if err != nil {
			return err
		}
		for _, node := range exposures {
			var read exposureProperties
			if err := errors.Join(d.check("exposure", node), d.decode(node, &read)); err != nil {
				return err
			}
			if err := errors.Join(once(d.document, node, "exposure "+read.Name), l.addExposure(d, read)); err != nil {
				return err
			}
		}
		tests, err := d.items(d.field(d.root, "unit_tests"))
		if err != nil {
			return err
		}
		for _, node := range tests {
			var read unitTestProperties
			if err := errors.Join(d.check("unit test", node), d.decode(node, &read)); err != nil {
				return err
			}
			if err := errors.Join(once(d.document, node, "unit test "+read.Model+"."+read.Name), l.addUnitTest(d, node, read)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) addExposure(d folded, of exposureProperties) error {
	r := &rendering{project: l.Project, in: d.in, config: map[string]any{}, file: d.file}
	for _, dependence := range of.DependsOn {
		if _, err := r.text(d.file, 1, "{{ "+dependence+" }}"); err != nil {
			return fmt.Errorf("exposure %s depends on %s: %w", of.Name, dependence, err)
		}
	}
	resource := d.in.resource("exposure", of.Name, d.file, d.in.fqn(d.folder, d.file, of.Name))
	resource.Reads = r.reads
	l.Exposures = append(l.Exposures, &Exposure{
		Resource: resource,
		Kind:     of.Type, Label: of.Label, Maturity: of.Maturity, Description: strings.TrimSpace(of.Description), URL: of.URL, Owner: of.Owner,
	})
	return nil
}

func (l *loader) addUnitTest(d folded, node ast.Node, of unitTestProperties) error {
	model := l.models[of.Model]
	if model == nil {
		return fmt.Errorf("%s: unit test %s: there is no model %q", d.file, of.Name, of.Model)
	}
	resource := d.in.resource(TypeUnitTest, of.Model+"."+of.Name, d.file, append(d.in.fqn(d.folder, d.file, of.Model), of.Name))
	resource.Name, resource.Reads = of.Name, []string{model.ID}
	test := &UnitTest{
		Resource: resource,
		Model:    of.Model, Description: strings.TrimSpace(of.Description), Given: jinja.NewList(),
	}
	if at := d.field(d.field(node, "config"), "enabled"); at != nil && at.String() == "false" {
		return nil
	}
	if err := l.readFixtures(test, d.document, node); err != nil {
		return err
	}
	if model.asksIncremental && !test.saysIncremental() {
		return d.fail(node, "the unit test %s is of a model that calls is_incremental: say in its overrides, under macros, whether is_incremental is true or false", of.Name)
	}
	l.UnitTests = append(l.UnitTests, test)
	return nil
}

// saysIncremental reports whether the test overrides is_incremental.
func (t *UnitTest) saysIncremental() bool {
	if t.Overrides == nil {
		return false
	}
	macros, _ := t.Overrides.Get("macros")
	dict, ok := macros.(*jinja.Dict)
	if !ok {
		return false
	}
	value, _ := dict.Get("is_incremental")
	_, ok = value.(bool)
	return ok
}

// readFixtures reads given, expect and overrides, with dbt's defaults.
func (l *loader) readFixtures(t *UnitTest, doc *document, node ast.Node) error {
	rows := map[string]jinja.Value{"rows": nil, "format": "dict", "fixture": nil}
	given, err := doc.items(doc.field(node, "given"))
	if err != nil {
		return err
	}
	for _, item := range given {
		input, err := complete(doc, item, rows)
		if err == nil {
			err = l.readRowsOf(doc, item, input)
		}
		if err != nil {
			return err
		}
		t.Given.Items = append(t.Given.Items, input)
	}
	if t.Expect, err = complete(doc, doc.field(node, "expect"), rows); err == nil {
		err = l.readRowsOf(doc, node, t.Expect)
	}
	if err != nil {
		return err
	}
	if overrides := doc.field(node, "overrides"); overrides != nil {
		none := jinja.NewDict()
		t.Overrides, err = complete(doc, overrides, map[string]jinja.Value{"macros": none, "vars": none, "env_vars": none})
	}
	return err
}

// complete is a yml dict with the fields that are not given.
func complete(doc *document, node ast.Node, defaults map[string]jinja.Value) (*jinja.Dict, error) {
	v, err := doc.value(node)
	if err != nil {
		return nil, err
	}
	dict, ok := v.(*jinja.Dict)
	if !ok {
		return nil, doc.fail(node, "a unit test has given, a list of inputs, and expect, each with rows")
	}
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if _, given := dict.Get(name); !given {
			must(dict.Set(name, defaults[name]))
		}
	}
	return dict, nil
}

// promote exchanges the first of the rows with the first that has no null, as
// dbt does: BigQuery takes the types of columns from it.
func promote(rows jinja.Value) {
	list, ok := rows.(*jinja.List)
	if !ok {
		return
	}
	at := slices.IndexFunc(list.Items, func(row jinja.Value) bool {
		dict, ok := row.(*jinja.Dict)
		return ok && !slices.ContainsFunc(dict.Keys(), func(key jinja.Value) bool {
			value, _ := dict.Get(key)
			return value == nil
		})
	})
	if at > 0 {
		list.Items[0], list.Items[at] = list.Items[at], list.Items[0]
	}
}
