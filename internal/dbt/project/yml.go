package project

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A document is a yml file, its values as dbt-core reads them: by YAML 1.1,
// where no is false and 1:30 is ninety.
type document struct {
	file    string
	in      *pkg
	root    ast.Node // nil for an empty file
	anchors map[string]ast.Node
}

func readYAML(files fs.FS, name string) (*document, error) {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("reading the dbt project: %w", err)
	}
	return parseYAML(name, content)
}

func parseYAML(name string, content []byte) (*document, error) {
	content = bytes.TrimRightFunc(content, unicode.IsSpace) // as dbt does: a block at the end has no line end
	parsed, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d := &document{file: name, anchors: map[string]ast.Node{}}
	for _, part := range parsed.Docs {
		if part.Body == nil {
			continue
		}
		if d.root != nil {
			return nil, fmt.Errorf("%s: more than one document in a file is not supported: write one file for each", name)
		}
		if d.root, err = d.read(part.Body); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// decode reads the document, or one of its nodes, into a struct.
func (d *document) decode(node ast.Node, into any) error {
	if node == nil {
		return nil
	}
	if err := yaml.NodeToValue(node, into); err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	return nil
}

// fail is an error with the line of a node.
func (d *document) fail(at ast.Node, format string, args ...any) error {
	return &jinja.Error{File: d.file, Line: lineOfNode(at), Err: fmt.Errorf(format, args...)}
}

func lineOfNode(at ast.Node) int {
	if at == nil || at.GetToken() == nil || at.GetToken().Position == nil {
		return 1
	}
	return at.GetToken().Position.Line
}

// read replaces the scalars of a node by what YAML 1.1 makes of them.
func (d *document) read(node ast.Node) (ast.Node, error) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, value := range n.Values {
			if _, err := d.read(value); err != nil {
				return nil, err
			}
		}
		return n, d.merge(n)
	case *ast.MappingValueNode:
		if err := d.readKey(n); err != nil {
			return nil, err
		}
		value, err := d.read(n.Value)
		n.Value = value
		return n, err
	case *ast.SequenceNode:
		for i, item := range n.Values {
			value, err := d.read(item)
			if err != nil {
				return nil, err
			}
			n.Values[i] = value
		}
	case *ast.AnchorNode:
		value, err := d.read(n.Value)
		d.anchors[n.Name.GetToken().Value] = value
		return value, err
	case *ast.AliasNode:
		value, ok := d.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, d.fail(n, "there is no anchor %s before", n.Value.GetToken().Value)
		}
		return value, nil
	case *ast.TagNode:
		return nil, d.fail(n, "the tag %s is not supported: write the value itself", n.Start.Value)
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return d.scalar(node)
	}
	return node, nil
}

// merge takes over the entries of << that the mapping does not have.
func (d *document) merge(n *ast.MappingNode) error {
	has := map[string]bool{}
	var own, more []*ast.MappingValueNode
	for _, entry := range n.Values {
		if keyOf(entry) != "<<" {
			has[keyOf(entry)] = true
			own = append(own, entry)
			continue
		}
		from := []ast.Node{entry.Value}
		if list, ok := entry.Value.(*ast.SequenceNode); ok {
			from = list.Values
		}
		for _, node := range from {
			entries, err := d.entries(node)
			if err != nil {
				return err
			}
			more = append(more, entries...)
		}
	}
	for _, entry := range more {
		if !has[keyOf(entry)] {
			has[keyOf(entry)] = true
			own = append(own, entry)
		}
	}
	n.Values = own
	return nil
}

// readKey refuses a name that YAML 1.1 takes for another value.
func (d *document) readKey(n *ast.MappingValueNode) error {
	key, ok := n.Key.(ast.Node)
	if !ok || isQuoted(key) {
		return nil
	}
	if colon, value := n.Start.Position, n.Value.GetToken(); value != nil && value.Position.Line == colon.Line && value.Position.Column == colon.Column+1 {
		return d.fail(key, "the colon behind %s has no space behind it: YAML takes it for a part of a text: write a space, or quotes", key.GetToken().Value)
	}
	switch value, _ := scalarOf(key.GetToken().Value); value.(type) {
	case bool, nil:
		return d.fail(key, "the name %s is %v in YAML 1.1: put it into quotes", key.GetToken().Value, value)
	}
	return nil
}

func isQuoted(node ast.Node) bool {
	kind := node.GetToken().Type
	return kind == token.SingleQuoteType || kind == token.DoubleQuoteType
}

// scalar is a plain scalar as YAML 1.1 has it.
func (d *document) scalar(node ast.Node) (ast.Node, error) {
	if isQuoted(node) {
		return node, nil
	}
	t := *node.GetToken()
	if _, isNull := node.(*ast.NullNode); isNull && t.Value != "~" && !strings.EqualFold(t.Value, "null") {
		return node, nil // nothing is written
	}
	value, err := scalarOf(t.Value)
	if err != nil {
		return nil, d.fail(node, "%w", err)
	}
	switch value := value.(type) {
	case nil:
		return ast.Null(&t), nil
	case bool:
		b := ast.Bool(&t)
		b.Value = value
		return b, nil
	case int64:
		n := ast.Integer(&t)
		n.Value = value
		return n, nil
	case float64:
		f := ast.Float(&t)
		f.Value = value
		return f, nil
	}
	s := ast.String(&t)
	s.Value = t.Value
	return s, nil
}

