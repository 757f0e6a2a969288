package repo_test

import (
	"regexp"
	"strings"
	"testing"
)

// docsFaults is all that is wrong with what the pages name.
func docsFaults(t *testing.T, pages []page) []string {
	in := listed(t)
	faults := linkFaults(in, pages)
	faults = append(faults, fileFaults(in, pages)...)
	faults = append(faults, variableFaults(read(t, "docs/settings.md")+peerVariables(t), pages)...)
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

// Every test that a page names by its name is there.
func TestDocs_TestsAreThere(t *testing.T) {
	declared := map[string]bool{}
	for _, name := range listed(t).files {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range testName.FindAllStringSubmatch(read(t, name), -1) {
				declared[m[1]] = true
			}
		}
	}
	named := 0
	for _, p := range pages(t) {
		for _, span := range p.spans {
			if !namesTest.MatchString(span) {
				continue
			}
			named++
			if !declared[span] {
				t.Errorf("%s names %s, and there is no such test", p.name, span)
			}
		}
	}
	if named < 10 {
		t.Errorf("docs name %d tests; each of the ten invariants in docs/architecture.md has one", named)
	}
}

var (
	testName  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	namesTest = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*$`)
)

// Each decision and pitfall says its day.
func TestDecisions_HaveDays(t *testing.T) {
	entries := regexp.MustCompile(`(?ms)^- \*\*(.*?)\*\*(.{0,40})`).FindAllStringSubmatch(read(t, "docs/decisions.md"), -1)
	if len(entries) < 20 {
		t.Errorf("only %d entries are found", len(entries))
	}
	for _, entry := range entries {
		if !regexp.MustCompile(`\(\d{4}-\d{2}-\d{2}\)`).MatchString(entry[2]) && !strings.Contains(entry[2], "local system") {
			t.Errorf("the decision %q has no day", entry[1])
		}
	}
}

// The page says of each file of the bridge what it is for.
func TestArchitecture_NamesTheBridgesFiles(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "docs/architecture.md"), "### Goroutines and locks")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, name := range listed(t).files {
		file, ok := strings.CutPrefix(name, "bridge/")
		if ok && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "/") &&
			!strings.Contains(section, "`"+file+"`") {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
}

// What the section on the bridge's goroutines names is in the bridge.
func TestArchitecture_NamesTheBridgesFields(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "docs/architecture.md"), "### Goroutines and locks")
	section, _, _ = strings.Cut(section, "\n## ")
	var code strings.Builder
	for _, name := range listed(t).files {
		if strings.HasPrefix(name, "bridge/") && strings.HasSuffix(name, ".go") {
			code.WriteString(read(t, name))
		}
	}
	spans := parse("docs/architecture.md", []byte(section)).spans
	if len(spans) < 20 {
		t.Errorf("only %d names are found", len(spans))
	}
	for _, span := range spans {
		if !goName.MatchString(span) || fileName.MatchString(span) {
			continue
		}
		last := span[strings.LastIndex(span, ".")+1:]
		if !regexp.MustCompile(`\b` + last + `\b`).MatchString(code.String()) {
			t.Errorf("docs/architecture.md names %s, which bridge/ does not have", span)
		}
	}
}

var goName = regexp.MustCompile(`^[A-Za-z]+(\.[A-Za-z]+)*$`)
