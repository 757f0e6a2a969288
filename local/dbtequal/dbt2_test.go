package dbtequal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/dbt"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// dbt 2.x, the compiled engine, reads the project and compiles it to the same
// SQL. station_hours asks the warehouse, which that engine reaches by a driver
// of its own only.
func TestDbt2_CompilesTheSame(t *testing.T) {
	program := os.Getenv("STATIONFLOW_DBT2")
	if program == "" {
		t.Skip("set STATIONFLOW_DBT2 to the dbt of a Python environment with local/dbtequal/requirements-dbt2.txt installed")
	}
	target := t.TempDir()
	call := func(args ...string) (string, error) {
		process := exec.Command(program, append(args, "--project-dir", projectDir, "--profiles-dir", projectDir, "--target-path", target, "--log-path", target)...)
		process.Env = append(os.Environ(), "GOOGLE_CLOUD_PROJECT=proj", "PROD_DATASET=d", "DBT_SEND_ANONYMOUS_USAGE_STATS=false")
		output, err := process.CombinedOutput()
		return string(output), err
	}
	for _, command := range []string{"parse", "ls"} {
		if output, err := call(command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, output)
		}
	}
	output, _ := call("compile", "--static-analysis", "off") // fails by the driver
	p, err := project.Load(dbt.Files, project.Target{Project: "proj", Dataset: "d"})
	check(t, err)
	compared := 0
	compare := func(path, sql string, worded bool) {
		got, err := os.ReadFile(filepath.Join(target, "compiled", "stationflow", filepath.FromSlash(path)))
		switch {
		case err != nil:
			t.Errorf("%s: %v\n%s", path, err, output)
		case worded && string(got) != sql:
			t.Errorf("%s: %s", path, firstDifference(string(got), sql))
		}
		compared++
	}
	for _, model := range p.Models {
		if model.Name == "station_hours" {
			continue
		}
		compiled, err := p.Compile(model, project.Compilation{Execute: true})
		check(t, err)
		compare(model.Path, compiled.SQL, true)
	}
	for _, test := range p.Tests {
		sql, err := p.CompileTest(test, project.Compilation{Execute: true})
		check(t, err)
		if test.Kind == project.Singular {
			compare(test.Path, sql.SQL, true)
		}
	}
	if compared < 30 || !strings.Contains(output, "compile") {
		t.Errorf("only %d files were compared:\n%s", compared, output)
	}
}
