package dbtequal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
)

// A builtCase is a small project that both tools build, several times. All its
// names begin with its own, so that many cases stand in one project.
type builtCase struct {
	generated
	later   map[int]map[string]string // files that are others from a step on
	onStart []string                  // statements of on-run-start
	picks   []string                  // what a step that selects builds of it
	omits   []string                  // and what it leaves out
}

// A caseWriter writes random cases of tables.
type caseWriter struct {
	projectWriter
	of    *builtCase
	steps int
}

// writeBuilt writes a case; its seed and place alone decide what is in it.
func writeBuilt(seed, place, steps int) *builtCase {
	c := &builtCase{generated: generated{
		name: fmt.Sprintf("case%d", place), files: map[string]string{}, settings: map[string]string{},
	}, later: map[int]map[string]string{}}
	random := rand.New(rand.NewPCG(uint64(seed), uint64(place)))
	w := &caseWriter{projectWriter{Rand: random, generated: &c.generated}, c, steps}
	kinds := []func(){w.writeIncremental, w.writeIncremental, w.writeSnapshots, w.writeChain, w.writeTested, w.writeHooked, w.writeSeeds, w.writeBatches, w.writeFailing, w.writeContracts}
	kinds[place%len(kinds)]()
	c.picks = append(c.picks, w.pick())
	if w.IntN(3) == 0 {
		c.omits = append(c.omits, w.pick())
	}
	return c
}

// pick is a selector that is about this case alone.
func (w *caseWriter) pick() string {
	name := w.name
	if len(w.models) > 0 {
		name = w.models[w.IntN(len(w.models))]
	}
	return w.one(name, name+"+", "+"+name, "1+"+name, name+"+1", "@"+name, "path:models/"+w.name, "p."+w.name, "tag:"+w.name, "p."+w.name+",config.materialized:table", w.name+".*", "p.*."+w.name+"_?*")
}

// filesAt are the files of a step, from 1 on.
func (c *builtCase) filesAt(step int) map[string]string {
	files := maps.Clone(c.files)
	for i := 2; i <= step; i++ {
		maps.Copy(files, c.later[i])
	}
	return files
}

// builtProject is a project with these cases, as it is at a step.
func builtProject(cases []*builtCase, step int) small {
	files := map[string]string{}
	var out strings.Builder
	out.WriteString("name: p\nversion: 1.0.0\nconfig-version: 2\nprofile: p\n")
	for _, section := range []string{"models", "seeds", "snapshots", "data_tests"} {
		fmt.Fprintf(&out, "%s:\n  p:\n", section)
		for _, c := range cases {
			settings := c.settings[section]
			if section != "data_tests" && settings == "" {
				settings = "{+tags: " + c.name + "}"
			}
			if settings != "" {
				fmt.Fprintf(&out, "    %s: %s\n", c.name, settings)
			}
		}
		out.WriteString("    +meta: {}\n")
	}
	out.WriteString("on-run-start:\n- select 1\n")
	for _, c := range cases {
		maps.Copy(files, c.filesAt(step))
		for _, statement := range c.onStart {
			fmt.Fprintf(&out, "- %q\n", statement)
		}
	}
	files["dbt_project.yml"] = out.String()
	return small{files: files}
}

// settings of a model: dbt's name and a value that Jinja and YAML both read.
type setting struct{ key, value string }

// place puts settings into config(), a yml file or dbt_project.yml, and returns
// what begins the model's file. more is what else the yml file says of it.
func (w *caseWriter) place(kind, name string, settings []setting, more string) string {
	parts := make([]string, len(settings))
	write := func(form string) string {
		for i, s := range settings {
			parts[i] = fmt.Sprintf(form, s.key, s.value)
		}
		return strings.Join(parts, ", ")
	}
	head, config := "", ""
	switch n := w.IntN(10); {
	case len(settings) == 0:
	case n < 2 && !hasJinja(settings):
		config = ", config: {" + write("%s: %s") + "}"
	case n == 2 && !hasJinja(settings) && w.settings[kind] == "" && kind == "models":
		w.settings[kind] = "{+tags: " + w.name + ", " + name + ": {" + write("+%s: %s") + "}}"
	default:
		head = "{{ config(" + write("%s=%s") + ") }}\n"
	}
	if config+more != "" {
		w.files[fmt.Sprintf("%s/%s/%s.yml", kind, w.name, name)] = fmt.Sprintf("%s:\n- {name: %s%s%s}\n", kind, name, config, more)
	}
	return head
}

