package project

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the page of what is supported again")

// supportPage is the page that dbt/README.md links to.
const supportPage = "../../../docs/dbt.md"

const supportHead = `# What the runner makes of dbt

Each name that dbt-core 1.12 knows, by the place where a project writes it. What is refused is an error before anything runs that names file and line;
what a project writes and dbt does not know is one, too. "Nothing" changes no row or verdict in BigQuery, and is read past.

Besides these names the runner refuses: printing, joining or calling what is undefined, where dbt prints nothing (in a package it prints nothing here, too); whole numbers beyond 64 bits;
models in Python; .dbtignore; two models of one name in two packages; values whose type dbt-core finds wrong only when it builds; and a selector that is the default. Its target is named prod.
A setting of dbt_project.yml is refused where it applies to something that is enabled. In a package, names of a yml file that dbt does not know are read past, as dbt does.

The runner builds each model beside its published table, tests it there, and publishes all that passed together. Where dbt's order differs from that:

- A hook of a model runs when the model is built, and a name of the model's table, or of one that it reads by ref, is there the table beside. Other models may not be named without ref.
  GRANT, REVOKE, ALTER … SET OPTIONS and CREATE of views, functions and the like run when the model is published, all else of it with the building.
  CREATE, DROP and other ALTER of a model's own table, and EXECUTE IMMEDIATE, are refused: the runner makes the tables.
- on-run-start runs before the first model, on-run-end after publishing; when publishing fails it does not run. A run that has nothing to do runs neither, nor a model's hooks.
- A snapshot lands in the dataset of the models, and its strategy is timestamp or check. Each run copies its table, so that others may add to it, too; no run makes it again.
- A unit test of a model runs before the model is built, over the columns of what it reads as this run has built that. The function transform runs none.
- Labels, ends, descriptions and grants are given when the model is published. What dbt gives only to a table that it makes, an incremental model's table keeps until --full-refresh.
- A failing grant, or hook of the published table, fails the run before rows are published.
- A table that becomes a view is kept as NAME__table; dbt refuses that without --full-refresh. A table that is missing of a source fails the run before it begins; in dbt only what reads it.
- A test of a view runs, too, when one of the table below has failed, where dbt skips it: neither is published.

Written from internal/dbt/project/support.txt by ` + "`go test ./internal/dbt/project -update`" + `; a test in local/dbtequal compares it with an installed dbt-core.
`

func TestSupport_PageIsWrittenFromTheTable(t *testing.T) {
	var out strings.Builder
	out.WriteString(supportHead)
	place := ""
	for _, line := range SupportTable() {
		if line.Place != place {
			place = line.Place
			fmt.Fprintf(&out, "\n## %s\n\n| | names | |\n|---|---|---|\n", strings.ToUpper(place[:1])+place[1:])
		}
		status := strings.TrimSuffix(line.Status, " to BigQuery")
		names := strings.ReplaceAll(strings.Join(line.Names, ", "), "|", `\|`)
		fmt.Fprintf(&out, "| %s | %s | %s |\n", status, names, line.Note)
	}
	if *update {
		if err := os.WriteFile(supportPage, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(supportPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.String(), string(page)); diff != "" {
		t.Errorf("docs/dbt.md is not what support.txt says: run go test ./internal/dbt/project -update\n%s", diff)
	}
}

// A name has one status in a place, and what is refused a way round.
func TestSupport_SaysOneThingOfEachName(t *testing.T) {
	seen := map[string]bool{}
	for _, line := range SupportTable() {
		if line.Status == "" || line.Status == refused && line.Note == "" {
			t.Errorf("%+v has no status, or no way round", line)
		}
		for _, name := range line.Names {
			if key := line.Place + " " + name; seen[key] {
				t.Errorf("%s comes twice", key)
			} else {
				seen[key] = true
			}
		}
	}
	// What is honoured among the functions is there.
	for name := range functions {
		if supportOf("macro", name).status == "" && supportOf("name", name).status != honoured {
			t.Errorf("the function %s is not in the table", name)
		}
	}
}