var (
	yamlBools = map[string]bool{
		"yes": true, "Yes": true, "YES": true, "no": false, "No": false, "NO": false, "on": true, "On": true, "ON": true,
		"off": false, "Off": false, "OFF": false, "true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false,
	}
	yamlInt   = regexp.MustCompile(`^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*|[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	yamlFloat = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$`)
	yamlWords = regexp.MustCompile(`^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|=|<<)$`)
)

// yamlSigns are what numbers and yamlWords begin with. Most texts do not.
const yamlSigns = "+-.0123456789=<"

// scalarOf is what a plain scalar means in YAML 1.1.
func scalarOf(text string) (any, error) {
	if b, ok := yamlBools[text]; ok {
		return b, nil
	}
	switch {
	case text == "" || text == "~" || text == "null" || text == "Null" || text == "NULL":
		return nil, nil
	case strings.IndexByte(yamlSigns, text[0]) < 0:
		return text, nil
	case yamlInt.MatchString(text):
		return sexagesimal(strings.ReplaceAll(text, "_", ""))
	case yamlFloat.MatchString(text):
		digits := strings.ReplaceAll(text, "_", "")
		if strings.Contains(digits, ":") {
			return nil, fmt.Errorf("%s is a number to the base of 60 in YAML 1.1: put it into quotes", text)
		}
		return strconv.ParseFloat(digits, 64)
	case yamlWords.MatchString(text) && text != "<<":
		return nil, fmt.Errorf("%s has a meaning of its own in YAML 1.1: put it into quotes", text)
	}
	return text, nil
}

// sexagesimal reads a whole number, to the base of 60 where it has colons.
func sexagesimal(digits string) (any, error) {
	sign := int64(1)
	if digits[0] == '-' {
		sign = -1
	}
	digits = strings.TrimLeft(digits, "+-")
	total := int64(0)
	for i, part := range strings.Split(digits, ":") {
		base := 10
		switch {
		case i == 0 && !strings.Contains(digits, ":"):
			base = 0 // 0b, 0x and 0 for octal
		}
		n, err := strconv.ParseInt(part, base, 64)
		if err != nil || total > 1<<56 {
			return nil, fmt.Errorf("the number %s is too large: put it into quotes", digits)
		}
		total = total*60 + n
	}
	return sign * total, nil
}

// entries are those of a mapping, in their order.
func (d *document) entries(node ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	default:
		return nil, d.fail(node, "names with values are expected here")
	}
}

// items are those of a list.
func (d *document) items(node ast.Node) ([]ast.Node, error) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.SequenceNode:
		return n.Values, nil
	default:
		return nil, d.fail(node, "a list is expected here")
	}
}

// field is the value of a mapping's entry; nil for none.
func (d *document) field(node ast.Node, name string) ast.Node {
	entries, err := d.entries(node)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if keyOf(entry) == name {
			return entry.Value
		}
	}
	return nil
}

func keyOf(entry *ast.MappingValueNode) string { return entry.Key.(ast.Node).GetToken().Value }

// check refuses the names of a mapping that are not supported.
func (d *document) check(place string, node ast.Node) error {
	entries, err := d.entries(node)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if d.readsPast(place, keyOf(entry)) {
			continue
		}
		if err := supported(place, keyOf(entry)); err != nil {
			return d.fail(entry, "%w", err)
		}
		if strings.HasSuffix(place, " config") {
			continue // the types are those of the rendered values
		}
		if err := d.checkType(place, entry); err != nil {
			return err
		}
	}
	return nil
}

// value is a node as Jinja has it; dicts keep the order of their keys.
func (d *document) value(node ast.Node) (jinja.Value, error) {
	if node == nil {
		return nil, nil
	}
	var times moments
	if ast.Walk(&times, node); times.found != nil {
		return nil, d.fail(times.found, "%s is a date or a time in YAML 1.1, not a text: put it into quotes", times.found)
	}
	var read any
	if err := yaml.NodeToValue(node, &read, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("%s: %w", d.file, err)
	}
	return d.ordered(node, read)
}

func (d *document) ordered(node ast.Node, value any) (jinja.Value, error) {
	switch value := value.(type) {
	case yaml.MapSlice:
		dict := jinja.NewDict()
		for _, item := range value {
			inner, err := d.ordered(node, item.Value)
			if err == nil {
				err = dict.Set(jinja.ValueOf(item.Key), inner)
			}
			if err != nil {
				return nil, d.fail(node, "%w", err)
			}
		}
		return dict, nil
	case []any:
		list := jinja.NewList()
		for _, item := range value {
			inner, err := d.ordered(node, item)
			if err != nil {
				return nil, err
			}
			list.Items = append(list.Items, inner)
		}
		return list, nil
	}
	return jinja.ValueOf(value), nil
}

// moments finds a time that is not quoted.
type moments struct{ found ast.Node }

// Visit looks at one node.
func (m *moments) Visit(node ast.Node) ast.Visitor {
	if text, ok := node.(*ast.StringNode); ok && !isQuoted(text) && isMoment(text.Value) {
		m.found = text
	}
	return m
}

func isMoment(text string) bool {
	return text != "" && '0' <= text[0] && text[0] <= '9' && moment.MatchString(text)
}

// moment is a date, which is no text in Python, or a time stamp, whose text is
// another one there.
var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\d$|^\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$`)
