package dbtequal

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// names are the variables of the templates here; jinja.py has the same.
func names(name string) (jinja.Value, bool, error) {
	const all = `{"v": {"b": 1, "a": [1, 2, "x"], "n": null, "f": 1.5}, "l": ["b", "A", "c", "a"], "n": [3, 1, 2],
		"rows": [{"k": "x", "n": 2}, {"k": "y", "n": 1}, {"k": "x", "n": 3}], "s": "It's a <b>Straße</b>", "i": 7, "zero": 0}`
	if name == "t" {
		return &jinja.Tuple{Items: []jinja.Value{int64(1), "a"}}, true, nil
	}
	read, err := jinja.FromJSON(all)
	if err != nil {
		return nil, false, err
	}
	v, ok := read.(*jinja.Dict).Get(name)
	return v, ok, nil
}

func render(source string) (string, error) {
	parsed, err := jinja.Parse("t", source, 1)
	if err != nil {
		return "", err
	}
	return parsed.Render(names)
}

// An answer is what dbt's own Jinja makes of a template.
type answer struct{ Text, Error string }

// python is the interpreter of dbt-core's environment.
func python(t testing.TB) string {
	t.Helper()
	path := os.Getenv("DBT_PYTHON")
	if path == "" {
		t.Skip("set DBT_PYTHON to the Python of an environment with local/dbtequal/requirements.txt installed")
	}
	return path
}

func answersOf(t testing.TB, sources []string) []answer {
	t.Helper()
	var answers []answer
	input, err := json.Marshal(sources)
	check(t, err)
	process := exec.Command(python(t), "jinja.py")
	process.Stdin, process.Stderr = bytes.NewReader(input), os.Stderr
	output, err := process.Output()
	check(t, err)
	check(t, json.Unmarshal(output, &answers))
	return answers
}

// compareTemplates reports where the two render different texts, or where only
// dbt's own says no. It returns how many this side refuses alone.
func compareTemplates(t *testing.T, sources []string) (refused int) {
	t.Helper()
	for i, want := range answersOf(t, sources) {
		got, err := render(sources[i])
		switch {
		case err != nil && want.Error == "":
			refused++
			t.Logf("refused: %q: %v; Jinja2 renders %q", sources[i], err, want.Text)
		case err == nil && want.Error != "":
			t.Errorf("%q renders %q, and Jinja2 says %s", sources[i], got, want.Error)
		case err == nil && got != want.Text:
			t.Errorf("%q renders %q, Jinja2 %q", sources[i], got, want.Text)
		}
	}
	return refused
}

// The templates and texts that the package's own test compares, too.
func TestJinja_RendersAsDbtsOwn(t *testing.T) {
	content, err := os.ReadFile("../../internal/dbt/jinja/testdata/rendered.txt")
	check(t, err)
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	var sources []string
	for i := 0; i < len(lines); i += 2 {
		sources = append(sources, strings.ReplaceAll(lines[i], "⏎", "\n"))
	}
	if refused := compareTemplates(t, sources); refused > 0 {
		t.Errorf("%d templates are refused", refused)
	}
	for i, want := range answersOf(t, sources) {
		if got := "= " + strings.NewReplacer("\n", "⏎", "\t", "⇥").Replace(want.Text); got != lines[2*i+1] {
			t.Errorf("rendered.txt has %q for %q, Jinja2 renders %q", lines[2*i+1], sources[i], got)
		}
	}
}

// A writer writes random templates.
type templateWriter struct{ *rand.Rand }

func (w templateWriter) one(of ...string) string { return of[w.IntN(len(of))] }

func (w templateWriter) expression(depth int) string {
	if depth == 0 || w.IntN(6) == 0 {
		return w.one("1", "-7", "0", "2.5", "10", "'x'", "'a b'", "\"it's\"", "'ß'", "''", "none", "true", "false", "[]", "{}", "[1, 'a', none]",
			"(1, 2)", "{'b': 1, 'a': 2}", "v", "l", "n", "s", "i", "zero", "t", "rows", "v.a", "v['b']", "rows[0].k", "nothing", "3", "1e3", "-0.5", "()", "range(3)")
	}
	e := func() string { return w.expression(depth - 1) }
	switch w.IntN(12) {
	case 0, 1:
		return e() + w.one(" + ", " - ", " * ", " / ", " // ", " % ", " ~ ", " ~ ") + e()
	case 2:
		return "(" + e() + ")" + w.one(" == ", " != ", " < ", " >= ", " in ", " not in ") + e()
	case 3:
		return e() + w.one(" and ", " or ") + e()
	case 4:
		return w.one("not ", "-", "(", "(") + e() + ")"
	case 5:
		return e() + " if " + e() + " else " + e()
	case 6, 7:
		return "(" + e() + ")|" + w.filter(e)
	case 8:
		return "(" + e() + ") is " + w.one("", "not ") + w.one("defined", "none", "string", "number", "mapping", "sequence", "iterable", "odd", "true",
			"boolean", "integer", "float", "lower", "upper", "in "+"l", "undefined", "divisibleby 2", "callable", "eq 1")
	case 9:
		return "(" + e() + ")." + w.method(e)
	case 10:
		return "(" + e() + ")[" + w.one("0", "-1", "'a'", "'k'", "1:", ":2", "::-1", "5", "1:3") + "]"
	}
	return "[" + e() + ", " + e() + w.one("]", ",]")
}

