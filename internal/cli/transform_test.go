package cli

import (
	"strings"
	"testing"

	"github.com/stationflow/stationflow/functions/transform"
)

func TestTransform_SaysWhatIsMissing(t *testing.T) {
	var out, errors strings.Builder
	streams := Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errors}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"transform", 1, "GOOGLE_CLOUD_PROJECT is not set"},
		{"transform all", 1, `unexpected argument "all"`},
		{"transform --help", 0, "-full-refresh"},
		{"help", 0, ""},
	} {
		errors.Reset()
		if code := Main(t.Context(), strings.Fields(c.args), streams, Commands()); code != c.code || !strings.Contains(errors.String(), c.want) {
			t.Errorf("%s: exit code %d and %q, want %d and %q", c.args, code, errors.String(), c.code, c.want)
		}
	}
	if !strings.Contains(out.String(), "run the dbt project once") {
		t.Errorf("help says %q", out.String())
	}
}

func TestPrintReport_IsALineEach(t *testing.T) {
	var out strings.Builder
	printReport(&out, &transform.Report{
		Status: "failed", TookMS: 1234, TestsRun: 3,
		Models: []transform.ModelReport{{Name: "a", Status: "replaced", TookMS: 80}, {Name: "b", Status: "failed", TookMS: 7, Message: "no"}},
		Tests:  []transform.TestReport{{Name: "t", Status: "warned", Failures: 2, TookMS: 30}},
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
