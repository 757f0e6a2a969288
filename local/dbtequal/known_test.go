package dbtequal

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"

	"github.com/stationflow/stationflow/internal/dbt/project"
)

// Every name that the installed dbt-core knows is in the runner's table, and
// what the table has besides is known not to be dbt-core's own.
func TestSupport_HasAllThatDbtCoreKnows(t *testing.T) {
	output, err := exec.Command(python(t), "known.py").Output()
	check(t, err)
	var known map[string][]string
	check(t, json.Unmarshal(output, &known))
	ours := map[string][]string{}
	for _, line := range project.SupportTable() {
		ours[line.Place] = append(ours[line.Place], line.Names...)
	}
	for place, names := range known {
		if len(names) == 0 {
			t.Errorf("dbt-core has no %s", place)
		}
		for _, name := range names {
			if !slices.Contains(ours[place], name) {
				t.Errorf("the table says nothing of the %s %q", place, name)
			}
		}
	}
}
