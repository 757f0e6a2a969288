package deploytest

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// checkov finds nothing but what is suppressed beside the resource, with a
// reason.
func TestCheckov_FindsNothing(t *testing.T) {
	program, err := exec.LookPath(cmp.Or(os.Getenv("STATIONFLOW_CHECKOV"), "checkov"))
	if err != nil {
		t.Skip("skipped: set STATIONFLOW_CHECKOV to the checkov of a Python environment with local/deploytest/requirements.txt installed")
	}
	cmd := exec.Command(program, "--directory", repository+"/terraform", "--framework", "terraform", "secrets", "--skip-download", "--soft-fail", "--quiet", "--output", "json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running checkov: %v", err)
	}
	type report struct {
		Summary struct{ Passed, Failed, Parsing_errors int }
		Results struct {
			Failed []struct {
				ID       string `json:"check_id"`
				Resource string
			} `json:"failed_checks"`
		}
	}
	var reports []report
	if err := json.Unmarshal(out, &reports); err != nil { // one report alone is no list
		reports = make([]report, 1)
		if err := json.Unmarshal(out, &reports[0]); err != nil {
			t.Fatal(err)
		}
	}
	passed := 0
	for _, r := range reports {
		passed += r.Summary.Passed
		for _, finding := range r.Results.Failed {
			t.Errorf("%s: %s", finding.ID, finding.Resource)
		}
	}
	if passed == 0 {
		t.Error("checkov checked nothing")
	}
}

func TestCheckov_SuppressionsHaveReasons(t *testing.T) {
	tree := os.DirFS(repository + "/terraform")
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".tf") {
			return err
		}
		text, err := fs.ReadFile(tree, path)
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "checkov:skip") && !regexp.MustCompile(`#\s?checkov:skip=CKV\w+:.{15,}$`).MatchString(line) {
				t.Errorf("%s suppresses without a reason: %s", path, line)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
