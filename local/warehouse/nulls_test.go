package warehouse

import "testing"

// TestTypedNull_FindsTheNullOfTheComplaint holds the columns of the analyzer: characters, with tabs of eight.
func TestTypedNull_FindsTheNullOfTheComplaint(t *testing.T) {
	const complaint = "failed to analyze: Invalid cast from INT64 to DATE "
	for _, test := range []struct{ sql, complaint, want string }{
		{"select d from t union all select null", complaint + "[at 1:34]", "select d from t union all select CAST(NULL AS DATE)"},
		{"select 'é', d\nunion all\nselect 'é', null", complaint + "[at 3:13]", "select 'é', d\nunion all\nselect 'é', CAST(NULL AS DATE)"},
		{"select d union all\n\tselect\tnull", complaint + "[at 2:17]", "select d union all\n\tselect\tCAST(NULL AS DATE)"},
		{"select d union all select 12", complaint + "[at 1:27]", ""},
		{"select 1; select d union all select null", complaint + "[at 1:37]", ""},
		{"select d union all select null", "failed to analyze: Unrecognized name: d [at 1:8]", ""},
		{"select null", complaint + "[at 7:1]", ""},
	} {
		if got, ok := typedNull(test.sql, test.complaint); got != test.want || ok != (test.want != "") {
			t.Errorf("%q of %q is %q, %v, want %q", test.complaint, test.sql, got, ok, test.want)
		}
	}
}
