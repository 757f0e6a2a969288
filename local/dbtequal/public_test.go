package dbtequal

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/local/staged"
)

// Public projects give the relations that they give by dbt-core. They are
// fetched, and are no part of this repository.
func TestPublic_GiveWhatTheyGiveByDbtCore(t *testing.T) {
	python(t)
	utils := public(t, "dbt-labs/dbt-utils", "macros", "dbt_project.yml")
	shop := public(t, "dbt-labs/jaffle-shop-classic", "models", "seeds", "dbt_project.yml")
	macros, err := os.ReadFile("testdata/tables/local.sql")
	check(t, err)
	w := staged.Start(t)
	core := startCore(t, w)
	cases := readCorpus(t, "testdata/public/dbt_utils.corpus")
	for path, content := range utils {
		cases[0].files["dbt_packages/dbt_utils/"+path] = content
	}
	shop["dbt_project.yml"] = strings.ReplaceAll(shop["dbt_project.yml"], "profile: 'jaffle_shop'", "profile: p")
	for _, c := range append(cases, small{name: "jaffle_shop", files: shop}) {
		t.Run(c.name, func(t *testing.T) {
			name := strings.Map(func(r rune) rune {
				if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz_", r) {
					return r
				}
				return -1
			}, c.name)
			b := &both{T: t, w: w, core: core, by: [2]string{"core_" + name, "native_" + name}}
			b.makeDatasets()
			files := maps.Clone(c.files)
			files["profiles.yml"], files["macros/local.sql"] = onWarehouse, string(macros)
			b.folder = small{files: files}.write(t)
			b.step("first run", "{}", "")
			b.step("second run", "{}", "")
		})
	}
}

// public returns some files of a public repository: from the folder that
// STATIONFLOW_DBT_PUBLIC names, or else from GitHub. A version may follow
// behind @.
func public(t *testing.T, repository string, parts ...string) map[string]string {
	t.Helper()
	_, name, _ := strings.Cut(repository, "/")
	repository, version, _ := strings.Cut(repository, "@")
	folder := filepath.Join(os.Getenv("STATIONFLOW_DBT_PUBLIC"), name)
	if os.Getenv("STATIONFLOW_DBT_PUBLIC") == "" {
		folder = filepath.Join(t.TempDir(), name)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args := []string{"clone", "--quiet", "--depth", "1", "https://github.com/" + repository, folder}
		if version != "" {
			args = append(args, "--branch", version)
		}
		fetch := exec.CommandContext(ctx, "git", args...)
		fetch.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
		if output, err := fetch.CombinedOutput(); err != nil {
			t.Skipf("%s cannot be fetched: %v %s: set STATIONFLOW_DBT_PUBLIC to a folder that has it", repository, err, output)
		}
	}
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("STATIONFLOW_DBT_PUBLIC has no %s", name)
	}
	files := map[string]string{}
	for _, part := range parts {
		check(t, filepath.WalkDir(filepath.Join(folder, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			within, _ := filepath.Rel(folder, path)
			files[filepath.ToSlash(within)] = string(content)
			return err
		}))
	}
	return files
}

// Public projects compile to the SQL that dbt-core compiles them to, or name
// the construct that the runner does not have.
func TestPublic_CompileAsByDbtCore(t *testing.T) {
	python(t)
	ga4, err := project.ParseVars("{ga4: {property_ids: [1234], source_project: proj, start_date: '20230101', static_incremental_days: 3}}")
	check(t, err)
	for _, c := range []struct {
		name, repository, parts string
		utils                   string // version of dbt_utils; "" for none
		of                      small
		instead                 string                   // of a model that needs more packages, and a warehouse
		mended                  func(file string) string // so that what comes behind a named construct is read
	}{
		{name: "jaffle-shop-classic", repository: "dbt-labs/jaffle-shop-classic", parts: "models seeds"},
		{name: "jaffle-shop", repository: "dbt-labs/jaffle-shop", parts: "models macros data-tests", utils: "1.3.3", instead: "models/marts/metricflow_time_spine.sql"},
		{name: "mrr-playbook", repository: "dbt-labs/mrr-playbook", parts: "models data macros", utils: "0.8.0", of: small{left: []string{"util_months"}}},
		{name: "attribution-playbook", repository: "dbt-labs/attribution-playbook", parts: "models data", of: small{refused: "quoting database: false is not supported"}},
		{name: "dbt-ga4", repository: "Velir/dbt-ga4", parts: "models macros tests seeds", utils: "1.3.3", of: small{refused: `column "desctiption" is not supported`, vars: ga4}},
		{name: "dbt-ga4, spelt right", repository: "Velir/dbt-ga4", parts: "models macros tests seeds", utils: "1.3.3", of: small{vars: ga4}, mended: func(file string) string {
			return strings.ReplaceAll(file, "desctiption", "description")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.of
			p.name, p.files = c.name, public(t, c.repository, append(strings.Fields(c.parts), "dbt_project.yml")...)
			p.files["packages.yml"] = "packages: []\n"
			if c.utils != "" {
				p.files["packages.yml"] = "packages: [{local: ../dbt_utils}]\n"
				for path, content := range public(t, "dbt-labs/dbt-utils@"+c.utils, "macros", "dbt_project.yml") {
					p.files["dbt_packages/dbt_utils/"+path] = content
				}
			}
			for path, content := range p.files {
				if c.mended != nil {
					p.files[path] = c.mended(content)
				}
			}
			if c.instead != "" {
				p.files[c.instead] = "select date '2026-11-22' as date_day"
			}
			p.files["dbt_project.yml"] = profileLine.ReplaceAllString(p.files["dbt_project.yml"], "") + "\nprofile: p\n"
			compareProjects(t, []small{p})
		})
	}
}

var profileLine = regexp.MustCompile(`(?m)^profile:.*$`)
