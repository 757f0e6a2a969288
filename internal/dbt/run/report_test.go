package run

import "testing"

func TestReport_AWarningFailsNoRun(t *testing.T) {
	for name, c := range map[string]struct {
		report Report
		ok     bool
	}{
		"nothing due":  {Report{}, true},
		"unchanged":    {Report{Models: []ModelReport{{Name: "a", Status: unchanged}, {Name: "b", Status: created}}}, true},
		"model failed": {Report{Models: []ModelReport{{Name: "a", Status: failed}, {Name: "b", Status: skipped}}}, false},
		"model held":   {Report{Models: []ModelReport{{Name: "a", Status: held}}}, false},
		"test failed":  {Report{Tests: []TestReport{{Name: "a", Status: failed, Failures: 1}}}, false},
		"test warned":  {Report{Tests: []TestReport{{Name: "a", Status: warned, Failures: 1}}}, true},
		"anything":     {Report{Message: "no"}, false},
	} {
		if c.report.finish(0); c.report.OK() != c.ok {
			t.Errorf("%s: the run is a success: %t, want %t", name, c.report.OK(), c.ok)
		}
	}
}
