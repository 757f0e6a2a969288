package project

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A check is a generic test as it is declared.
type check struct {
	doc       *document
	node      ast.Node
	kind      string
	name      string // "" for the one dbt makes
	column    string
	arguments *jinja.Dict
	config    map[string]ast.Node
	tags      []string // of the column, and of the source
	// configured are the names in config that may only stand there, in their order.
	configured []string
}

// A subject is what a generic test looks at.
type subject struct {
	name   string
	prefix string // of the names of its tests
	// reference is the call that gives its relation, as dbt notes it.
	reference string
	relation  func(*rendering) (jinja.Value, error)
	model     *Model   // nil for a source
	tags      []string // of a source, which its tests have, too
}

// addChecks reads the tests of an entry of a yml file.
func addChecks(to []check, doc *document, column string, entry ast.Node) ([]check, error) {
	var nodes []ast.Node
	for _, field := range []string{"data_tests", "tests"} {
		items, err := doc.items(doc.field(entry, field))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, items...)
	}
	for _, node := range nodes {
		c := check{doc: doc, node: node, column: column, arguments: jinja.NewDict(), config: map[string]ast.Node{}}
		if text, ok := node.(*ast.StringNode); ok {
			c.kind = text.Value
		} else if err := c.read(node); err != nil {
			return nil, err
		}
		if name, ok := c.arguments.Get("column_name"); ok {
			c.column, _ = name.(string)
		} else if column != "" {
			must(c.arguments.Set("column_name", column))
		}
		to = append(to, c)
	}
	return to, nil
}

// read takes {kind: {arguments: {...}, config: {...}, ...}}, or the same with
// test_name; arguments may also stand next to config.
func (c *check) read(node ast.Node) error {
	entries, err := c.doc.entries(node)
	if err != nil {
		return err
	}
	if kind := c.doc.text(node, "test_name"); kind != "" {
		c.kind = kind
	} else {
		if len(entries) != 1 {
			return c.doc.fail(node, "a test is one name with its settings")
		}
		c.kind = keyOf(entries[0])
		if entries, err = c.doc.entries(entries[0].Value); err != nil {
			return err
		}
	}
	for _, entry := range entries {
		if err := c.readField(keyOf(entry), entry.Value); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) readField(key string, node ast.Node) error {
	switch key {
	case "test_name", "description":
		return nil
	case "name":
		return c.doc.decode(node, &c.name)
	case "arguments", "config":
		entries, err := c.doc.entries(node)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if key == "config" {
				if err := supported("test config", keyOf(entry)); err != nil {
					return c.doc.fail(entry, "%w", err)
				}
				c.config[keyOf(entry)] = entry.Value
				if !slices.Contains(configArguments, keyOf(entry)) {
					c.configured = append(c.configured, keyOf(entry))
				}
			} else if err := c.setArgument(keyOf(entry), entry.Value); err != nil {
				return err
			}
		}
		return nil
	}
	if supportOf("test yml", key).status != "" {
		c.config[key] = node
		return nil
	}
	return c.setArgument(key, node)
}

func (c *check) setArgument(key string, node ast.Node) error {
	value, err := c.doc.value(node)
	if err != nil {
		return err
	}
	return c.arguments.Set(key, value)
}

// genericOf finds the package whose generic test a check names: its own, the
// project's, or the one that is named before a dot. nil is dbt's own test.
func (l *loader) genericOf(c check) (of *pkg, namespace, kind string) {
	namespace, kind, found := strings.Cut(c.kind, ".")
	if found {
		return definesIn("test_"+kind, l.named(namespace)), namespace, kind
	}
	return definesIn("test_"+c.kind, c.doc.in, l.packages[0]), "", c.kind
}

// addGeneric makes the test of a check. A project's own generic test wins over
// dbt's of the same name.
func (l *loader) addGeneric(of subject, c check) error {
	own, namespace, kind := l.genericOf(c)
	query := builtin[c.kind]
	if namespace != "" {
		if from := l.named(namespace); from != nil && from.broken["test_"+kind] != nil {
			return c.doc.fail(c.node, "the test %s cannot be used: %w", c.kind, from.broken["test_"+kind])
		}
	}
	switch {
	case own != nil:
		query = defined(own)
	case query == nil:
		return c.doc.fail(c.node, "a test of %s: there is no generic test %q: dbt has %s, and a project or an installed package may define others",
			of.name, c.kind, strings.Join(slices.Sorted(maps.Keys(builtin)), ", "))
	case c.column == "":
		return c.doc.fail(c.node, "the test %s of %s names no column", c.kind, of.name)
	}
	config := map[string]any{}
	for key, node := range c.config {
		value, err := rendered(c.doc, node, l.context(c.doc))
		if err != nil {
			return err
		}
		config[key] = value
	}
	test, err := l.newGeneric(&of, c)
	if err != nil {
		return err
	}
	name := test.Name
	if err := l.noteTest(test, of, c, own, config); err != nil {
		return c.doc.fail(c.node, "%w", err)
	}
	test.Tags = slices.Concat(of.tags, c.tags)
	where, _ := config["where"].(string)
	test.compile = func(r *rendering) (Text, error) {
		relation, err := of.relation(r)
		if err != nil {
			return Text{}, err
		}
		if where != "" {
			relation = fmt.Sprintf("(select * from %s where %s) dbt_subquery", relation, where)
		}
		sql, err := query(r, c, relation)
		if err != nil {
			return Text{}, c.doc.fail(c.node, "the test %s: %w", name, err)
		}
		return Text{SQL: sql}, nil
	}
	return l.addTest(test, config)
}

