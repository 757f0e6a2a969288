package transform

import (
	"errors"
	"fmt"
	"path"
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
	parsed *exec.Template
}

// The subset. Left out on purpose, because they would render otherwise than
// in dbt or not at all: methods of lists and dicts, do, call, import, include.
var (
	tags    = []string{"for", "if", "set", "macro"}
	filters = []string{"default", "indent", "join", "length", "lower", "replace", "trim", "upper"}
	tests   = []string{"defined", "none", "undefined"}
)

// renders lists what makes gonja and dbt part without an error.
var renderDifferences = []struct {
	pattern *regexp.Regexp
	reason  string
}{
	{regexp.MustCompile(`\{\s*\}`), "an empty dict is true here and false in dbt: write none"},
	{regexp.MustCompile(`\bvarargs\b|\bkwargs\b|\bcaller\b`), "macros take named arguments only"},
	{regexp.MustCompile(`\bloop\.(changed|cycle|depth|depth0|previtem|nextitem)\b`), "this loop variable is not supported"},
}

var expression = regexp.MustCompile(`(?s)\{%.*?%\}|\{\{.*?\}\}`)

func parseTemplate(name, source string) (*template, error) {
	for _, at := range expression.FindAllStringIndex(source, -1) {
		for _, difference := range renderDifferences {
			if difference.pattern.MatchString(strings.Trim(source[at[0]:at[1]], "{}")) {
				return nil, fmt.Errorf("%s:%d: %s", name, lineOf(source, at[0]), difference.reason)
			}
		}
	}
	parsed, fault := parse(source)
	if fault != nil {
		return nil, fmt.Errorf("%s:%d: %s", name, placeOf(fault, source), fault.Message)
	}
	return &template{path: name, parsed: parsed}, nil
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
func (t *templates) render(source *template, functions map[string]any) (string, error) {
	shared := exec.NewContext(functions)
	for _, file := range t.macros {
		if err := execute(file, shared, &strings.Builder{}); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	if err := execute(source, shared.Inherit(), &out); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// text renders a short piece, a value in a yml file.
func (t *templates) text(name, source string, functions map[string]any) (string, error) {
	if !strings.Contains(source, "{{") && !strings.Contains(source, "{%") {
		return source, nil
	}
	parsed, err := parseTemplate(name, source)
	if err != nil {
		return "", err
	}
	return t.render(parsed, functions)
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
		return fmt.Errorf("%s: %w", source.path, err)
	}
	return nil
}

func environment(context *exec.Context) *exec.Environment {
	known := exec.NewControlStructureSet(map[string]parser.ControlStructureParser{})
	for _, name := range tags {
		if tag, ok := builtins.ControlStructures.Get(name); ok {
			must(known.Register(name, tag))
		}
	}
	knownFilters := exec.NewFilterSet(map[string]exec.FilterFunction{})
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
		panic("transform: " + err.Error())
	}
}

func lineOf(source string, offset int) int { return 1 + strings.Count(source[:offset], "\n") }

// nameOf is the name of the model or test a file holds.
func nameOf(file string) string { return strings.TrimSuffix(path.Base(file), ".sql") }
