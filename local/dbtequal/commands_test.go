package dbtequal

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/staged"
)

// commands run commands of both tools in one project and one dataset each.
type commands struct {
	*both
	program string
}

// newCommands puts a project into a folder, and has both tools build it.
func newCommands(t *testing.T, files map[string]string) *commands {
	t.Helper()
	python(t)
	w := staged.Start(t)
	macros, err := os.ReadFile("testdata/tables/local.sql")
	check(t, err)
	files["profiles.yml"], files["macros/local.sql"] = onWarehouse, string(macros)
	c := &commands{&both{T: t, w: w, core: startCore(t, w), by: [2]string{"core", "native"}}, built.Program(t, "stationflow")}
	for _, dataset := range c.by {
		check(t, w.Client.Dataset(dataset).Create(t.Context(), &bigquery.DatasetMetadata{Location: "US"}))
	}
	c.folder = small{files: files}.write(t)
	return c
}

// native runs a command of the runner.
func (c *commands) call(args ...string) (said string, ok bool) {
	c.Helper()
	process := exec.Command(c.program, append(append([]string{"dbt"}, args...), "--project-dir", c.folder, "--target-path", c.folder+"/native")...)
	process.Env = append(os.Environ(), "GOOGLE_CLOUD_PROJECT="+staged.Project, "BIGQUERY_EMULATOR_HOST="+c.w.Config.RESTEndpoint,
		"BIGQUERY_STORAGE_EMULATOR_HOST="+c.w.Config.GRPCEndpoint, "STAGING_DATASET="+staged.Staging, "PROD_DATASET="+c.by[1], "DATASET="+c.by[1])
	var out, errs strings.Builder
	process.Stdout, process.Stderr = &out, &errs
	if err := process.Run(); err != nil {
		return out.String() + errs.String(), false
	}
	return out.String(), true
}

// bothRun runs a command of both, which must succeed.
func (c *commands) bothRun(args ...string) {
	c.Helper()
	if built := c.core.call(c.T, c.folder, c.by[0], args); !built.Success {
		c.Fatalf("dbt-core: %v: %s", args, built.Said)
	}
	if said, ok := c.call(args...); !ok {
		c.Fatalf("the runner: %v: %s", args, said)
	}
}

// same runs a command of both, whose outputs must be the same. dbt-core's has no
// title, because it is told to be quiet.
func (c *commands) same(args ...string) {
	c.Helper()
	want := c.core.call(c.T, c.folder, c.by[0], args)
	got, ok := c.call(args...)
	if strings.HasPrefix(got, "Previewing") {
		_, got, _ = strings.Cut(got, "\n")
	}
	if ok != want.Success {
		c.Errorf("%v: dbt-core succeeded: %v, the runner: %v\n%s\n%s", args, want.Success, ok, want.Said, got)
	}
	said := strings.ReplaceAll(want.Said, c.by[0], c.by[1])
	if ok && strings.TrimRight(got, "\n") != strings.TrimRight(said, "\n") {
		c.Errorf("%v: dbt-core prints\n%s\nand the runner\n%s", args, said, got)
	}
}

// Rows are printed as dbt-core prints them.
func TestTables_AreShownAsByDbtCore(t *testing.T) {
	c := newCommands(t, map[string]string{
		"models/kinds.sql": `select 1 as n, 1234567.5 as f, numeric '0.12345' as exact, true as yes, "it's \"ä\"" as word, date '2026-11-22' as d, 7 as seventh union all
select null, -0.25, numeric '3', null, 'a text that is longer than the table shows', null, 8 order by seventh`,
		"models/times.sql":  `select datetime '2026-11-22 07:30:00.5' as dt, timestamp '2026-11-22 07:30:00+00' as ts, time '07:30:00' as t, b'a\x01' as b, cast(null as string) as nil, 2.0 as whole`,
		"models/lists.sql":  `select [1, 2] as l, struct(1 as x, 'y' as y, 2.0 as f) as s, [struct('ü' as z)] as deep, json '{"a": [1, true]}' as j, cast([] as array<int64>) as empty`,
		"models/e.sql":      `{{ config(materialized='ephemeral') }}select n from {{ ref('kinds') }}`,
		"models/which.sql":  `select '{{ flags.WHICH }}' as which`,
		"seeds/letters.csv": "letter,place\na,1\nb,2\n",
		"tests/none.sql":    "select * from {{ ref('kinds') }} where n = 1",
	})
	c.bothRun("run")
	for _, output := range []string{"text", "json"} {
		for _, args := range [][]string{
			{"--select", "kinds"}, {"--select", "times"}, {"--select", "lists"}, {"--select", "e", "--limit", "1"}, {"--select", "none"}, {"--select", "which"},
			{"--inline", "select {{ var('x', 3) }} as n from {{ ref('e') }}"}, {"--inline", "select 1 as n from unnest([])"}, {"--inline", "select n from unnest(generate_array(1, 7)) as n order by n"},
			{"--inline", "select n from unnest(generate_array(1, 7)) as n order by n", "--limit", "-1"}, {"--inline", "select * from {{ ref('gone') }}"}, {"--inline", "select"},
		} {
			c.same(append(append([]string{"show"}, args...), "--output", output)...)
		}
	}
}
