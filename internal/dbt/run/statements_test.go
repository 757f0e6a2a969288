package run

import (
	"testing"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// The limit of a test is one of the rows that are counted, and not a part of
// its SQL, as in dbt.
func TestFailuresOf(t *testing.T) {
	for want, test := range map[string]project.Test{
		"select count(*) as failures\nfrom (\nselect 1\n)":          {},
		"select count(*) as failures\nfrom (\nselect 1\nlimit 0\n)": {Limit: new(int64(0))},
		"select sum(n) as failures\nfrom (\nselect 1\nlimit 5\n)":   {FailCalc: "sum(n)", Limit: new(int64(5))},
	} {
		if got := failuresOf(&test, findings(&test, "\nselect 1\n")); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
