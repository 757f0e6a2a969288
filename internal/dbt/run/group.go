package run

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/tracing"
)

// BigQuery bills a statement for each table that it reads, however often. So
// tests that read the same tables, be it through views, are one statement, and
// with them goes the question of what a model remembers.

// A group is tests that run together.
type group struct {
	tests []*project.Test
	reads []string       // ids of all that they read
	bases []string       // ids of the sources and stored models behind that
	asks  *project.Model // whose memory is asked for; nil for none
}

// basesOf are the ids of the sources and the stored models behind what is
// read.
func (r *Runner) basesOf(reads []string) []string {
	var bases []string
	for _, id := range r.project.Through(reads) {
		model := r.project.ByID(id)
		if model == nil || model.Stored() {
			bases = append(bases, id)
			continue
		}
		bases = append(bases, r.basesOf(model.Reads)...)
	}
	slices.Sort(bases)
	return slices.Compact(bases)
}

// groups puts tests together, and adds what the models remember.
func (r *run) groups(tests []*project.Test, models []*project.Model) []*group {
	var all []*group
	byBases := map[string]*group{}
	of := func(bases []string) *group {
		key := strings.Join(bases, " ")
		if byBases[key] == nil {
			byBases[key] = &group{}
			all = append(all, byBases[key])
		}
		return byBases[key]
	}
	for _, test := range tests {
		g := &group{}
		if test.StoreFailures || test.FailCalc != "" { // has a statement of its own kind
			all = append(all, g)
		} else {
			g = of(r.basesOf(test.Reads))
		}
		g.tests, g.reads = append(g.tests, test), append(g.reads, test.Reads...)
	}
	for _, model := range models {
		if r.overwrites(model) && model.Config.Meta["memory"] != nil {
			g := of([]string{model.ID})
			g.asks, g.reads = model, append(g.reads, model.ID)
		}
	}
	for _, g := range all {
		slices.Sort(g.reads)
		g.reads = slices.Compact(g.reads)
		g.bases = r.basesOf(g.reads)
	}
	return all
}

// testGroup runs those of the tests that are needed: something that they read
// changed.
func (r *run) testGroup(ctx context.Context, g *group) {
	r.mu.Lock()
	needed := slices.DeleteFunc(slices.Clone(g.tests), func(t *project.Test) bool {
		if r.outage != nil || !r.isTestNeeded(t) {
			return true
		}
		unbuilt := r.readsUnbuilt(t)
		if unbuilt {
			r.skipTest(t)
		}
		return unbuilt
	})
	asks := g.asks
	if asks != nil && (r.outage != nil || r.broken[asks.ID] != "" || !r.changed[asks.ID]) {
		asks = nil
	}
	r.mu.Unlock()
	if len(needed) == 0 && asks == nil {
		return
	}
	ctx, span := tracing.Begin(ctx, "tests")
	defer func() { span.End(nil) }()
	if span.Recorded() {
		span.SetStrings("stationflow.tests", namesOf(needed))
	}
	found, answer, err := r.examine(ctx, needed, asks)
	if asks != nil && r.remember(asks, answer, err) {
		if r.buildAgain(ctx, asks); r.isBroken(asks) {
			return
		}
		found, answer, err = r.examine(ctx, needed, asks)
		r.remember(asks, answer, err)
	}
	for i, test := range needed {
		r.noteTest(test, found[i])
	}
}

func (r *run) isBroken(model *project.Model) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[model.ID] != ""
}

// A finding is what a test found.
type finding struct {
	text     project.Text
	failures int64
	start    time.Time
	took     time.Duration
	err      error
}

// examine runs tests, and asks what a model remembers, in one statement. Where
// that fails each goes alone, so that it has its own verdict.
func (r *run) examine(
	ctx context.Context, tests []*project.Test, asks *project.Model,
) (found []finding, answer []map[string]any, err error) {
	found = make([]finding, len(tests))
	if len(tests) == 1 && asks == nil {
		r.examineAlone(ctx, tests[0], &found[0])
		return found, nil, nil
	}
	start := time.Now()
	statement, err := r.together(ctx, tests, asks, found)
	var rows []map[string]any
	if err == nil && statement != "" {
		err = guarded(func() (err error) { rows, err = r.warehouse.query(ctx, statement); return err })
	}
	switch {
	case err == nil:
		answer, err = read(rows, found)
	case len(tests) == 0, isOutage(err), ctx.Err() != nil:
		for i := range found {
			found[i].err = cmp.Or(found[i].err, err)
		}
	default:
		for i, test := range tests {
			r.examineAlone(ctx, test, &found[i])
		}
		if asks != nil {
			_, answer, err = r.examine(ctx, nil, asks)
		}
		return found, answer, err
	}
	for i := range found {
		found[i].start, found[i].took = start, time.Since(start)/time.Duration(len(found))
	}
	return found, answer, err
}

// together is the statement of several tests and a question: a row for each
// test with its place, and rows with the answer.
func (r *run) together(
	ctx context.Context, tests []*project.Test, asks *project.Model, found []finding,
) (string, error) {
	const part = "select %d as place, %s as failures, %s as answer\nfrom (\n%s\n) as part"
	var parts []string
	for i, test := range tests {
		found[i].err = guarded(func() (err error) {
			found[i].text, err = r.project.CompileTest(test, r.compilation(ctx))
			return err
		})
		if found[i].err == nil {
			parts = append(parts, fmt.Sprintf(part, i, "failures", "cast(null as string)", failuresOf(test, findings(test, found[i].text.SQL))))
		}
	}
	if asks != nil {
		question, err := r.project.Memory(asks, r.relation(asks), r.compilation(ctx))
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf(part, -1, "cast(null as int64)", "to_json_string(part)", question))
	}
	return strings.Join(parts, "\nunion all\n"), nil
}

func (r *run) examineAlone(ctx context.Context, test *project.Test, into *finding) {
	into.start = time.Now()
	into.err = guarded(func() (err error) { into.failures, into.text, err = r.failures(ctx, test); return err })
	into.took = time.Since(into.start)
}

// read takes the rows of a statement of several tests.
func read(rows []map[string]any, found []finding) (answer []map[string]any, err error) {
	for _, row := range rows {
		place, _ := row["place"].(int64)
		if place >= 0 {
			found[place].failures, _ = row["failures"].(int64)
			continue
		}
		text, _ := row["answer"].(string)
		var one map[string]any
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			return nil, fmt.Errorf("reading what a model remembers: %w", err)
		}
		answer = append(answer, one)
	}
	return answer, nil
}
