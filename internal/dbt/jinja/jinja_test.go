package jinja

import (
	"os"
	"strings"
	"testing"
)

// names are the variables of the templates here.
func names(name string) (Value, bool, error) {
	const all = `{"v": {"b": 1, "a": [1, 2, "x"], "n": null, "f": 1.5}, "l": ["b", "A", "c", "a"], "n": [3, 1, 2],
		"rows": [{"k": "x", "n": 2}, {"k": "y", "n": 1}, {"k": "x", "n": 3}], "s": "It's a <b>Straße</b>", "i": 7, "zero": 0}`
	if name == "t" {
		return &Tuple{Items: []Value{int64(1), "a"}}, true, nil
	}
	read, err := FromJSON(all)
	if err != nil {
		return nil, false, err
	}
	v, ok := read.(*Dict).Get(name)
	return v, ok, nil
}

// Below each template is what dbt-core's Jinja2 renders; local/dbtequal
// compares that.
func TestRender_AsJinja2(t *testing.T) {
	content, err := os.ReadFile("testdata/rendered.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	for i := 0; i < len(lines); i += 2 {
		source := strings.ReplaceAll(lines[i], "⏎", "\n")
		parsed, err := Parse("t", source, 1)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := parsed.Render(names)
		if got = "= " + strings.NewReplacer("\n", "⏎", "\t", "⇥").Replace(got); err != nil || got != lines[i+1] {
			t.Errorf("%s renders\n%s, want\n%s (%v)", source, got, lines[i+1], err)
		}
	}
}

func TestMacros(t *testing.T) {
	parsed, err := Parse("m.sql", `{% macro rest(a, b=a ~ '!') %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}
{% macro around(x) %}<{{ caller(x) }}>{% endmacro %}
{% macro early(n: int) %}{% for i in range(n) %}{% if i == 2 %}{{ return({'i': i}) }}{% endif %}{% endfor %}never{% endmacro %}
{% macro deep(n) %}{{ deep(n + 1) }}{% endmacro %}
{% macro plain(a) %}{{ a }}{% endmacro %}`, 1)
	if err != nil {
		t.Fatal(err)
	}
	var context Context
	context = func(name string) (Value, bool, error) {
		for _, d := range parsed.Definitions() {
			if d.Name == name {
				return d.Macro(context), true, nil
			}
		}
		if name == "return" {
			return Func(Return), true, nil
		}
		return nil, false, nil
	}
	for source, want := range map[string]string{
		"{{ rest(1) }}":                                   "11!(){}",
		"{{ rest(1, 2, 3, c=4) }}":                        "12(3,){'c': 4}",
		"{{ rest(*[1, 2], **{'z': none}) }}":              "12(){'z': None}",
		"{% call(y) around(3) %}{{ y * 2 }}{% endcall %}": "<6>",
		"{% set r = early(5) %}{{ r.i + 1 }}":             "3",
		"{{ early(2) }}":                                  "never",
		"\n{{ deep(1) }}":                                 "m.sql:4: macros call each other more than 200 deep",
		"{{ plain(1, 2) }}":                               "x:1: the macro plain takes 1 arguments at most, and 2 are given",
		"\n{{ plain(b=2) }}":                              `x:2: the macro plain takes no argument named "b"`,
		"{{ plain() }}":                                   `m.sql:5: the parameter "a" of plain, which the call does not give, is undefined`,
		"{{ return(1) }}":                                 "x:1: return ends a macro: there is none around it",
		"{% set a = [] %}{% do a.append(a) %}\n{{ a }}":   "x:2: a list or dict that holds itself cannot be printed",
		"{{ 9223372036854775807 + 1 }}":                   "x:1: the number becomes too large: whole numbers have up to 64 bits here",
		"{% for i in [1] %}{{ i }}":                       "x:1: the tag that ends here is not closed by {% endfor %}",
		"{{ ((1) }}":                                      `x:1: unexpected "}", expected ")"`,
	} {
		got := ""
		parsed, err := Parse("x", source, 1)
		if err == nil {
			got, err = parsed.Render(context)
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}

// A template that a person got wrong gives an error, and never a panic.
func FuzzRender(f *testing.F) {
	for _, source := range []string{"{{ 1 // 0 }}", "{% for %}", "{{ 'a' % (1, 2) }}", "{{ l[::0] }}", "{{ v.items()[0] }}", "{%- raw -%}", "{{ '\\x' }}", "{{ {'a': [}] }}", "{% set a.b = 1 %}", "{{ s | replace('', 'x') }}"} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if parsed, err := Parse("x", source, 1); err == nil {
			_, _ = parsed.Render(names)
		}
	})
}
