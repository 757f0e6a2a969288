package dbtequal

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

// A seed reproduces a run: STATIONFLOW_SEED, with STATIONFLOW_CASES. Both tools
// build random models on one warehouse, several times, and must leave the same
// relations, with the same rows, and say the same of each model and test.
func TestTables_GeneratedAreThoseOfDbtCore(t *testing.T) {
	python(t)
	if os.Getenv("STATIONFLOW_CASES") == "" {
		t.Skip("set STATIONFLOW_CASES: it finds what still differs")
	}
	seed, cases := number(t, "STATIONFLOW_SEED", 1), number(t, "STATIONFLOW_CASES", 30)
	w := staged.Start(t)
	core := startCore(t, w)
	const size = 30
	for first := 0; first < cases; first += size {
		g := &generatedBuild{both: &both{T: t, w: w, core: core, by: [2]string{fmt.Sprintf("core_g%d", first), fmt.Sprintf("native_g%d", first)}}, seed: seed, counted: map[string]int{}}
		for i := first; i < min(first+size, cases); i++ {
			g.cases = append(g.cases, writeBuilt(seed, i, builtSteps))
		}
		g.build(rand.New(rand.NewPCG(uint64(seed), uint64(1000+first))))
	}
}

// builtSteps is how often each project is built.
const builtSteps = 4

// A generatedBuild is a project of cases that both tools build.
type generatedBuild struct {
	*both
	seed    int
	cases   []*builtCase
	lines   []string // flags of the steps
	refused int
	counted map[string]int // dbt-core's results, by status
}

// build has both build the cases, as often as there are steps: at one of them a
// part, or all from the beginning.
func (g *generatedBuild) build(random *rand.Rand) {
	macros, err := os.ReadFile("testdata/tables/local.sql")
	check(g, err)
	for _, dataset := range g.by {
		for _, name := range []string{dataset, dataset + "_dbt_test__audit"} {
			check(g, g.w.Client.Dataset(name).Create(g.Context(), &bigquery.DatasetMetadata{Location: "US"}))
		}
	}
	g.leave(g.isRefused)
	for _, c := range g.cases { // the runner looks at sources before on-run-start
		for _, statement := range c.onStart {
			for _, dataset := range g.by {
				g.w.Query(strings.NewReplacer("{{ target.schema }}", dataset, "{{ var('step') }}", "0").Replace(statement))
			}
		}
	}
	special := 3 + random.IntN(2)
	for step := 1; step <= builtSteps && len(g.cases) > 0; step++ {
		of := builtProject(g.cases, step)
		of.files["profiles.yml"], of.files["macros/local.sql"] = onWarehouse, string(macros)
		for name, content := range of.files {
			of.files[name] = withDates(content)
		}
		g.folder = of.write(g.T)
		var flags []string
		switch {
		case step == special && (g.seed+random.IntN(2))%2 == 0:
			flags = g.selection()
		case step == special:
			flags = []string{"--full-refresh"}
		}
		g.lines = append(g.lines, strings.Join(flags, " "))
		g.step(step, flags)
	}
	g.Logf("seed %d: %d cases are equal, %d refused here; dbt-core's results: %v", g.seed, len(g.cases), g.refused, g.counted)
	if g.counted["success"]+g.counted["pass"] < g.counted["error"]+g.counted["skipped"] {
		g.Errorf("seed %d: most of what is generated does not run by dbt-core", g.seed)
	}
}

// isRefused says why the runner refuses a case before anything runs; nil for
// what it takes.
func (g *generatedBuild) isRefused(c *builtCase) error {
	for step := 1; step <= builtSteps; step++ {
		of := builtProject([]*builtCase{c}, step)
		for name, content := range of.files {
			of.files[name] = withDates(content)
		}
		p, err := project.Load(of.mapFS(), project.Target{Project: staged.Project, Dataset: "d", Vars: map[string]any{"step": step}})
		if err != nil {
			return err
		}
		isNothing := func(selector string) bool { _, err := p.Select([]string{selector}, nil); return err != nil }
		c.picks, c.omits = slices.DeleteFunc(c.picks, isNothing), slices.DeleteFunc(c.omits, isNothing)
	}
	return nil
}

// leave leaves out cases that the runner refuses by name.
func (g *generatedBuild) leave(why func(*builtCase) error) {
	g.cases = slices.DeleteFunc(g.cases, func(c *builtCase) bool {
		err := why(c)
		if err != nil {
			g.refused++
			g.Logf("%s: %v", c.name, err)
		}
		return err != nil
	})
}

// selection are flags that pick some of each case.
func (g *generatedBuild) selection() []string {
	picks, omits := []string{"--select"}, []string{"--exclude"}
	for _, c := range g.cases {
		picks, omits = append(picks, c.picks...), append(omits, c.omits...)
	}
	if len(omits) == 1 {
		return picks
	}
	return append(picks, omits...)
}

