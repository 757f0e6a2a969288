package cli

import (
	"context"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/dbt/unit"
)

// unitTests runs the selected unit tests of a model; nil where none is selected.
func (c *dbtCall) unitTests(runner *run.Runner) (func(context.Context, *project.Model, project.Compilation) []run.UnitReport, error) {
	p := runner.Project()
	selected, err := p.Select(c.selected, c.excluded)
	if err != nil {
		return nil, err
	}
	byModel := map[string][]*project.UnitTest{}
	for _, test := range p.UnitTests {
		if selected[test.ID] {
			byModel[test.Model] = append(byModel[test.Model], test)
		}
	}
	if len(byModel) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, model *project.Model, compilation project.Compilation) (reports []run.UnitReport) {
		for _, test := range byModel[model.Name] {
			start := time.Now()
			result, err := unit.Run(ctx, p, test, unit.Warehouse{Compilation: compilation, Columns: runner.ColumnsOf})
			reports = append(reports, run.UnitReport{Test: test, Text: result.Text, Diff: result.Diff, Err: err, Took: time.Since(start)})
		}
		return reports
	}, nil
}
