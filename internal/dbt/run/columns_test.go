package run

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

func TestSettle(t *testing.T) {
	columns := func(text string) (out []project.Column) {
		for _, one := range strings.Split(text, "; ") {
			name, kind, _ := strings.Cut(one, " ")
			out = append(out, project.Column{Name: name, Type: kind})
		}
		return out
	}
	const stored = "a int64; b string; s struct<`x` int64, `y` string>"
	for _, c := range []struct{ onChange, given, columns, written string }{
		{project.FailOnChange, "B text; a integer; s struct<x integer,y string(3)>", stored, stored},
		{project.IgnoreChange, "a int64; c int64", stored, stored},
		{project.FailOnChange, "a int64; b string", "", "new are [], gone are [s], of another type are []"},
		{project.FailOnChange, "a float64; b string; s struct<x int64, y string>", "", "of another type are [a]"},
		{project.AppendNew, "c date; a float64; b string", stored + "; c date", "c date; a float64; b string"},
		{project.SyncAll, "c date; s struct<x int64, y string>; a float64", "a float64; s struct<`x` int64, `y` string>; c date", "c date; s struct<x int64, y string>; a float64"},
		{project.SyncAll, "a int64; b string; s struct<x int64>", "", "the column s has other fields"},
	} {
		got, written, err := settle(c.onChange, columns(stored), columns(c.given))
		switch {
		case c.columns == "" && (err == nil || !strings.Contains(err.Error(), c.written)):
			t.Errorf("%s of %s: %v, want %q", c.onChange, c.given, err, c.written)
		case c.columns != "" && err != nil:
			t.Errorf("%s of %s: %v", c.onChange, c.given, err)
		case c.columns != "":
			if diff := cmp.Diff(columns(c.columns), got); diff != "" {
				t.Errorf("%s of %s: %s", c.onChange, c.given, diff)
			}
			if diff := cmp.Diff(columns(c.written), written); diff != "" {
				t.Errorf("%s of %s writes %s", c.onChange, c.given, diff)
			}
		}
	}
}
