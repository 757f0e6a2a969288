package project

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/parser"
)

// templates renders the project's Jinja. It knows the subset that renders
// here exactly as in dbt; what is outside of it is an error that names file
// and line, never other SQL.
type templates struct {
	macros []*template
}

// A template is one parsed file.
type template struct {
	path   string
	source string
	parsed *exec.Template
}

// The subset. Left out on purpose, because they would render otherwise than
// in dbt or not at all: methods of lists and dicts, do, call, import, include.
var (
	tags    = []string{"for", "if", "set", "macro", "raw"}
	filters = []string{"first", "indent", "int", "join", "last", "length", "list", "lower", "replace", "string", "trim", "upper"}
	tests   = []string{"defined", "none", "undefined", "string", "number", "iterable", "mapping", "sequence"}
)

// testTag is the beginning or the end of a generic test's definition.
var testTag = regexp.MustCompile(`(\{%-?\s*)(?:(endtest)|(test)\s+(\w+))`)

// parseTemplate parses a file; lead are lines that come before its source.
func parseTemplate(name, source, lead string) (*template, error) {
	source = lead + source
	found := tokensOf(source)
	if line, reason := lint(found); reason != "" {
		return nil, fmt.Errorf("%s:%d: %s", name, line, reason)
	}
	parsed, fault := parse(printable(source, found))
	if fault != nil {
		if _, plain := parse(source); plain != nil {
			fault = plain // as it is written
		}
		return nil, fmt.Errorf("%s:%d: %s", name, placeOf(fault, source), fault.Message)
	}
	return &template{path: name, source: source, parsed: parsed}, nil
}

// addMacros parses a file of macros, and of generic tests.
func (t *templates) addMacros(name, source string) error {
	parsed, err := parseTemplate(name, genericTests(source), "")
	if err != nil {
		return err
	}
	t.macros = append(t.macros, parsed)
	return nil
}

// defines reports whether some file has the macro.
func (t *templates) defines(name string) bool {
	for _, file := range t.macros {
		if definition := regexp.MustCompile(`\bmacro\s+` + name + `\b`); definition.MatchString(file.source) {
			return true
		}
	}
	return false
}

func parse(source string) (*exec.Template, *parser.SyntaxError) {
	const root = "/template"
	options := config.New()
	options.StrictUndefined = true
	parsed, err := exec.NewTemplate(root, options, loaders.MustNewMemoryLoader(map[string]string{root: source}), environment(exec.EmptyContext()))
	var syntax *parser.SyntaxError
	switch {
	case err == nil:
		return parsed, nil
	case errors.As(err, &syntax):
		return nil, syntax
	}
	text := err.Error() // repeats the source before it says what is wrong
	return nil, &parser.SyntaxError{Message: text[strings.LastIndex(text, "': ")+1:]}
}

var expression = regexp.MustCompile(`(?s)\{%.*?%\}|\{\{.*?\}\}`)

// placeOf is the line of a fault. At the end of an expression gonja knows
// none: then it is the first expression with that fault.
func placeOf(fault *parser.SyntaxError, source string) int {
	if fault.Line > 0 {
		return fault.Line
	}
	for _, at := range expression.FindAllStringIndex(source, -1) {
		if _, alone := parse(source[at[0]:at[1]]); alone != nil && alone.Message == fault.Message {
			return lineOf(source, at[0])
		}
	}
	return 1
}

