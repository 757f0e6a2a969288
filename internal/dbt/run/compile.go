package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// A Compiled is the SQL of a model or test, as dbt compiles it.
type Compiled struct {
	project.Text
	ID   string
	Name string
	File string // in which it is written
	Path string // below target/compiled
}

// Compile renders the selected models and tests as dbt's compile does: a model
// is incremental when its table is there, and run_query asks the warehouse.
// Nothing is written.
func (r *Runner) Compile(ctx context.Context, options Options) ([]Compiled, error) {
	return r.compile(ctx, options, func(resource *project.Resource) bool { return resource.Type != project.TypeSeed })
}

// ErrNoWarehouse says that the warehouse, which is asked for the tables that
// are there, does not answer.
var ErrNoWarehouse = errors.New("the warehouse does not answer")

// CompileOffline is Compile without a warehouse: incremental models are as on
// a first run, and a model that asks fails.
func CompileOffline(p *project.Project, options Options) ([]Compiled, error) {
	selected, err := p.Select(options.Select, options.Exclude)
	if err != nil {
		return nil, err
	}
	wanted := func(resource *project.Resource) bool {
		return selected[resource.ID] && resource.Type != project.TypeSeed
	}
	return compile(p, wanted, project.Compilation{Execute: true, FullRefresh: options.FullRefresh, Which: "compile"}, func(*project.Model) bool { return false })
}

// compile renders what is selected and wanted.
func (r *Runner) compile(ctx context.Context, options Options, wanted func(*project.Resource) bool) ([]Compiled, error) {
	selected, err := r.project.Select(options.Select, options.Exclude)
	if err != nil {
		return nil, err
	}
	of, relations, err := r.overPublished(ctx, options, selected)
	if err != nil {
		return nil, err
	}
	isThere := func(model *project.Model) bool {
		found, exists := relations[model.Table()]
		return exists && !found.isView && !options.FullRefresh && model.Config.Materialized == project.Incremental
	}
	chosen := func(resource *project.Resource) bool { return selected[resource.ID] && wanted(resource) }
	return compile(r.project, chosen, of, isThere)
}

// CompileInline renders a query of the command line over the published relations.
func (r *Runner) CompileInline(ctx context.Context, source string, options Options) (*Compiled, error) {
	of, _, err := r.overPublished(ctx, options, nil)
	if err != nil {
		return nil, err
	}
	text, err := r.project.CompileInline(source, of)
	return &Compiled{Text: text, File: project.InlineFile}, err
}

// overPublished is for what is compiled over the published relations, which it
// returns, too.
func (r *Runner) overPublished(ctx context.Context, options Options, selected map[string]bool) (project.Compilation, map[string]stored, error) {
	relations, err := r.warehouse.relations(ctx, nil, 1)
	if err != nil && !isNotFound(err) { // no dataset has no tables
		return project.Compilation{}, nil, fmt.Errorf("%w: %w", ErrNoWarehouse, err)
	}
	return project.Compilation{
		Query:       func(sql string) ([]map[string]any, error) { return r.warehouse.query(ctx, sql) },
		FullRefresh: options.FullRefresh, Which: cmp.Or(options.Command, "compile"),
		Deferred: options.deferral(selected, func(model *project.Model) bool { _, found := relations[model.Table()]; return found }),
	}, relations, nil
}

func compile(p *project.Project, wanted func(*project.Resource) bool, c project.Compilation, isThere func(*project.Model) bool) ([]Compiled, error) {
	var all []Compiled
	for _, model := range p.Models {
		if !wanted(&model.Resource) {
			continue
		}
		c.Incremental = isThere(model)
		compiled, err := p.Compile(model, c)
		if err != nil {
			return nil, err
		}
		all = append(all, *compiledOf(&model.Resource, compiled.Text))
	}
	c.Incremental = false
	for _, test := range p.Tests {
		if !wanted(&test.Resource) {
			continue
		}
		text, err := p.CompileTest(test, c)
		if err != nil {
			return nil, err
		}
		all = append(all, *compiledTest(test, text))
	}
	return all, nil
}

// An Estimate is what BigQuery says a model's SQL would read.
type Estimate struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// DryRun asks for each model, seed and test that Run would build or run with
// these options what it would read, which also finds mistakes in the SQL.
// Nothing is built. To make a view reads nothing.
func (r *Runner) DryRun(ctx context.Context, options Options) ([]Estimate, error) {
	compiled, err := r.compile(ctx, options, r.runs(options))
	if err != nil {
		return nil, err
	}
	estimates := make([]Estimate, len(compiled))
	for i, one := range compiled {
		bytes, err := r.warehouse.estimate(ctx, one.SQL)
		if err != nil {
			return estimates[:i], fmt.Errorf("%s: %w", one.Name, one.Placed(options.Compiled, err))
		}
		if model := r.project.Model(one.Name); model != nil && model.ID == one.ID && !model.Stored() {
			bytes = 0
		}
		estimates[i] = Estimate{one.Name, bytes}
	}
	return estimates, nil
}

// runs tells which resources a run with these options builds or runs, of
// those that are selected.
func (r *Runner) runs(options Options) func(*project.Resource) bool {
	return func(resource *project.Resource) bool {
		if resource.Type == project.TypeTest {
			return !options.NoTests
		}
		return !options.NoModels && r.project.Model(resource.Name).Config.Materialized != project.Ephemeral &&
			(len(options.Types) == 0 || slices.Contains(options.Types, resource.Type))
	}
}

// Statuses of freshness, dbt's words.
const (
	fresh     = "pass"
	staleWarn = "warn"
	staleFail = "error"
	unknown   = "runtime error"
)

// Freshness looks at the selected sources that have a limit.
func (r *Runner) Freshness(ctx context.Context, options Options) ([]artifact.Age, error) {
	selected, err := r.project.Select(options.Select, options.Exclude)
	if err != nil {
		return nil, err
	}
	var all []artifact.Age
	for _, source := range r.project.Sources {
		if selected[source.ID] && source.LoadedAt != "" && (source.Warn != nil || source.Error != nil) {
			all = append(all, r.freshness(ctx, source))
		}
	}
	return all, nil
}

func (r *Runner) freshness(ctx context.Context, source *project.Source) artifact.Age {
	found := artifact.Age{Source: source, Started: time.Now(), Status: unknown}
	sql := fmt.Sprintf("select max(%s) as newest, current_timestamp() as asked_at\nfrom %s", source.LoadedAt, source.Relation)
	if source.Filter != "" {
		sql += "\nwhere " + source.Filter
	}
	rows, err := r.warehouse.query(ctx, sql)
	found.Took = time.Since(found.Started)
	if err != nil {
		found.Message = err.Error()
		return found
	}
	found.AskedAt, _ = rows[0]["asked_at"].(time.Time)
	newest, ok := rows[0]["newest"].(time.Time)
	if !ok { // as old as can be
		newest, found.Message = time.Unix(0, 0).UTC(), "the source has no rows"
	}
	found.Newest, found.Status = newest, fresh
	switch age := found.AskedAt.Sub(found.Newest); {
	case source.Error != nil && age > source.Error.Duration():
		found.Status = staleFail
	case source.Warn != nil && age > source.Warn.Duration():
		found.Status = staleWarn
	}
	return found
}