// newGeneric is the test of a check, with its names.
func (l *loader) newGeneric(of *subject, c check) (*Test, error) {
	_, namespace, kind := l.genericOf(c)
	if namespace != "" {
		of.prefix = namespace + "_" + of.prefix
	}
	name, short := c.name, c.name
	if name == "" {
		var err error
		if name, short, err = nameOfTest(of.prefix+kind, of.name, c.arguments); err != nil {
			return nil, c.doc.fail(c.node, "%w", err)
		}
	}
	in := c.doc.in
	test := &Test{attached: of.model, Kind: kind, Namespace: namespace, Column: c.column, Short: short, in: in,
		Resource: in.resource(TypeTest, name, c.doc.file, in.fqn(in.settings.rootOf(c.doc.file), c.doc.file, name))}
	test.ID += "." + c.hash(*of, namespace, kind, name)
	return test, nil
}

// A genericQuery writes the query of a declared test over a relation.
type genericQuery func(r *rendering, c check, relation jinja.Value) (string, error)

// builtin are the generic tests that dbt has, with dbt's meaning of each, and its
// columns: failures are stored with them, and fail_calc names them.
var builtin = map[string]genericQuery{
	"unique": func(_ *rendering, c check, relation jinja.Value) (string, error) {
		return fmt.Sprintf("select %[1]s as unique_field, count(*) as n_records\nfrom %[2]s\nwhere %[1]s is not null\ngroup by %[1]s\nhaving count(*) > 1", c.column, relation),
			c.takes("column_name")
	},
	"not_null": func(_ *rendering, c check, relation jinja.Value) (string, error) {
		return fmt.Sprintf("select *\nfrom %s\nwhere %s is null", relation, c.column), c.takes("column_name")
	},
	"accepted_values": func(_ *rendering, c check, relation jinja.Value) (string, error) {
		values, err := literals(c.arguments)
		if err == nil {
			err = c.takes("column_name", "values", "quote")
		}
		return fmt.Sprintf("select %[1]s as value_field, count(*) as n_records\nfrom %[2]s\nwhere %[1]s not in (%[3]s)\ngroup by %[1]s", c.column, relation, values), err
	},
	"relationships": func(r *rendering, c check, relation jinja.Value) (string, error) {
		field, _ := c.arguments.Get("field")
		to, ok := c.arguments.Get("to")
		if text, isText := field.(string); !ok || !isText || text == "" {
			return "", fmt.Errorf("relationships needs to: ref('a model') and field: a column of it")
		}
		parent, err := r.argument(c, to)
		if err == nil {
			err = c.takes("column_name", "field", "to")
		}
		return fmt.Sprintf("select %[1]s as from_field\nfrom %[2]s\nwhere %[1]s is not null\n    and %[1]s not in (select %[3]s from %[4]s where %[3]s is not null)",
			c.column, relation, field, parent), err
	},
}

// takes refuses an argument that the test does not have.
func (c *check) takes(names ...string) error {
	for _, key := range c.arguments.Keys() {
		if text, _ := key.(string); !slices.Contains(names, text) {
			return fmt.Errorf("it takes no argument %q", text)
		}
	}
	return nil
}

// defined is the query of a test that the project or a package defines.
func defined(of *pkg) genericQuery {
	return func(r *rendering, c check, relation jinja.Value) (string, error) { return c.call(of, r, relation) }
}

func (c *check) call(of *pkg, r *rendering, relation jinja.Value) (string, error) {
	named := jinja.NewDict()
	must(named.Set("model", relation))
	for _, key := range c.arguments.Keys() {
		value, _ := c.arguments.Get(key)
		value, err := r.argument(*c, copied(value))
		if err != nil {
			return "", err
		}
		must(named.Set(key, value))
	}
	_, kind, isNamed := strings.Cut(c.kind, ".")
	if !isNamed {
		kind = c.kind
	}
	r.noteMacro(of, "test_"+kind)
	v, err := of.macros["test_"+kind].Macro(r.lookup).Call(&jinja.Arguments{Named: named})
	if err != nil {
		return "", err
	}
	return jinja.Text(v)
}

// argument is one of a test: a text is rendered, and a call such as ref('x') is
// called.
func (r *rendering) argument(c check, value jinja.Value) (jinja.Value, error) {
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	if calls.MatchString(text) {
		text = "{{ " + text + " }}"
	}
	return r.value(c.doc.file, lineOfNode(c.node), text)
}

var calls = regexp.MustCompile(`^\s*(env_var|ref|var|source|doc)\s*\(.+\)\s*$`)

func literals(arguments *jinja.Dict) (string, error) {
	values, _ := arguments.Get("values")
	list, ok := values.(*jinja.List)
	if !ok || len(list.Items) == 0 {
		return "", fmt.Errorf("values is empty")
	}
	quote, _ := arguments.Get("quote")
	var out []string
	for _, value := range list.Items {
		text, err := jinja.Text(value)
		if err != nil {
			return "", err
		}
		if quote != jinja.Value(false) {
			if strings.ContainsAny(text, "'\n") {
				return "", fmt.Errorf("the value %q has a quote, which dbt does not escape: write the test as a file", text)
			}
			text = "'" + text + "'"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", "), nil
}
