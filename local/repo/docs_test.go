package repo_test

import (
	"strings"
	"testing"
)

// docsFaults is all that is wrong with what the pages name.
func docsFaults(t *testing.T, pages []page) []string {
	in := listed(t)
	faults := linkFaults(in, pages)
	faults = append(faults, fileFaults(in, pages)...)
	faults = append(faults, variableFaults(read(t, "docs/settings.md"), pages)...)
	faults = append(faults, settingFaults(read(t, "terraform/variables.tf")+read(t, "terraform/variables_kafka.tf"), pages)...)
	faults = append(faults, flagFaults(t, pages)...)
	return append(faults, commandFaults(programs(t), toolCommands(), pages)...)
}

// What the docs name is there: links, files, variables, settings, flags and
// commands.
func TestDocs_NameWhatIsThere(t *testing.T) {
	all := pages(t)
	if len(all) < 10 {
		t.Errorf("only %d pages are found", len(all))
	}
	for _, fault := range docsFaults(t, all) {
		t.Error(fault)
	}
}

// Each kind of mistake is found.
func TestDocs_MistakesAreFound(t *testing.T) {
	for mistake, want := range map[string]string{
		"[x](nothing.md)":                           "docs/x.md links to nothing.md, which is not there",
		"[x](../README.md#nothing)":                 "README.md has no such heading",
		"[x](#nothing)":                             "docs/x.md has no such heading",
		"![x](gone.png)":                            "docs/x.md links to gone.png",
		"`gone.go`":                                 "names gone.go",
		"`bridge/gone.go`":                          "names bridge/gone.go",
		"`local/gone`":                              "names local/gone",
		"`scripts/gone.sh a`":                       "",
		"`BRIDGE_GONE`":                             "the variable BRIDGE_GONE",
		"`ingest.gone`":                             "names ingest.gone",
		"`--gone`":                                  "there is no flag --gone",
		"`make gone`":                               "no target gone",
		"`make up ARGS=\"--gone\"`":                 "there is no flag --gone",
		"`stationflow gone now`":                    "no such command",
		"`stationflow dbt gone`":                    "dbt has no command gone",
		"`stationflow dbt run --gone`":              "there is no flag --gone",
		"`up --gone x`":                             "there is no flag --gone",
		"`… deadletters resend --gone`":             "there is no flag --gone",
		"`cd local && go test ./e2e -run Gone`":     "there is no such test",
		"`go test ./event -run '^$' -bench Gone`":   "there is no such test",
		"`go test ./gone`":                          "there is no gone",
		"`go run ./simulator/cmd/simulator --gone`": "there is no flag --gone",
		"`terraform output gone`":                   "no output gone",
		"`terraform apply -target=module.gone`":     "no module gone",
		"    gone --now":                            "which program is that?",
		"    cd gone":                               "there is no gone",
		"    make 'demo":                            "no shell understands",
		"    bin/simulator --gone 1":                "there is no flag --gone",
		"    dbt -r local/dbtequal/gone.txt":        "names local/dbtequal/gone.txt",
		"```sh\nscripts/gone.sh\n```":               "names scripts/gone.sh",
	} {
		faults := strings.Join(docsFaults(t, []page{parse("docs/x.md", []byte("# X\n\n"+mistake+"\n"))}), "\n")
		if want == "" && faults != "" || !strings.Contains(faults, want) {
			t.Errorf("%s: found %q, want %q", mistake, faults, want)
		}
	}
}
