package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// What a project says besides what is built and tested here: the runner reads
// it for dbt's other tools, which find it in the manifest.

// An Exposure is a use of models outside of the project, such as a dashboard.
type Exposure struct {
	Resource
	Kind, Label, Maturity, Description, URL string
	Owner                                   map[string]any
}

// A UnitTest is one of those that dbt-core runs.
type UnitTest struct {
	Resource
	Model, Description       string
	Given, Expect, Overrides any // as they are written
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
	Name        string         `yaml:"name"`
	Model       string         `yaml:"model"`
	Description string         `yaml:"description"`
	Given       []any          `yaml:"given"`
	Expect      map[string]any `yaml:"expect"`
	Overrides   map[string]any `yaml:"overrides"`
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
			if err := errors.Join(once(d.document, node, "unit test "+read.Model+"."+read.Name), l.addUnitTest(d, read)); err != nil {
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

func (l *loader) addUnitTest(d folded, of unitTestProperties) error {
	model := l.models[of.Model]
	if model == nil {
		return fmt.Errorf("%s: unit test %s: there is no model %q", d.file, of.Name, of.Model)
	}
	resource := d.in.resource("unit_test", of.Model+"."+of.Name, d.file, append(d.in.fqn(d.folder, d.file, of.Model), of.Name))
	resource.Name, resource.Reads = of.Name, []string{model.ID}
	test := &UnitTest{
		Resource: resource,
		Model:    of.Model, Description: strings.TrimSpace(of.Description), Given: of.Given, Expect: of.Expect,
	}
	if of.Overrides != nil {
		test.Overrides = of.Overrides
	}
	l.UnitTests = append(l.UnitTests, test)
	return nil
}
