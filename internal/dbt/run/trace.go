package run

import (
	"fmt"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Where the context of a run has a span, each model that is built, each group
// of tests and the publication are spans within it.

// Describe says on the span of a run what the run did, and ends it. An error of
// Run is given as err.
func (r *Report) Describe(span *tracing.Span, err error) {
	if r == nil {
		span.End(err)
		return
	}
	changed := 0
	for _, model := range r.Models {
		if model.Status == created || model.Status == replaced {
			changed++
		}
		if err == nil && model.Status == failed {
			err = fmt.Errorf("model %s failed: %s", model.Name, model.Message)
		}
	}
	span.SetString("stationflow.run_id", r.RunID)
	span.SetString("stationflow.status", r.Status)
	span.SetInt("stationflow.rows_new", r.RowsNew)
	span.SetInt("stationflow.models_changed", int64(changed))
	span.SetInt("stationflow.tests", int64(r.TestsRun))
	if err == nil && !r.OK() {
		err = fmt.Errorf("the run failed: %s", r.Message)
	}
	span.End(err)
}

// describe says on the span of a model what became of it, and of which rows.
func (r *run) describe(span *tracing.Span, model *project.Model, done building) {
	if !span.Recorded() {
		return
	}
	span.SetString("stationflow.status", done.status)
	span.SetString("stationflow.partitions", done.touched)
	span.SetStrings("stationflow.window", r.window(model))
	span.End(done.err)
}

// window names the rows of the sources that the published state does not speak
// of yet: what a run reads because it has come since the last one. Staging is
// only appended to, so counts name rows; which batches brought them, no count
// says.
func (r *run) window(model *project.Model) (rows []string) {
	last := r.known.Models[model.Name].Sources
	for _, id := range r.plan.inputs[model.Name].sources {
		rows = append(rows, fmt.Sprintf("%s: %d rows, %d at the last run", project.NameOf(id), r.rows[id], last[id]))
	}
	return rows
}

// namesOf are the names of tests.
func namesOf(tests []*project.Test) []string {
	names := make([]string, len(tests))
	for i, test := range tests {
		names[i] = test.Name
	}
	return names
}
