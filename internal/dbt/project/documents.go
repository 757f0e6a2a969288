package project

import (
	"fmt"
	"regexp"
	"strings"
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
	for _, folder := range l.settings.modelPaths {
		for _, file := range filesUnder(l.files, folder, ".yml", ".yaml") {
			var read struct {
				Exposures []exposureProperties `yaml:"exposures"`
				UnitTests []unitTestProperties `yaml:"unit_tests"`
			}
			if err := readYAML(l.files, file, &read); err != nil {
				return err
			}
			for _, exposure := range read.Exposures {
				if err := l.addExposure(folder, file, exposure); err != nil {
					return err
				}
			}
			for _, test := range read.UnitTests {
				if err := l.addUnitTest(folder, file, test); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (l *loader) addExposure(folder, file string, of exposureProperties) error {
	r := &rendering{project: l.Project, config: map[string]any{}, file: file}
	for _, dependence := range of.DependsOn {
		if _, err := l.templates.text(file, "{{ "+dependence+" }}", r); err != nil {
			return fmt.Errorf("%s: exposure %s depends on %s: %w", file, of.Name, dependence, r.explain(err))
		}
	}
	l.Exposures = append(l.Exposures, &Exposure{
		Resource: Resource{
			ID: "exposure." + l.Name + "." + of.Name, Type: "exposure", Name: of.Name, Path: file, FQN: l.fqn(folder, file, of.Name), Reads: r.reads,
		},
		Kind: of.Type, Label: of.Label, Maturity: of.Maturity, Description: strings.TrimSpace(of.Description), URL: of.URL, Owner: of.Owner,
	})
	return nil
}

func (l *loader) addUnitTest(folder, file string, of unitTestProperties) error {
	model := l.models[of.Model]
	if model == nil {
		return fmt.Errorf("%s: unit test %s: there is no model %q", file, of.Name, of.Model)
	}
	test := &UnitTest{
		Resource: Resource{
			ID: "unit_test." + l.Name + "." + of.Model + "." + of.Name, Type: "unit_test", Name: of.Name, Path: file,
			FQN: append(l.fqn(folder, file, of.Model), of.Name), Reads: []string{model.ID},
		},
		Model: of.Model, Description: strings.TrimSpace(of.Description), Given: of.Given, Expect: of.Expect,
	}
	if of.Overrides != nil {
		test.Overrides = of.Overrides
	}
	l.UnitTests = append(l.UnitTests, test)
	return nil
}

var macroDefinition = regexp.MustCompile(`(?s)\{%-?\s*(macro|test)\s+(\w+).*?end(?:macro|test)\s*-?%\}`)

// addMacros notes the macros of a file.
func (l *loader) addMacros(file, source string) {
	for _, found := range macroDefinition.FindAllStringSubmatch(source, -1) {
		name := found[2]
		if found[1] == "test" {
			name = "test_" + name
		}
		l.Macros = append(l.Macros, &Macro{
			Resource: Resource{ID: "macro." + l.Name + "." + name, Type: "macro", Name: name, Path: file},
			SQL:      found[0],
		})
	}
}
