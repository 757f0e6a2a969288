package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Compilation says for which moment a model or test is compiled.
type Compilation struct {
	// Incremental is what is_incremental() answers, for an incremental model.
	Incremental bool
	// Query answers run_query, which is allowed when it is given. All columns
	// of such a query are strings.
	Query func(sql string) ([]map[string]any, error)
	// Execute says that dbt's execute is true, even without Query: a model that
	// asks fails with ErrNeedsWarehouse then.
	Execute bool
	// FullRefresh is what flags.FULL_REFRESH answers, and Which flags.WHICH:
	// the command; "" is build.
	FullRefresh bool
	Which       string
	// Batch is what a model of the strategy microbatch is compiled for; nil for
	// all of time.
	Batch *Batch
	// Vars override the project's for this one compilation.
	Vars map[string]any
	// Relation says where a model's rows are; nil is Project.Relation.
	Relation func(*Model) string
	// Deferred says where ref finds a model's rows in place of that; "" or nil is
	// nowhere else.
	Deferred func(*Model) string
	// This is the model's own relation, in its file; "" is what Relation says.
	This string
	// Inputs stand in for what a model reads, and for itself, by id: names of
	// common table expressions. With them Macros and Env override macros, by what
	// they give, and variables of the environment. nil outside of unit tests.
	Inputs      map[string]string
	Macros, Env map[string]any
	// Results are what on-run-end knows of the run.
	Results []RunResult
	// StoreFailures is what should_store_failures() answers.
	StoreFailures bool

	// lenient has ref and source name also what there is not, or is disabled: for
	// a model of which it is asked only whether it is enabled.
	lenient bool
}

// input stands in for what a unit test's model reads; nil where there is none.
func (r *rendering) input(id, called string) (jinja.Value, error) {
	if r.compilation.Inputs == nil {
		return nil, nil
	}
	name, given := r.compilation.Inputs[id]
	if !given {
		return nil, fmt.Errorf("the unit test has no input %s: give one, if it has no rows", called)
	}
	return ParseRelation(name), nil
}

// Read is where ref finds a model's rows.
func (c *Compilation) Read(p *Project, model *Model) string {
	if c.Deferred != nil {
		if elsewhere := c.Deferred(model); elsewhere != "" {
			return elsewhere
		}
	}
	return c.relation(p, model)
}

func (c *Compilation) relation(p *Project, model *Model) string {
	if c.Relation == nil {
		return p.Relation(model)
	}
	return c.Relation(model)
}

// Compiled is a model's SQL and the configuration that rendering it gave.
type Compiled struct {
	Text   // as dbt compiles it, with its white space
	Config Config
	Asked  bool // whether run_query was called

	reads  []string
	macros []string
	called map[string]any // what the calls of config came to
	dicts  []orderedSetting

	asksIncremental bool
}

// Compile renders a model. The same project, compilation and answers of Query
// always give the same text.
func (p *Project) Compile(model *Model, c Compilation) (*Compiled, error) {
	return p.render(model, c)
}

func (p *Project) render(model *Model, c Compilation) (*Compiled, error) {
	r := &rendering{project: p, in: model.in, compilation: c, model: model, config: model.written(), file: model.Path}
	text := Text{SQL: model.rows}
	if model.template != nil {
		var err error
		if text, err = r.render(model.template); err != nil {
			return nil, err
		}
	}
	if r.executes() {
		if err := model.checkReads(r.reads); err != nil {
			return nil, err
		}
	}
	for key, value := range model.over {
		configure(r.config, key, value)
	}
	config, err := parseConfig(model.Type, r.config)
	if err != nil {
		return nil, placed(model.Path, err)
	}
	if text, err = p.withEphemeral(text, r); err != nil {
		return nil, err
	}
	return &Compiled{Text: p.labelled(text, r), Config: config, reads: r.reads, macros: r.macros, called: r.called, dicts: r.dicts, Asked: r.asked, asksIncremental: r.asksIncremental}, nil
}

// CompileInline renders a query of the command line, which may use all that a
// file of the project may.
func (p *Project) CompileInline(source string, c Compilation) (Text, error) {
	parsed, err := parseTemplate(InlineFile, source)
	if err != nil {
		return Text{}, err
	}
	r := &rendering{project: p, in: p.packages[0], compilation: c, config: map[string]any{}, file: InlineFile}
	text, err := r.render(parsed)
	if err != nil {
		return Text{}, err
	}
	return p.withEphemeral(text, r)
}

// InlineFile stands for the file of a query of the command line.
const InlineFile = "the query"

// labelled is SQL whose texts name what it reads by their names in dbt, and not
// by those of where the rows are meanwhile.
func (p *Project) labelled(text Text, r *rendering) Text {
	if r.compilation.Relation == nil {
		return text
	}
	for _, id := range r.reads {
		if model := p.ByID(id); model != nil && model.Config.Materialized != Ephemeral {
			text = text.replaceAll("'"+r.compilation.Relation(model)+"'", "'"+p.Relation(model)+"'")
		}
	}
	return text
}

// CompileTest renders a test's query; its rows are the failures.
func (p *Project) CompileTest(test *Test, c Compilation) (Text, error) {
	c.StoreFailures = test.StoreFailures
	r := &rendering{project: p, in: test.in, compilation: c, config: map[string]any{}, file: test.Path}
	text, err := test.compile(r)
	if err != nil {
		return Text{}, placed(test.Path, err)
	}
	return p.withEphemeral(text, r)
}

