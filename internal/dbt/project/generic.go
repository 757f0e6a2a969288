package project

import (
	"crypto/md5" // as dbt does for long names
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// A check is a generic test as it is declared.
type check struct {
	file      string
	kind      string
	name      string // "" for the one dbt makes
	column    string
	arguments map[string]any
	config    map[string]any
}

// A subject is what a generic test looks at.
type subject struct {
	name     string
	prefix   string // of the names of its tests
	relation func(*rendering) string
}

// addChecks reads the entries of a data_tests list.
func addChecks(to []check, file, of, column string, entries []any) ([]check, error) {
	for _, entry := range entries {
		c := check{file: file, column: column, arguments: map[string]any{}, config: map[string]any{}}
		switch entry := entry.(type) {
		case string:
			c.kind = entry
		case map[string]any:
			if err := c.read(entry); err != nil {
				return nil, fmt.Errorf("%s: a test of %s: %w", file, of, err)
			}
		}
		if name, ok := c.arguments["column_name"].(string); ok {
			c.column = name
		} else if column != "" {
			c.arguments["column_name"] = column
		}
		to = append(to, c)
	}
	return to, nil
}

// read takes {kind: {arguments: {...}, config: {...}, ...}}; arguments may
// also stand next to config.
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
				maps.Copy(c.config, config)
			case "name":
				c.name, _ = value.(string)
			case "description":
			case "severity", "tags", "where", "limit", "warn_if", "error_if", "fail_calc", "store_failures", "enabled", "meta":
				c.config[key] = value
			default:
				c.arguments[key] = value
			}
		}
	}
	return nil
}

// addGeneric makes the test of a check.
func (l *loader) addGeneric(of subject, c check) error {
	query, ok := builtin[c.kind]
	if !ok {
		if !l.templates.defines("test_" + c.kind) {
			return fmt.Errorf("%s: a test of %s: there is no generic test %q: dbt has %s, and a project may define others",
				c.file, of.name, c.kind, strings.Join(slices.Sorted(maps.Keys(builtin)), ", "))
		}
		query = defined
	}
	if ok && c.column == "" {
		return fmt.Errorf("%s: the test %s of %s names no column", c.file, c.kind, of.name)
	}
	name, alias := c.name, c.name
	if name == "" {
		name, alias = nameOfTest(of.prefix+c.kind, of.name, c.arguments)
	}
	test := &Test{Kind: c.kind, Column: c.column, Alias: alias, Resource: Resource{
		ID: TypeTest + "." + l.Name + "." + name, Type: TypeTest, Name: name, Path: c.file,
		FQN: l.fqn(l.settings.rootOf(c.file), c.file, name),
	}}
	where, _ := c.config["where"].(string)
	test.compile = func(r *rendering) (string, error) {
		relation := of.relation(r)
		if where != "" {
			relation = fmt.Sprintf("(select * from %s where %s) dbt_subquery", relation, where)
		}
		sql, err := query(r, c, relation)
		if err != nil {
			return "", fmt.Errorf("%s: the test %s: %w", c.file, name, err)
		}
		return sql, nil
	}
	return l.addTest(test, c.config)
}

// A genericQuery writes the query of a declared test over a relation.
type genericQuery func(r *rendering, c check, relation string) (string, error)

// builtin are the generic tests that dbt has, with dbt's meaning of each.
var builtin = map[string]genericQuery{
	"unique": func(_ *rendering, c check, relation string) (string, error) {
		return fmt.Sprintf("select %[1]s as value\nfrom %[2]s\nwhere %[1]s is not null\ngroup by 1\nhaving count(*) > 1", c.column, relation), nil
	},
	"not_null": func(_ *rendering, c check, relation string) (string, error) {
		return fmt.Sprintf("select *\nfrom %s\nwhere %s is null", relation, c.column), nil
	},
	"accepted_values": func(_ *rendering, c check, relation string) (string, error) {
		values, err := literals(c.arguments)
		return fmt.Sprintf("select distinct %[1]s as value\nfrom %[2]s\nwhere %[1]s not in (%[3]s)", c.column, relation, values), err
	},
	"relationships": func(r *rendering, c check, relation string) (string, error) {
		field, _ := c.arguments["field"].(string)
		to, ok := c.arguments["to"].(string)
		if !ok || field == "" {
			return "", fmt.Errorf("relationships needs to: ref('a model') and field: a column of it")
		}
		parent, err := r.value(to)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("select %[1]s as value\nfrom %[2]s\nwhere %[1]s is not null\n    and %[1]s not in (select %[3]s from %[4]s where %[3]s is not null)",
			c.column, relation, field, parent), nil
	},
}

// defined is the query of a test that the project defines.
func defined(r *rendering, c check, relation string) (string, error) {
	r.extra = map[string]any{"_model": relation}
	call := "{{ test_" + c.kind + "(model=_model"
	for i, name := range slices.Sorted(maps.Keys(c.arguments)) {
		value := c.arguments[name]
		if text, ok := value.(string); ok {
			rendered, err := r.value(text)
			if err != nil {
				return "", err
			}
			value = rendered
		}
		holder := fmt.Sprintf("_argument%d", i)
		r.extra[holder] = value
		call += ", " + name + "=" + holder
	}
	return r.project.templates.text(c.file, call+") }}", r)
}

// value is an argument of a test: a text, or what a call such as ref('x') or
// a template in it gives.
func (r *rendering) value(text string) (string, error) {
	if call.MatchString(strings.TrimSpace(text)) {
		text = "{{ " + text + " }}"
	}
	return r.project.templates.text(r.file, text, r)
}

var call = regexp.MustCompile(`^(ref|source|var)\(.*\)$`)

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

// nameOfTest is the name dbt gives to a generic test: the kind, the model and
// the arguments by their names' order. Its alias is cut when it is long.
func nameOfTest(kind, of string, arguments map[string]any) (name, alias string) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		switch value := arguments[name].(type) {
		case []any:
			for _, item := range value {
				parts = append(parts, fmt.Sprint(item))
			}
		case bool:
			parts = append(parts, map[bool]string{true: "True", false: "False"}[value])
		default:
			parts = append(parts, fmt.Sprint(value))
		}
	}
	for i, part := range parts {
		parts[i] = noWord.ReplaceAllString(part, "_")
	}
	start := kind + "_" + of
	name = start + "_" + strings.Join(parts, "__")
	if len(name) < 64 {
		return name, name
	}
	sum := md5.Sum([]byte(name))
	return name, start[:min(30, len(start))] + "_" + hex.EncodeToString(sum[:])
}

var noWord = regexp.MustCompile(`[^0-9a-zA-Z_]+`)

func stringArguments(texts ...string) *exec.VarArgs {
	arguments := exec.NewVarArgs()
	for _, text := range texts {
		arguments.Args = append(arguments.Args, exec.AsValue(text))
	}
	return arguments
}
