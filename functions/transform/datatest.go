package transform

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// A Test is a query that finds what must not be: generic, declared in a yml
// file, or singular, a file of tests/.
type Test struct {
	Name   string
	SQL    string // its rows are the failures
	Warn   bool   // severity warn: failures are reported and fail nothing
	Models []string
}

// A check is a generic test as it is declared.
type check struct {
	file      string
	kind      string
	column    string
	arguments map[string]any
	warn      bool
}

var generic = []string{"unique", "not_null", "accepted_values", "relationships"}

// addChecks reads the entries of a data_tests list.
func (m *Model) addChecks(file, column string, entries []any) error {
	for _, entry := range entries {
		c := check{file: file, column: column, arguments: map[string]any{}}
		switch entry := entry.(type) {
		case string:
			c.kind = entry
		case map[string]any:
			if err := c.read(entry); err != nil {
				return fmt.Errorf("%s: a test of %s: %w", file, m.Name, err)
			}
		}
		if !slices.Contains(generic, c.kind) {
			return fmt.Errorf("%s: a test of %s: %q is not one of %s", file, m.Name, c.kind, strings.Join(generic, ", "))
		}
		if name, ok := c.arguments["column_name"].(string); ok {
			c.column = name
		}
		if c.column == "" {
			return fmt.Errorf("%s: the test %s of %s names no column", file, c.kind, m.Name)
		}
		m.checks = append(m.checks, c)
	}
	return nil
}

// read takes {kind: {arguments: {...}, config: {...}, ...}}; arguments may
// also lie beside config.
func (c *check) read(entry map[string]any) error {
	if len(entry) != 1 {
		return fmt.Errorf("expected one name with its settings")
	}
	for kind, settings := range entry {
		c.kind = kind
		fields, _ := settings.(map[string]any)
		for key, value := range fields {
			switch key {
			case "arguments":
				arguments, _ := value.(map[string]any)
				maps.Copy(c.arguments, arguments)
			case "config":
				config, _ := value.(map[string]any)
				if err := c.configure(config); err != nil {
					return err
				}
			case "name", "description":
			case "severity":
				if err := c.configure(map[string]any{key: value}); err != nil {
					return err
				}
			default:
				c.arguments[key] = value
			}
		}
	}
	return nil
}

func (c *check) configure(config map[string]any) error {
	for key, value := range config {
		if key != "severity" {
			return fmt.Errorf("%s: config %q is not supported", c.kind, key)
		}
		warn, err := severity(value)
		if err != nil {
			return err
		}
		c.warn = warn
	}
	return nil
}

func severity(value any) (warn bool, err error) {
	switch text, _ := value.(string); strings.ToLower(text) {
	case "warn":
		return true, nil
	case "error":
		return false, nil
	}
	return false, fmt.Errorf("severity is %v: it is warn or error", value)
}

// readTests builds the tests of all models and of tests/.
func (p *Project) readTests(files fs.FS) error {
	for _, model := range p.Models {
		for _, c := range model.checks {
			test, err := p.generic(model, c)
			if err != nil {
				return fmt.Errorf("%s: the test %s of %s: %w", c.file, c.kind, model.Name, err)
			}
			p.Tests = append(p.Tests, test)
		}
	}
	for _, file := range sqlFiles(files, "tests") {
		test, err := p.singular(files, file)
		if err != nil {
			return err
		}
		p.Tests = append(p.Tests, test)
	}
	return nil
}

func (p *Project) singular(files fs.FS, file string) (*Test, error) {
	source, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, err
	}
	parsed, err := parseTemplate(file, string(source))
	if err != nil {
		return nil, err
	}
	r := &rendering{project: p, config: map[string]any{}}
	sql, err := p.templates.render(parsed, r.functions())
	if err != nil {
		return nil, r.explain(err)
	}
	test := &Test{Name: nameOf(file), SQL: sql, Models: r.refs}
	for key, value := range r.config {
		if key != "severity" {
			return nil, fmt.Errorf("%s: config %q is not supported", file, key)
		}
		if test.Warn, err = severity(value); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return test, nil
}

// generic writes the query of a declared test, with dbt's meaning of each.
func (p *Project) generic(model *Model, c check) (*Test, error) {
	test := &Test{Name: c.kind + "_" + model.Name, Warn: c.warn, Models: []string{model.Name}}
	if c.arguments["column_name"] == nil {
		test.Name += "_" + c.column
	}
	relation := p.Relation(model.Name)
	switch c.kind {
	case "unique":
		test.SQL = fmt.Sprintf("select %[1]s as value\nfrom %[2]s\nwhere %[1]s is not null\ngroup by 1\nhaving count(*) > 1", c.column, relation)
	case "not_null":
		test.SQL = fmt.Sprintf("select 1 as found\nfrom %s\nwhere %s is null", relation, c.column)
	case "accepted_values":
		values, err := literals(c.arguments)
		if err != nil {
			return nil, err
		}
		test.SQL = fmt.Sprintf("select distinct %[1]s as value\nfrom %[2]s\nwhere %[1]s not in (%[3]s)", c.column, relation, values)
	case "relationships":
		parent, field, err := p.parent(c.arguments)
		if err != nil {
			return nil, err
		}
		test.Models = append(test.Models, parent)
		test.SQL = fmt.Sprintf("select %[1]s as value\nfrom %[2]s\nwhere %[1]s is not null\n    and %[1]s not in (select %[3]s from %[4]s where %[3]s is not null)",
			c.column, relation, field, p.Relation(parent))
	}
	return test, nil
}

func literals(arguments map[string]any) (string, error) {
	values, _ := arguments["values"].([]any)
	if len(values) == 0 {
		return "", fmt.Errorf("values is empty")
	}
	quote := arguments["quote"] != false
	var out []string
	for _, value := range values {
		text := fmt.Sprint(value)
		if quote {
			text = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", "), nil
}

// parent reads the arguments to: ref('model') and field: column.
func (p *Project) parent(arguments map[string]any) (model, field string, err error) {
	to, _ := arguments["to"].(string)
	field, _ = arguments["field"].(string)
	name, ok := strings.CutPrefix(strings.TrimSpace(to), "ref(")
	name = strings.Trim(strings.TrimSuffix(name, ")"), `'" `)
	if !ok || field == "" || p.models[name] == nil {
		return "", "", fmt.Errorf("needs to: ref('a model') and field: a column of it")
	}
	return name, field, nil
}