// Memory is the question that a model's macro (meta.memory) makes of a
// relation with its columns; "" for none.
func (p *Project) Memory(model *Model, relation string, c Compilation) (string, error) {
	macro, _ := model.Config.Meta["memory"].(string)
	if macro == "" {
		return "", nil
	}
	c.This = relation
	r := &rendering{project: p, in: model.in, compilation: c, model: model, config: map[string]any{}, file: model.Path}
	of := definesIn(macro, model.in, p.packages[0])
	if of == nil {
		return "", fmt.Errorf("%s: meta.memory names the macro %s, and there is none", model.Path, macro)
	}
	sql, err := r.call(of, macro, ParseRelation(relation))
	if err != nil {
		return "", fmt.Errorf("making the question of meta.memory: %w", err)
	}
	return sql, nil
}

// checkReads refuses what a model reads only when it is executed: dbt knows of
// what it finds without.
func (m *Model) checkReads(reads []string) error {
	for _, id := range reads {
		if !slices.Contains(m.Reads, id) {
			kind, name := "ref", NameOf(id)
			if strings.HasPrefix(id, TypeSource+".") {
				kind = "source"
			}
			return fmt.Errorf("%s: the %s of %s is found only when the model is executed, and dbt refuses that: add the line -- depends_on: {{ %s('%s') }}",
				m.Path, kind, name, kind, name)
		}
	}
	return nil
}

// checkExecution renders each model as when it is executed, as far as it goes
// without a warehouse, so that what cannot work is found before anything runs.
func (l *loader) checkExecution() error {
	for _, model := range l.Models {
		for _, incremental := range []bool{false, true} {
			if model.template == nil || incremental && model.Config.Materialized != Incremental {
				continue
			}
			if _, err := l.render(model, Compilation{Execute: true, Incremental: incremental}); err != nil && !errors.Is(err, ErrNeedsWarehouse) {
				return err
			}
		}
	}
	return nil
}

// written is the model's configuration outside of its own file.
func (m *Model) written() map[string]any {
	config := map[string]any{}
	switch m.Type {
	case TypeSeed:
		config["materialized"] = Seed
	case TypeSnapshot:
		config["materialized"] = SnapshotTable
	}
	for _, settings := range []map[string]any{m.folder, m.declared} {
		for key, value := range settings {
			configure(config, key, value)
		}
	}
	return config
}

// configure sets one key. Tags, hooks and what are dicts add up, as dbt has it.
func configure(config map[string]any, key string, value any) {
	key = strings.ReplaceAll(key, "-", "_")
	switch key {
	case "tags": // dbt keeps those that come twice
		if before, there := config[key]; there {
			value = slices.Concat(asList(before), asList(value))
		} else {
			value = asList(value)
		}
	case "pre_hook", "post_hook":
		if before, there := config[key]; there && value != nil {
			value = slices.Concat(asList(before), asList(value))
		}
	case "grants":
		value = mergeGrants(config[key], value)
	case "meta", "docs", "contract", "column_types":
		fields, ok := value.(map[string]any)
		before, there := config[key]
		known, wasDict := before.(map[string]any)
		switch {
		case there && !wasDict:
			return // of the wrong type, which dbt refuses, whatever comes after it
		case ok && there:
			merged := maps.Clone(known)
			maps.Copy(merged, fields)
			value = merged
		}
	}
	config[key] = value
}

// withEphemeral puts the ephemeral models that a query reads in front of it,
// as common table expressions, each once and after those it reads itself.
func (p *Project) withEphemeral(text Text, r *rendering) (Text, error) {
	if len(r.ephemeral) == 0 {
		return text, nil
	}
	var parts []Text
	var seen []*Model
	var add func(model *Model) error
	add = func(model *Model) error {
		if slices.Contains(seen, model) {
			return nil
		}
		seen = append(seen, model)
		inner := &rendering{project: p, in: model.in, compilation: r.compilation, model: model, config: model.written(), file: model.Path}
		inner.compilation.Incremental = false
		own, err := inner.render(model.template)
		if err != nil {
			return err
		}
		for _, below := range inner.ephemeral {
			if err := add(below); err != nil {
				return err
			}
		}
		parts = append(parts, own.Within(fmt.Sprintf(" %s as (\n", cteOf(model)), "\n)"))
		return nil
	}
	for _, model := range r.ephemeral {
		if err := add(model); err != nil {
			return Text{}, err
		}
	}
	return text.WithTables(parts), nil
}

// cteOf is the name dbt gives to an ephemeral model inside of its readers.
func cteOf(model *Model) string { return ephemeralPrefix + model.Table() }

const ephemeralPrefix = "__dbt__cte__"

// firstWith is the place behind the word WITH that begins a query, and the
// white space after it; -1 where there is none.
func firstWith(sql string) int {
	at := 0
	for at < len(sql) {
		rest := sql[at:]
		switch {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			at++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#"):
			at += skipPast(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			at += skipPast(rest, "*/")
		case len(rest) > 4 && strings.EqualFold(rest[:4], "with") && strings.ContainsRune(" \t\r\n", rune(rest[4])):
			at = skipSpace(sql, at+4)
			if len(sql) > at+9 && strings.EqualFold(sql[at:at+9], "recursive") {
				at = skipSpace(sql, at+9)
			}
			return at
		default:
			return -1
		}
	}
	return -1
}

func skipSpace(text string, at int) int {
	return len(text) - len(strings.TrimLeft(text[at:], " \t\r\n"))
}

func skipPast(text, end string) int {
	if at := strings.Index(text, end); at >= 0 {
		return at + len(end)
	}
	return len(text)
}
