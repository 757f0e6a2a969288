package warehouse

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

const documentPath = "../../docs/local-bigquery.md"

var update = flag.Bool("update", false, "write docs/local-bigquery.md")

// holdDocument compares the document with what was refused, or writes it.
func holdDocument(t *testing.T, y *tally, all int) {
	t.Helper()
	want := document(y, all)
	if *update {
		if err := os.WriteFile(documentPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(documentPath)
	if err != nil || string(got) != want {
		t.Errorf("docs/local-bigquery.md is stale (%v): run go test ./warehouse -run TestTable -update in local/", err)
	}
}

// document writes what is refused.
func document(y *tally, all int) string {
	var out strings.Builder
	fmt.Fprintf(&out, `# The local BigQuery

`+"`make up`"+` runs a BigQuery on this machine: an emulator behind a gateway (local/warehouse). What it answers is what BigQuery
answers. Where it cannot, it fails with a sentence that begins "%s". The end of this page lists
what is known to differ without one.

A table of %d expressions and statements with the results that
[BigQuery's reference](https://cloud.google.com/bigquery/docs/reference/standard-sql/introduction-sql) documents
(local/warehouse/testdata/bigquery.tsv) is run by `+"`make test`"+`: over literals, over columns that a query made and over columns that a client
inserted. `+"`make clients`"+` runs it with Google's clients for Node and Java, too. %d are answered, %d are refused. This page is written by that
test.

## What it does not have

| what | for example | see |
|---|---|---|
`, strings.TrimSpace(Refusal), all, all-len(y.refused), len(y.refused))
	for _, line := range slices.Sorted(maps.Keys(y.refused)) {
		e := y.example[line]
		text := e.literals()
		if e.statement() != "" {
			text = e.statement()
		}
		page, anchor, _ := strings.Cut(e.page, "#")
		fmt.Fprintf(&out, "| %s | `%s` | [%s](https://cloud.google.com/bigquery/docs/reference/standard-sql/%s) |\n",
			inCell(y.refused[line]), inCell(text), e.page, page+"#"+anchor)
	}
	out.WriteString(`
## What differs

- COALESCE evaluates all of its arguments: one that fails is a failure, although an earlier one has a value.
- ORDER BY and the numbering functions put values of INTERVAL in no order.
- Whole FLOAT64 inside of an ARRAY or STRUCT are added and multiplied as INT64 with each other: a result out of INT64's
  range fails.
- A script's statements that are refused are found when it comes to them: what ran before stays, as with any failure.
- Sessions are not kept: each request has its own variables and temporary tables.
`)
	return out.String()
}

// inCell is a text for a cell of a table.
func inCell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}
