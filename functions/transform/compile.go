package transform

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// A Compilation says for which moment a model is compiled.
type Compilation struct {
	// Incremental is what is_incremental() answers, for an incremental model.
	Incremental bool
	// Query answers run_query, which is allowed when it is given. All columns
	// of such a query are strings.
	Query func(sql string) ([]map[string]any, error)
	// Vars override the project's for this one compilation.
	Vars map[string]any
}

// Compiled is a model's SQL and the configuration that rendering it gave.
type Compiled struct {
	SQL    string
	Config ModelConfig

	refs, sources []string
	asked         bool // whether run_query was called
}

// Compile renders a model. The same project, compilation and answers of Query
// always give the same text.
func (p *Project) Compile(model *Model, c Compilation) (*Compiled, error) {
	r := &rendering{project: p, compilation: c, model: model, config: map[string]any{}}
	maps.Copy(r.config, model.folder)
	maps.Copy(r.config, model.declared)
	sql, err := p.templates.render(model.template, r.functions())
	if err != nil {
		return nil, r.explain(err)
	}
	config, err := parseConfig(r.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", model.Path, err)
	}
	return &Compiled{SQL: sql, Config: config, refs: r.refs, sources: r.sources, asked: r.asked}, nil
}

// A rendering is what dbt's functions know while one file is rendered.
type rendering struct {
	project     *Project
	compilation Compilation
	model       *Model // nil for a test
	config      map[string]any
	refs        []string
	sources     []string
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
	functions := map[string]any{
		"ref":            r.ref,
		"source":         r.source,
		"config":         r.configure,
		"var":            r.variable,
		"env_var":        r.environment,
		"is_incremental": func() bool { return r.compilation.Incremental },
		"run_query":      r.query,
		"execute":        r.compilation.Query != nil,
		"target": map[string]any{
			"project": r.project.target.Project,
			"dataset": r.project.target.Dataset,
			"schema":  r.project.target.Dataset,
			"name":    "prod",
			"type":    "bigquery",
		},
		"none": nil, "true": true, "false": false,
	}
	if r.model != nil {
		functions["this"] = r.project.Relation(r.model.Name)
	}
	return functions
}

func (r *rendering) ref(arguments *exec.VarArgs) *exec.Value {
	names, err := words("ref", arguments, 1, 1)
	if err != nil {
		return r.fail("%w", err)
	}
	if r.project.models[names[0]] == nil {
		return r.fail("ref: there is no model %q", names[0])
	}
	if !slices.Contains(r.refs, names[0]) {
		r.refs = append(r.refs, names[0])
	}
	return exec.AsValue(r.project.Relation(names[0]))
}

func (r *rendering) source(arguments *exec.VarArgs) *exec.Value {
	names, err := words("source", arguments, 2, 2)
	if err != nil {
		return r.fail("%w", err)
	}
	key := names[0] + "." + names[1]
	relation, ok := r.project.sources[key]
	if !ok {
		return r.fail("source: no yml file declares %s", key)
	}
	if !slices.Contains(r.sources, key) {
		r.sources = append(r.sources, key)
	}
	return exec.AsValue(relation)
}

func (r *rendering) configure(arguments *exec.VarArgs) *exec.Value {
	if len(arguments.Args) > 0 {
		return r.fail("config takes named arguments only")
	}
	for key, value := range arguments.KwArgs {
		r.config[key] = value.ToGoSimpleType(false)
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
	if value, ok := r.project.target.Env[names[0]]; ok {
		return exec.AsValue(value)
	}
	if len(names) == 2 {
		return exec.AsValue(names[1])
	}
	return r.fail("env_var: %s is not passed to the project", names[0])
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
