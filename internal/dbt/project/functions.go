package project

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// A rendering is what dbt's functions know while one file is rendered.
type rendering struct {
	project     *Project
	compilation Compilation
	model       *Model // nil for a test
	file        string
	config      map[string]any
	reads       []string
	ephemeral   []*Model       // read, in the order of first use
	extra       map[string]any // further names
	asked       bool
	fault       error // the first that one of the functions reported
}

// fail reports an error the way gonja's functions do, as a value.
func (r *rendering) fail(format string, args ...any) *exec.Value {
	err := fmt.Errorf(format, args...)
	if r.fault == nil {
		r.fault = err
	}
	return exec.AsValue(err)
}

// explain keeps of gonja's error, which repeats the expression at each level,
// the file, the line and what one of the functions said.
func (r *rendering) explain(err error) error {
	if r.fault == nil {
		return err
	}
	place, _, _ := strings.Cut(err.Error(), ": ")
	if line := atLine.FindStringSubmatch(err.Error()); line != nil {
		place += ":" + line[1]
	}
	return fmt.Errorf("%s: %w", place, r.fault)
}

var atLine = regexp.MustCompile(`at line (\d+)`)

// functions returns dbt's context, as far as it is supported. They report
// errors as values, as gonja's functions do.
func (r *rendering) functions() map[string]any {
	namespace, _ := builtins.GlobalFunctions.Get("namespace")
	functions := map[string]any{
		"ref":                   r.ref,
		"source":                r.source,
		"config":                r.configure,
		"var":                   r.variable,
		"env_var":               r.environment,
		"is_incremental":        func() bool { return r.compilation.Incremental },
		"should_store_failures": func() bool { return r.compilation.StoreFailures },
		"run_query":             r.query,
		"execute":               r.compilation.Query != nil,
		"log":                   func(*exec.VarArgs) *exec.Value { return exec.AsValue("") },
		"exceptions":            map[string]any{"raise_compiler_error": r.raise},
		"namespace":             namespace,
		"range":                 r.numbers,
		"project_name":          r.project.Name,
		"target": map[string]any{
			"project":  r.project.target.Project,
			"database": r.project.target.Project,
			"dataset":  r.project.target.Dataset,
			"schema":   r.project.target.Dataset,
			"name":     "prod",
			"type":     "bigquery",
		},
		"none": nil, "true": true, "false": false,
	}
	if r.model != nil {
		functions["this"] = cmp.Or(r.compilation.This, r.compilation.relation(r.project, r.model))
	}
	maps.Copy(functions, r.extra)
	return functions
}

func (r *rendering) ref(arguments *exec.VarArgs) *exec.Value {
	names, err := words("ref", arguments, 1, 2)
	if err != nil {
		return r.fail("%w", err)
	}
	name := names[len(names)-1]
	model := r.project.models[name]
	if model == nil || len(names) == 2 && names[0] != r.project.Name {
		return r.fail("ref: there is no model %q", strings.Join(names, "."))
	}
	r.note(model.ID)
	if model.Config.Materialized == Ephemeral {
		if !slices.Contains(r.ephemeral, model) {
			r.ephemeral = append(r.ephemeral, model)
		}
		return exec.AsValue(cteOf(model))
	}
	return exec.AsValue(r.compilation.relation(r.project, model))
}

func (r *rendering) note(id string) {
	if !slices.Contains(r.reads, id) {
		r.reads = append(r.reads, id)
	}
}

func (r *rendering) source(arguments *exec.VarArgs) *exec.Value {
	names, err := words("source", arguments, 2, 2)
	if err != nil {
		return r.fail("%w", err)
	}
	source := r.project.sources[names[0]+"."+names[1]]
	if source == nil {
		return r.fail("source: no yml file declares %s.%s", names[0], names[1])
	}
	r.note(source.ID)
	return exec.AsValue(source.Relation)
}

