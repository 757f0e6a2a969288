package cli

import "testing"

// Types come from flags, or else from dbt's variables.
func TestTypesAsked(t *testing.T) {
	for name, test := range map[string]struct {
		of        typesAsked
		only, but string // variables
		has, not  string // types
		faulty    bool
	}{
		"nothing asked": {has: "unit_test"},
		"variables":     {only: "model seed test", but: "test", has: "seed", not: "test"},
		"a flag first":  {of: typesAsked{only: texts{"snapshot"}}, only: "model", has: "snapshot", not: "model"},
		"all but one":   {of: typesAsked{only: texts{"all"}, but: texts{"source"}}, has: "model", not: "source"},
		"no such type":  {only: "model,seed", faulty: true},
		"but all":       {but: "all", faulty: true},
	} {
		err := test.of.settle(func(variable string) string {
			return map[string]string{"DBT_RESOURCE_TYPES": test.only, "DBT_EXCLUDE_RESOURCE_TYPES": test.but}[variable]
		})
		switch {
		case (err != nil) != test.faulty:
			t.Errorf("%s: %v", name, err)
		case err == nil && (!test.of.has(test.has) || test.not != "" && test.of.has(test.not)):
			t.Errorf("%s: %+v has %q: %v, %q: %v", name, test.of, test.has, test.of.has(test.has), test.not, test.of.has(test.not))
		}
	}
}
