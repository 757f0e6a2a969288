package tooltest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/local/advice"
	"github.com/stationflow/stationflow/local/built"
)

// examples are commands of the runbooks that name a record, a dead letter or a
// file which only an example has: that they say so is all that can be seen.
var examples = regexp.MustCompile(`incidents/3/\d+| (ID|NAME)\b|--offsets|FILE\.sql`)

// Every command of ours in the runbooks, and in the README's table, is run
// against the local system, as it stands there. make advice runs this.
func TestAdvice_OfRunbooks(t *testing.T) {
	if os.Getenv("STATIONFLOW_ADVICE") == "" {
		t.Skip("make advice runs what people are told to run")
	}
	s := local(t)
	collected, err := advice.Collect(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range collected.Commands {
		line := strings.TrimPrefix(a.Text, "bin/") // the README's table has that
		ours := a.Where == filepath.Join("docs", "runbooks.md") && strings.HasPrefix(line, "stationflow ") || a.Where == "README.md" && line != a.Text
		if line == "stationflow query" { // the statement stands below it, and package e2e runs those
			continue
		}
		if ours && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) < 25 {
		t.Errorf("only %d commands were found", len(lines))
	}
	for _, line := range lines {
		t.Run(line, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, "TOPIC", "incidents"))
			command.Dir = t.TempDir()
			command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+s.folder, "PATH="+filepath.Dir(built.Program(t, "stationflow"))+":"+os.Getenv("PATH"))
			said, err := command.CombinedOutput()
			code := command.ProcessState.ExitCode()
			if code != 0 && !(examples.MatchString(line) && code < 3) || strings.Contains(string(said), "not defined: --") {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}
