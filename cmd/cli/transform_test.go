package cli

import (
	"strings"
	"testing"

	"github.com/stationflow/stationflow/internal/dbt/run"
)

func TestTransform_SaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		args      string
		code      int
		out, errs string
	}{
		{"transform", 1, "", "GOOGLE_CLOUD_PROJECT is not set: set it to the id of the Google Cloud project, or start a local system with `stationflow up`"},
		{"transform all", 2, "", `unexpected argument "all"`},
		{"transform --full", 2, "", "not defined: --full: see stationflow transform --help"},
		{"transform --help", 0, "Does what the function transform does", ""},
		{"transform --help", 0, "--full-refresh", ""},
		{"help", 0, "run the dbt project once", ""},
		{"nothing", 2, "", `there is no command "nothing"`},
		{"", 2, "", "usage: stationflow COMMAND"},
	} {
		var out, errs strings.Builder
		streams := Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs}
		code := Main(t.Context(), strings.Fields(c.args), streams, Commands())
		for _, said := range [][2]string{{out.String(), c.out}, {errs.String(), c.errs}} {
			if !strings.Contains(said[0], said[1]) || said[1] == "" && said[0] != "" {
				t.Errorf("%s: says %q, want %q", c.args, said[0], said[1])
			}
		}
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.args, code, c.code)
		}
	}
}

func TestPrintReport_IsALineEach(t *testing.T) {
	var out strings.Builder
	printReport(&out, &run.Report{
		Status: "failed", TookMS: 1234, TestsRun: 3,
		Models: []run.ModelReport{{Name: "a", Status: "replaced", TookMS: 80}, {Name: "b", Status: "failed", TookMS: 7, Message: "no"}},
		Tests:  []run.TestReport{{Name: "t", Status: "warned", Failures: 2, TookMS: 30}},
	})
	want := `replaced      80 ms  a
failed         7 ms  b  no
warned        30 ms  test t  2 rows that must not be
failed: 2 models, 3 tests, 1234 ms
`
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}