// step has both build, and drops the cases that differ.
func (g *generatedBuild) step(step int, flags []string) {
	vars := fmt.Sprintf("{step: %d}", step)
	options := optionsOf(flags)
	type ofRunner struct {
		report *run.Report
		p      *project.Project
		err    error
	}
	answer := make(chan ofRunner)
	go func() {
		report, p, err := g.nativeOf(vars, options)
		answer <- ofRunner{report, p, err}
	}()
	core := g.core.call(g.T, g.folder, g.by[0], append([]string{"build", "--vars", vars}, flags...))
	native := <-answer
	if native.err != nil || len(core.Results) == 0 {
		g.Fatalf("seed %d, step %d: dbt-core says %s, the runner %v", g.seed, step, core.Said, native.err)
	}
	if native.report.Message != "" {
		g.Fatalf("seed %d, step %d: the runner says %s", g.seed, step, native.report.Message)
	}
	found, refusals := g.differences(core, native.report, native.p)
	g.leave(func(c *builtCase) error {
		if message, ok := refusals[c.name]; ok {
			return fmt.Errorf("step %d: %s", step, message)
		}
		return nil
	})
	for _, c := range slices.Clone(g.cases) {
		if len(found[c.name]) == 0 {
			continue
		}
		g.Errorf("seed %d, %s, step %d of %q:\n%s\n%s", g.seed, c.name, step, g.lines, strings.Join(found[c.name], "\n"), c.text(step))
		g.cases = slices.DeleteFunc(g.cases, func(other *builtCase) bool { return other == c })
	}
	delete(found, "")
}

var ofCase = regexp.MustCompile(`case\d+`)

// heldBack is what the runner does not publish, and dbt-core has published:
// that is documented, and the next run makes up for it.
var heldBack = map[string]bool{"held": true, "skipped": true}

// whenItRuns are refusals of what is only known once a model's columns or rows
// are.
var whenItRuns = []string{"was made with other settings", "fields of a struct are not added", "gives rows outside of its config partitions", "copies no rows without a partition"}

// differences are those between what both have built, by case, and what the
// runner refuses.
func (g *generatedBuild) differences(core builtByCore, report *run.Report, p *project.Project) (found map[string][]string, refusals map[string]string) {
	found, refusals = map[string][]string{}, map[string]string{}
	differ := func(of, form string, values ...any) {
		name := ofCase.FindString(of)
		found[name] = append(found[name], fmt.Sprintf(form, values...))
	}
	isHeld := map[string]bool{}
	for _, m := range report.Models {
		isHeld[p.Model(m.Name).ID] = heldBack[m.Status] || m.Status == "failed" // of one that fails the local warehouse keeps nothing
		for _, text := range whenItRuns {
			if strings.Contains(m.Message, text) {
				refusals[ofCase.FindString(m.Name)] = m.Message
			}
		}
	}
	native := g.results(report, p)
	for id, want := range core.Results {
		g.counted[want.Status]++
		got, ok := native[id]
		switch {
		case strings.HasPrefix(id, "operation."):
		case !ok:
			differ(id, "%s is %s by dbt-core, and not run by the runner: %s", id, want.Status, want.Message)
		case got.Status == "skipped" && want.Status == "success" && isHeld[id]:
		case got.Status != want.Status || strings.HasPrefix(id, "test.") && got.failures() != want.failures():
			differ(id, "%s is %s (%s) by dbt-core, %s (%s) by the runner\n  %s\n  %s", id, want.Status, want.failures(), got.Status, got.failures(), want.Message, got.Message)
		}
		delete(native, id)
	}
	for id, got := range native {
		differ(id, "%s is %s by the runner, and not run by dbt-core: %s", id, got.Status, got.Message)
	}
	for _, suffix := range []string{"", "_dbt_test__audit"} {
		g.compareRelations(suffix, func(table, form string, values ...any) {
			for _, m := range p.Models {
				if m.Table() == table && isHeld[m.ID] {
					return
				}
			}
			differ(table, form, values...)
		})
	}
	return found, refusals
}

// compareRelations compares a dataset of both.
func (g *generatedBuild) compareRelations(suffix string, differ func(table, form string, values ...any)) {
	native := g.relations(g.by[1] + suffix)
	for name, want := range g.relations(g.by[0] + suffix) {
		got, ok := native[name]
		want, got = strings.ReplaceAll(want, g.by[0], "DATASET"), strings.ReplaceAll(got, g.by[1], "DATASET")
		switch {
		case strings.Contains(name, "__dbt_tmp"): // see local.sql
		case !ok:
			differ(name, "%s is by dbt-core\n%s\nand not there by the runner", name, want)
		case got != want:
			differ(name, "%s is by dbt-core\n%s\nand by the runner\n%s", name, want, got)
		}
		delete(native, name)
	}
	for name := range native {
		if !strings.Contains(name, "__") && name != "transform_lease" {
			differ(name, "only the runner has %s", name)
		}
	}
}

// results are those of the runner's run_results.json, by id. What is unchanged
// dbt-core builds again.
func (g *generatedBuild) results(report *run.Report, p *project.Project) map[string]nodeResult {
	var read struct {
		Results []struct {
			ID string `json:"unique_id"`
			nodeResult
		} `json:"results"`
	}
	check(g, json.Unmarshal(report.Artifacts(p)[artifact.RunResultsName], &read))
	results := map[string]nodeResult{}
	for _, one := range read.Results {
		if one.Status == "no-op" {
			one.Status = "success"
		}
		results[one.ID] = one.nodeResult
	}
	return results
}

// text is a case as a person reads it.
func (c *builtCase) text(step int) string {
	var out strings.Builder
	for _, section := range slices.Sorted(maps.Keys(c.settings)) {
		fmt.Fprintf(&out, "%s: %s\n", section, c.settings[section])
	}
	files := c.filesAt(step)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&out, "-- %s --\n%s\n", filepath.ToSlash(name), strings.TrimSuffix(files[name], "\n"))
	}
	return out.String()
}