func (w templateWriter) filter(e func() string) string {
	return w.one("upper", "lower", "title", "capitalize", "trim", "length", "list", "first", "last", "int", "float", "abs", "sum", "min", "max",
		"sort", "sort(reverse=true)", "unique|list", "join(', ')", "join", "replace('a', 'b')", "default("+e()+")", "default("+e()+", true)", "round", "round(1)",
		"round(1, 'floor')", "string", "tojson", "map('upper')|list", "map(attribute='k')|list", "select|list", "reject('none')|list", "selectattr('n', 'gt', 1)|list",
		"reverse|list", "dictsort", "items|list", "indent(2)", "format("+e()+")", "batch(2)|list", "groupby('k')", "wordcount", "center(9)", "is_list", "as_text", "map('int')|sum", "rejectattr('k')|list")
}

func (w templateWriter) method(e func() string) string {
	return w.one("upper()", "lower()", "title()", "capitalize()", "strip()", "split()", "split(' ')", "split('a', 1)", "rsplit(none, 1)", "replace('a', 'bb')", "startswith('a')",
		"endswith(('x', 'b'))", "format("+e()+")", "join(l)", "items()|list", "keys()|list", "values()|list", "get('a')", "get('z', "+e()+")", "index('a')", "count('a')", "append(1)",
		"find('t')", "splitlines()", "zfill(5)", "isdigit()", "swapcase()", "partition(' ')", "copy()", "rjust(5)", "isupper()", "pop()", "center(6)", "items()", "isalpha()", "lstrip('I')")
}

// statement writes a template of text and tags.
func (w templateWriter) template() string {
	e := func() string { return w.expression(2) }
	switch w.IntN(9) {
	case 0:
		return "{% for x in " + e() + w.one("", " if x") + " %}" + w.one("{{ x }}", "{{ loop.index }}{{ ',' if not loop.last }}", "{{ loop.cycle('a', 'b') }}",
			"{% if loop.first %}{% continue %}{% endif %}{{ x }}", "{% set y = x %}{{ y }}") + "{% else %}none{% endfor %}"
	case 1:
		return "{% set x = " + e() + " %}{% set x, y = x, " + e() + " %}{{ x }} {{ y }}"
	case 2:
		return "{% set x = [] %}{% for k in " + e() + " %}{% do x.append(k) %}{% endfor %}{{ x }}"
	case 3:
		return "{% set x = {} %}{% do x.update({'k': " + e() + "}) %}{{ x }}{{ 'empty' if not x }}"
	case 4:
		return "{% if " + e() + " %}yes{% elif " + e() + " %} maybe {%- else -%} no {% endif %}"
	case 5:
		return "{% set ns = namespace(n=" + e() + ") %}{% for k in [1, 2] %}{% set ns.n = ns.n ~ k %}{% endfor %}{{ ns.n }}"
	case 6:
		return " {%- set x %} {{ " + e() + " }} {% endset -%} [{{ x }}]{% filter upper %}{{ x }}{% endfilter %}\n"
	default:
		return "{{ " + w.expression(3) + " }}"
	}
}

// A seed reproduces a run: STATIONFLOW_SEED, with STATIONFLOW_CASES.
func TestJinja_RandomTemplates(t *testing.T) {
	seed, cases := number(t, "STATIONFLOW_SEED", 1), number(t, "STATIONFLOW_CASES", 500)
	w := templateWriter{rand.New(rand.NewPCG(uint64(seed), 0))}
	sources := make([]string, cases)
	for i := range sources {
		sources[i] = w.template()
	}
	refused := compareTemplates(t, sources)
	t.Logf("seed %d: %d templates, %d refused here alone", seed, cases, refused)
}
