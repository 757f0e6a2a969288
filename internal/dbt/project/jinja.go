package project

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A template is one parsed file.
type template = jinja.Template

// parseTemplate parses the text of a file. White space around it does not
// belong to it; lines are counted with it.
func parseTemplate(name, source string) (*template, error) {
	text := strings.TrimSpace(source)
	lead := source[:len(source)-len(strings.TrimLeft(source, " \t\r\n"))]
	parsed, err := jinja.Parse(name, text, 1+strings.Count(lead, "\n"))
	if err != nil {
		return nil, err
	}
	if own := parsed.Definitions(); len(own) > 0 {
		return nil, &jinja.Error{File: name, Line: own[0].Line, Err: fmt.Errorf(
			"a %s in this file is not supported: dbt would not find it by its name: put it into a file of macros", own[0].Kind)}
	}
	return parsed, nil
}

// readMacros reads the macros and generic tests of a package.
func (l *loader) readMacros(of *pkg) error {
	of.macros, of.files, of.broken = map[string]jinja.Definition{}, map[string]string{}, map[string]error{}
	for _, folder := range slices.Concat(of.settings.macroPaths, of.settings.genericTestPaths()) {
		for _, file := range filesUnder(l.files, folder, ".sql") {
			source, err := fs.ReadFile(l.files, file)
			if err != nil {
				return err
			}
			if err = l.addMacros(of, file, string(source)); err != nil && of.isRoot() {
				return err
			}
			if err != nil { // most of a package is never called
				for _, name := range definitions.FindAllStringSubmatch(string(source), -1) {
					of.broken[name[1]] = err
				}
			}
		}
	}
	return nil
}

// definitions finds the macros of a file that cannot be parsed.
var definitions = regexp.MustCompile(`\{%-?\s*(?:macro|test|data_test)\s+(\w+)`)

// onlyForDbt begins a macro file that changes how dbt-core builds models; the
// runner has its own way.
const onlyForDbt = "{# dbt-core only"

// addMacros takes over the macros of a file.
func (l *loader) addMacros(of *pkg, file, source string) error {
	parsed, err := jinja.Parse(file, source, 1)
	if err != nil {
		return err
	}
	if !of.isRoot() {
		parsed = parsed.Lenient()
	}
	for _, d := range parsed.Definitions() {
		name := d.Name
		place := func(format string, args ...any) error {
			return &jinja.Error{File: file, Line: d.Line, Err: fmt.Errorf(format, args...)}
		}
		switch d.Kind {
		case "macro":
		case "test", "data_test":
			name = "test_" + name
		default:
			if of.isRoot() {
				return place("a %s in a file of macros is not supported: the runner has its own %ss", d.Kind, d.Kind)
			}
			continue // the model that names it is refused
		}
		if other, twice := of.files[name]; twice {
			return place("%s already has a macro %s: dbt takes one of a name", other, name)
		}
		of.files[name] = file
		l.Macros = append(l.Macros, &Macro{Resource: of.resource("macro", name, file, nil), SQL: d.Source})
		if strings.HasPrefix(source, onlyForDbt) {
			continue
		}
		if way := takesOver(name); way != "" && of.isRoot() {
			return place("the macro %s is not supported: %s", name, way)
		}
		of.macros[name] = d
	}
	return nil
}

// takesOver says why a macro of this name would change how dbt builds, where
// the runner has its own way; "" for one that does not.
func takesOver(name string) string {
	base := strings.TrimPrefix(strings.TrimPrefix(name, "default__"), "bigquery__")
	if supportOf("macro", base).status == refused {
		return supportOf("macro", base).note
	}
	return ""
}

// definesIn returns the first package that has the macro.
func definesIn(name string, packages ...*pkg) *pkg {
	for _, one := range packages {
		if one == nil {
			continue
		}
		if _, ok := one.macros[name]; ok {
			return one
		}
	}
	return nil
}

// render returns the template's text. Macros of all files are visible to it
// and to each other; the template's own variables stay its own.
func (r *rendering) render(source *template) (out Text, err error) {
	err = guarded(func() (err error) {
		out.SQL, out.marks, err = source.RenderMarked(r.lookup)
		return err
	})
	return out, err
}

// guarded turns a panic into an error.
func guarded(do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("rendering panicked: %v", fault)
		}
	}()
	return do()
}

// value renders a value of a yml file as dbt does: a text that is one
// expression gives that expression's value.
func (r *rendering) value(file string, line int, source string) (jinja.Value, error) {
	if !strings.Contains(source, "{{") && !strings.Contains(source, "{%") {
		return source, nil
	}
	parsed, err := jinja.Parse(file, source, max(1, line))
	if err != nil {
		return nil, err
	}
	var out jinja.Value
	err = guarded(func() (err error) {
		out, err = parsed.Native(r.lookup)
		return err
	})
	return out, err
}

// text is value, which must be a text.
func (r *rendering) text(file string, line int, source string) (string, error) {
	v, err := r.value(file, line, source)
	if err != nil {
		return "", err
	}
	return jinja.Text(v)
}

// call calls a macro of a package.
func (r *rendering) call(of *pkg, name string, arguments ...jinja.Value) (string, error) {
	macro := of.macros[name].Macro(r.lookup)
	v, err := macro.Call(&jinja.Arguments{Positional: arguments, Named: jinja.NewDict()})
	if err != nil {
		return "", err
	}
	return jinja.Text(v)
}

// must panics on what only a mistake in this package can cause.
func must(err error) {
	if err != nil {
		panic("project: " + err.Error())
	}
}

// placed puts a file before an error that does not say its place.
func placed(file string, err error) error {
	if err == nil || errors.As(err, new(*jinja.Error)) {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}
