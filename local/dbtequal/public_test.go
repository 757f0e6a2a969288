package dbtequal

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

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
			for _, dataset := range b.by {
				check(t, w.Client.Dataset(dataset).Create(t.Context(), &bigquery.DatasetMetadata{Location: "US"}))
			}
			files := maps.Clone(c.files)
			files["profiles.yml"], files["macros/local.sql"] = onWarehouse, string(macros)
			b.folder = small{files: files}.write(t)
			b.step("first run", "{}", "")
			b.step("second run", "{}", "")
		})
	}
}

// public returns some files of a public repository: from the folder that
// STATIONFLOW_DBT_PUBLIC names, or else from GitHub.
func public(t *testing.T, repository string, parts ...string) map[string]string {
	t.Helper()
	_, name, _ := strings.Cut(repository, "/")
	folder := filepath.Join(os.Getenv("STATIONFLOW_DBT_PUBLIC"), name)
	if os.Getenv("STATIONFLOW_DBT_PUBLIC") == "" {
		folder = filepath.Join(t.TempDir(), name)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		fetch := exec.CommandContext(ctx, "git", "clone", "--quiet", "--depth", "1", "https://github.com/"+repository, folder)
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