// render returns the template's text. Macros of all files are visible to it
// and to each other, and see the functions; the template's own variables stay
// its own.
func (t *templates) render(source *template, r *rendering) (string, error) {
	shared := exec.NewContext(r.functions())
	shared.Set("adapter", map[string]any{"dispatch": r.dispatcher(shared)})
	for _, file := range t.macros {
		if err := execute(file, shared, &strings.Builder{}); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	if err := execute(source, shared.Inherit(), &out); err != nil {
		return "", err
	}
	return out.String(), nil
}

// dispatcher is adapter.dispatch: the macro that is meant for BigQuery, or
// the one for all warehouses.
func (r *rendering) dispatcher(shared *exec.Context) func(*exec.VarArgs) *exec.Value {
	return func(arguments *exec.VarArgs) *exec.Value {
		if len(arguments.Args) == 0 || !arguments.Args[0].IsString() {
			return r.fail("adapter.dispatch takes the name of a macro")
		}
		name := arguments.Args[0].String()
		for _, prefix := range []string{"bigquery__", "default__"} {
			if macro, ok := shared.Get(prefix + name); ok {
				return exec.AsValue(macro)
			}
		}
		return r.fail("adapter.dispatch: there is no macro bigquery__%s or default__%s", name, name)
	}
}

// text renders a short piece, a value in a yml file.
func (t *templates) text(name, source string, r *rendering) (string, error) {
	if !strings.Contains(source, "{{") && !strings.Contains(source, "{%") {
		return source, nil
	}
	parsed, err := parseTemplate(name, source, "")
	if err != nil {
		return "", err
	}
	return t.render(parsed, r)
}

func execute(source *template, context *exec.Context, out *strings.Builder) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%s: rendering panicked: %v", source.path, fault)
		}
	}()
	options := config.New()
	options.StrictUndefined = true
	renderer := exec.NewRenderer(environment(context), out, options, nil, source.parsed)
	if err := renderer.Execute(); err != nil {
		return fmt.Errorf("%s: %s", source.path, asWritten(err))
	}
	return nil
}

// asWritten is an error of the library without what printable added.
func asWritten(err error) string { return strings.ReplaceAll(err.Error(), "|"+printFilter, "") }

// printed renders a printed value as dbt does.
func printed(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	switch {
	case in.IsError():
		return in
	case in.IsNil():
		return exec.AsValue("None")
	case in.IsDict():
		return exec.AsValue(fmt.Errorf("a dict prints otherwise than in dbt: print its values"))
	}
	return in
}

// orElse is Jinja's filter default: it replaces what is undefined, and with
// true as its second argument what is false; none is neither.
func orElse(_ *exec.Evaluator, in *exec.Value, arguments *exec.VarArgs) *exec.Value {
	if len(arguments.KwArgs) > 0 || len(arguments.Args) < 1 || len(arguments.Args) > 2 {
		return exec.AsValue(fmt.Errorf("default takes a value and, where false counts too, true"))
	}
	if in.IsError() || len(arguments.Args) == 2 && arguments.Args[1].IsTrue() && !in.IsTrue() {
		return arguments.Args[0]
	}
	return in
}

func environment(context *exec.Context) *exec.Environment {
	known := exec.NewControlStructureSet(map[string]parser.ControlStructureParser{})
	for _, name := range tags {
		if tag, ok := builtins.ControlStructures.Get(name); ok {
			must(known.Register(name, tag))
		}
	}
	knownFilters := exec.NewFilterSet(map[string]exec.FilterFunction{printFilter: printed, "default": orElse})
	for _, name := range filters {
		if filter, ok := builtins.Filters.Get(name); ok {
			must(knownFilters.Register(name, filter))
		}
	}
	knownTests := exec.NewTestSet(map[string]exec.TestFunction{})
	for _, name := range tests {
		if test, ok := builtins.Tests.Get(name); ok {
			must(knownTests.Register(name, test))
		}
	}
	return &exec.Environment{
		Context:           context,
		Filters:           knownFilters,
		Tests:             knownTests,
		ControlStructures: known,
		Methods: exec.Methods{
			Bool:  exec.NewMethodSet[bool](nil),
			Str:   exec.NewMethodSet[string](nil),
			Int:   exec.NewMethodSet[int](nil),
			Float: exec.NewMethodSet[float64](nil),
			Dict:  exec.NewMethodSet[map[string]any](nil),
			List:  exec.NewMethodSet[[]any](nil),
		},
	}
}

// must panics on what only a mistake in this file can cause.
func must(err error) {
	if err != nil {
		panic("project: " + err.Error())
	}
}

func lineOf(source string, offset int) int { return 1 + strings.Count(source[:offset], "\n") }