// configure takes config(...) with named arguments, or with one dict.
func (r *rendering) configure(arguments *exec.VarArgs) *exec.Value {
	if len(arguments.Args) > 0 {
		return r.fail("config takes named arguments only")
	}
	for key, value := range arguments.KwArgs {
		configure(r.config, key, value.ToGoSimpleType(false))
	}
	return exec.AsValue("")
}

func (r *rendering) variable(arguments *exec.VarArgs) *exec.Value {
	if len(arguments.Args) < 1 || len(arguments.Args) > 2 || len(arguments.KwArgs) > 0 {
		return r.fail("var takes a name and, where there may be none, a default")
	}
	name := arguments.Args[0].String()
	for _, vars := range []map[string]any{r.compilation.Vars, r.project.vars} {
		if value, ok := vars[name]; ok {
			return exec.AsValue(value)
		}
	}
	if len(arguments.Args) == 2 {
		return arguments.Args[1]
	}
	return r.fail("var: %q is not set in dbt_project.yml", name)
}

func (r *rendering) environment(arguments *exec.VarArgs) *exec.Value {
	names, err := words("env_var", arguments, 1, 2)
	if err != nil {
		return r.fail("%w", err)
	}
	if strings.HasPrefix(names[0], "DBT_ENV_SECRET") {
		return r.fail("env_var: %s is a secret, and secrets do not belong into SQL", names[0])
	}
	if getenv := r.project.target.Getenv; getenv != nil {
		if value := getenv(names[0]); value != "" {
			return exec.AsValue(value)
		}
	}
	if len(names) == 2 {
		return exec.AsValue(names[1])
	}
	return r.fail("env_var: %s is not set in the environment", names[0])
}

func (r *rendering) raise(arguments *exec.VarArgs) *exec.Value {
	messages, err := words("raise_compiler_error", arguments, 1, 1)
	if err != nil {
		return r.fail("%w", err)
	}
	return r.fail("%s", messages[0])
}

// numbers is range, as a list.
func (r *rendering) numbers(arguments *exec.VarArgs) *exec.Value {
	bounds := []int{0, 0, 1}
	switch n := len(arguments.Args); n {
	case 1:
		bounds[1] = arguments.Args[0].Integer()
	case 2, 3:
		for i, argument := range arguments.Args {
			bounds[i] = argument.Integer()
		}
	default:
		return r.fail("range takes one to three whole numbers")
	}
	const most = 100_000 // dbt's own limit
	var list []any
	for n := bounds[0]; bounds[2] > 0 && n < bounds[1] || bounds[2] < 0 && n > bounds[1]; n += bounds[2] {
		if len(list) == most {
			return r.fail("range: more than %d numbers", most)
		}
		list = append(list, n)
	}
	return exec.AsValue(list)
}

// query answers run_query with a table: rows, each with its columns by name.
func (r *rendering) query(arguments *exec.VarArgs) *exec.Value {
	queries, err := words("run_query", arguments, 1, 1)
	if err != nil {
		return r.fail("%w", err)
	}
	if r.compilation.Query == nil {
		return r.fail("run_query: guard it with is_incremental() or execute")
	}
	r.asked = true
	rows, err := r.compilation.Query(strings.TrimSpace(queries[0]))
	if err != nil {
		return r.fail("run_query: %w", err)
	}
	table := make([]any, len(rows))
	for i, row := range rows {
		table[i] = row
	}
	return exec.AsValue(map[string]any{"rows": table})
}

// words are a function's arguments, all of them strings and none named.
func words(function string, arguments *exec.VarArgs, least, most int) ([]string, error) {
	if len(arguments.KwArgs) > 0 || len(arguments.Args) < least || len(arguments.Args) > most {
		return nil, fmt.Errorf("%s is called with arguments that are not supported", function)
	}
	var out []string
	for _, argument := range arguments.Args {
		if !argument.IsString() {
			return nil, fmt.Errorf("%s takes strings, not %s", function, argument.String())
		}
		out = append(out, argument.String())
	}
	return out, nil
}
