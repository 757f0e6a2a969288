package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// warned is the status of a test of severity warn that found something; one of
// severity error has failed.
const warned = "warned"

// test runs the selected tests on what is published.
func (r *run) test(ctx context.Context) {
	var tests []*project.Test
	for _, test := range r.project.Tests {
		if r.selected[test.ID] {
			tests = append(tests, test)
		}
	}
	runTasks(schedule(r.project, nil, r.groups(tests, nil)), r.threads, func(t *task) { r.testGroup(ctx, t.tests) })
}

// isUntested reports whether what is published has not passed the tests of this
// run: a run without tests published it, or the tests were others.
func (r *run) isUntested() bool { return r.tested != "" && r.known.Tested != r.tested }

// isOfBuilt reports whether a test reads a model that this run may build. When
// it fails that model stays due, so that the next run tests it again.
func (r *run) isOfBuilt(test *project.Test) bool {
	return slices.ContainsFunc(r.project.Through(test.Reads), func(id string) bool {
		model := r.project.ByID(id)
		return model != nil && r.building[model.Name]
	})
}

// provenBy is the digest of the tests that what is about to be published has
// passed.
func (r *run) provenBy(isNew bool) string {
	switch {
	case r.unproven, r.tested == "" && isNew:
		return ""
	case r.tested == "":
		return r.known.Tested
	}
	return r.tested
}

// noteTest keeps what a test found. One that failed holds back what it reads:
// of a view also the tables behind it, because it shows their rows by itself.
func (r *run) noteTest(test *project.Test, found finding) {
	entry := TestReport{Name: test.Name, Status: project.Pass, Failures: found.failures, TookMS: found.took.Milliseconds()}
	entry.result = artifact.Result{ID: test.ID, Started: found.start, Failures: &found.failures, SQL: r.asPublished(found.text.SQL)}
	verdict := test.Verdict(found.failures)
	switch {
	case found.err != nil:
		entry.result.Failures = nil
		entry.Status, entry.Message = failed, fmt.Sprintf("running test %s: %v", test.Name, compiledTest(test, found.text).Placed(r.options.Compiled, found.err))
	case verdict == project.Fail:
		entry.Status = failed
	case verdict == project.Warn:
		entry.Status = warned
	default: // what is found and passes counts as nothing, as with dbt
		entry.Failures, found.failures = 0, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.TestsRun++
	r.noteOutage(found.err)
	if entry.Status == project.Pass {
		r.report.passed = append(r.report.passed, entry)
		return
	}
	r.report.Tests = append(r.report.Tests, entry)
	if entry.Status == failed && !r.options.NoModels {
		r.unproven = r.unproven || !r.isOfBuilt(test)
		for _, id := range slices.Concat(r.project.Through(test.Reads), r.basesOf(test.Reads)) {
			if r.project.ByID(id) != nil {
				r.block(id, "its test "+test.Name+" failed")
			}
		}
	}
}

func (r *run) isTestNeeded(test *project.Test) bool {
	if r.options.Always || r.options.NoModels {
		return true
	}
	reads := r.project.Through(test.Reads)
	if slices.ContainsFunc(reads, func(id string) bool { return r.broken[id] != "" }) {
		return false
	}
	return r.isUntested() || slices.ContainsFunc(reads, func(id string) bool {
		model := r.project.ByID(id)
		return r.changed[id] || strings.HasPrefix(id, project.TypeSource+".") ||
			model != nil && !model.Stored() && r.showsNews(model)
	})
}

// readsUnbuilt reports whether a test reads a model that this run could not
// build. Hold mu.
func (r *run) readsUnbuilt(test *project.Test) bool {
	return slices.ContainsFunc(r.project.Through(test.Reads), func(id string) bool {
		model := r.project.ByID(id)
		return model != nil && (r.built[model.Name].status == failed || r.built[model.Name].status == skipped)
	})
}

// skipTest notes that a test was left out, as dbt does. Hold mu.
func (r *run) skipTest(test *project.Test) {
	entry := TestReport{Name: test.Name, Status: skipped, Message: "what it reads could not be built"}
	entry.result = artifact.Result{ID: test.ID, Started: time.Now()}
	r.report.Tests = append(r.report.Tests, entry)
}

// showsNews reports whether a view has new rows by itself: of a source, or of a
// model that changed.
func (r *run) showsNews(view *project.Model) bool {
	in := r.plan.inputs[view.Name]
	return len(in.sources) > 0 || slices.ContainsFunc(in.models, func(name string) bool { return r.changed[r.project.Model(name).ID] })
}

// failures counts the rows that must not be, and keeps them where the test
// says so. It returns the compiled test too.
func (r *run) failures(ctx context.Context, test *project.Test) (n int64, text project.Text, err error) {
	if text, err = r.project.CompileTest(test, r.compilation(ctx)); err != nil {
		return 0, text, err
	}
	count := failuresOf(test, findings(test, text.SQL))
	if test.StoreFailures {
		if count, err = r.keeping(ctx, test, text.SQL); err != nil {
			return 0, text, err
		}
	}
	rows, err := r.warehouse.query(ctx, count)
	if err != nil {
		return 0, text, err
	}
	if len(rows) == 1 {
		switch failures := rows[0]["failures"].(type) {
		case int64:
			return failures, text, nil
		case nil:
			return 0, text, fmt.Errorf("its fail_calc %s is NULL: write coalesce(%[1]s, 0)", failCalc(test))
		}
	}
	return 0, text, fmt.Errorf("the count has %d rows, or is not a whole number", len(rows))
}

// auditSuffix follows the models' dataset in the name of the one in which dbt
// keeps the failures of tests.
const auditSuffix = "_dbt_test__audit"

// keeping is a script that stores what a test finds and counts it there. The
// name is dbt's, so another run may store under it, too: one script, for
// nothing comes in between.
func (r *run) keeping(ctx context.Context, test *project.Test, sql string) (string, error) {
	target := r.project.Target()
	dataset := target.Dataset + auditSuffix
	if err := r.warehouse.makeDataset(ctx, dataset); err != nil {
		return "", err
	}
	relation := fmt.Sprintf("`%s`.`%s`.`%s`", target.Project, dataset, test.Alias)
	return "create or replace table " + relation + " as\n" + findings(test, sql) + "\n;\n\n" + failuresOf(test, "select * from "+relation), nil
}