func hasJinja(settings []setting) bool {
	for _, s := range settings {
		if strings.Contains(s.value, "var(") {
			return true
		}
	}
	return false
}

// model adds a model of the case.
func (w *caseWriter) model(name string, settings []setting, more, sql string) {
	head := w.place("models", name, settings, more)
	w.files["models/"+w.name+"/"+name+".sql"] = head + sql + "\n"
	w.models = append(w.models, name)
}

// choose adds settings of keys, each with one of its values, where chance says
// so: one in n.
func (w *caseWriter) choose(settings []setting, n int, of map[string][]string, keys ...string) []setting {
	for _, key := range keys {
		if w.IntN(n) == 0 {
			settings = append(settings, setting{key, w.one(of[key]...)})
		}
	}
	return settings
}

// A column of an input, with values for it.
type inputColumn struct {
	name, kind string
	values     []string
}

var inputColumns = []inputColumn{
	{"kind", "string", []string{"'a'", "'b'", "'B'", "''", "null"}},
	{"n", "int64", []string{"0", "-1", "3", "7", "null", "9007199254740993"}},
	{"word", "string", []string{"'x'", `'it\'s'`, "'ä'", "'1'", "null", `'two\nlines'`}},
	{"d", "date", []string{"date '2026-11-20'", "date '2026-11-21'", "date '2026-11-22'", "date '2026-12-01'", "date '2026-11-21'", "null"}},
	{"ts", "timestamp", []string{"timestamp '2026-11-20 10:30:00+00'", "timestamp '2026-11-20 23:59:59.999999+00'", "timestamp '2026-11-21 00:00:00+00'", "timestamp '2027-01-01 00:00:00+00'", "null"}},
	{"amount", "float64", []string{"1.5", "-0.25", "1e20", "0.1", "null"}},
	{"price", "numeric", []string{"numeric '1.5'", "numeric '-3'", "numeric '0.000000001'", "null"}},
	{"flag", "bool", []string{"true", "false", "null"}},
}

// rowsOfStep is a query of random rows: id is unique, but where keys may repeat.
func (w *caseWriter) rowsOfStep(most int, repeats bool, nulls bool) string {
	ids := w.Perm(most)[:1+w.IntN(most)]
	kinds := []string{"id int64"}
	for _, column := range inputColumns {
		kinds = append(kinds, column.name+" "+column.kind)
	}
	var rows []string
	for _, id := range ids {
		values := []string{fmt.Sprint(id + 1)}
		if repeats && w.IntN(4) == 0 {
			values[0] = w.one("1", "null")
		}
		for _, column := range inputColumns {
			value := w.one(column.values...)
			for !nulls && value == "null" {
				value = w.one(column.values...)
			}
			values = append(values, value)
		}
		rows = append(rows, "("+strings.Join(values, ", ")+")")
	}
	return "select * from unnest(array<struct<" + strings.Join(kinds, ", ") + ">>[\n  " + strings.Join(rows, ",\n  ") + "])"
}

// input adds a model with other rows at each step.
func (w *caseWriter) input(name string, most int, repeats, nulls bool) {
	var out strings.Builder
	for step := 1; step <= w.steps; step++ {
		fmt.Fprintf(&out, "{%% %s var('step') == %d %%}\n%s\n", map[bool]string{true: "if", false: "elif"}[step == 1], step, w.rowsOfStep(most, repeats, nulls))
	}
	out.WriteString("{% endif %}")
	w.model(name, []setting{{"materialized", w.one("'view'", "'table'", "'ephemeral'", "'table'")}}, "", out.String())
}
