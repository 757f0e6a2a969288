package cli

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// said runs the tool with no system to work with.
func said(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	code = Main(t.Context(), args, Streams{Getenv: func(string) string { return "" }, Out: &o, Err: &e}, Commands())
	return code, o.String(), e.String()
}

// calls are all commands, with each of their verbs.
func calls(t *testing.T) (all [][]string) {
	t.Helper()
	for _, c := range Commands() {
		verbs := slices.DeleteFunc(slices.Clone(c.Verbs), func(v string) bool {
			return v == "deadletters" || c.Name == "peek" || c.Name == "completion" || c.Name == "schema"
		})
		if len(verbs) == 0 {
			all = append(all, []string{c.Name})
		}
		for _, verb := range verbs {
			switch verb {
			case "source":
				verb = "source freshness"
			case "docs":
				verb = "docs generate"
			}
			all = append(all, append([]string{c.Name}, strings.Fields(verb)...))
		}
	}
	return all
}

// Every command has help with examples that it understands, --json, and, where
// it works with a system, the one flag for the cloud's; its help fits a
// terminal.
func TestHelp_OfEachCommand(t *testing.T) {
	here := []string{"completion", "cost", "version"} // work with no system
	for _, call := range calls(t) {
		code, help, errs := said(t, append(call, "--help")...)
		if code != 0 || errs != "" {
			t.Errorf("%v: exit code %d, %s", call, code, errs)
		}
		if !strings.HasPrefix(help, "usage: stationflow "+call[0]) || !strings.Contains(help, "\nExamples:\n  ") {
			t.Errorf("%v has no usage or no examples:\n%s", call, help)
		}
		if isThere := strings.Contains(help, "\n  --cloud\n        "+cloudUsage+"\n"); isThere == slices.Contains(here, call[0]) {
			t.Errorf("%v has --cloud: %v", call, isThere)
		}
		if !strings.Contains(help, "\n  --json\n") && call[0] != "completion" {
			t.Errorf("%v has no --json", call)
		}
		for line := range strings.Lines(help[:strings.Index(help, "\n  --")+1]) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 90 {
				t.Errorf("%v: %q is wide", call, line)
			}
		}
		byHelp, out, _ := func() (int, string, string) { return said(t, append([]string{"help"}, call...)...) }()
		if byHelp != 0 || out != help {
			t.Errorf("stationflow help %v says something else than --help", call)
		}
	}
}

// What stands in examples can be given: the commands and flags are there.
func TestHelp_ExamplesAreUnderstood(t *testing.T) {
	quoted := regexp.MustCompile(`'[^']*'`)
	found := 0
	for _, call := range calls(t) {
		_, help, _ := said(t, append(call, "--help")...)
		_, help, _ = strings.Cut(help, "\nExamples:\n")
		help, _, _ = strings.Cut(help, "\n\n")
		for line := range strings.Lines(quoted.ReplaceAllString(help, "'x'")) {
			for part := range strings.SplitSeq(line, "stationflow ") {
				words := strings.Fields(strings.NewReplacer("|", " | ", ")", " ) ", ">", " > ", "<", " < ", ";", " ; ").Replace(part))
				if end := slices.IndexFunc(words, func(w string) bool { return strings.Contains("|)><;", w) }); end >= 0 {
					words = words[:end]
				}
				if len(words) == 0 || !slices.ContainsFunc(Commands(), func(c Command) bool { return c.Name == words[0] }) {
					continue
				}
				found++
				var flags []string
				for _, word := range words[1:] {
					if strings.HasPrefix(word, "-") {
						flags = append(flags, word)
					}
				}
				verb := words[:1]
				if len(words) > 1 && slices.Contains(commandOf(words[0]).Verbs, words[1]) && words[0] != "peek" && words[0] != "completion" {
					verb = words[:2]
				}
				_, its, _ := said(t, append(slices.Clone(verb), "--help")...)
				for _, flag := range flags {
					if !regexp.MustCompile(`(?m)^  ` + flag + `( |$)`).MatchString(its) {
						t.Errorf("%s: %v has no flag %s", strings.TrimSpace(line), verb, flag)
					}
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d examples were found", found)
	}
}

func commandOf(name string) Command {
	all := Commands()
	return all[slices.IndexFunc(all, func(c Command) bool { return c.Name == name })]
}

// The page and the help have all commands and all exit codes.
func TestHelp_ThePageHasAll(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range ExitCodes {
		if row := fmt.Sprintf("| %d | %s |", one.Code, one.Meaning); !strings.Contains(string(page), row) {
			t.Errorf("docs/cli.md has no row %s", row)
		}
	}
	_, usage, _ := said(t, "help")
	for _, c := range Commands() {
		if n := strings.Count(string(page), "| `stationflow "+c.Name+"` |"); n != 2 && c.Name != "completion" || n == 0 {
			t.Errorf("docs/cli.md has %s in %d tables, want it among the commands and among the shapes", c.Name, n)
		}
		if !strings.Contains(usage, "\n  "+c.Name+" ") || !slices.Contains(Groups, c.Group) {
			t.Errorf("the list of commands does not have %s of group %q", c.Name, c.Group)
		}
	}
	for line := range strings.Lines(usage) {
		if utf8.RuneCountInString(line) > 90 {
			t.Errorf("%q is wide", line)
		}
	}
}

func TestCompletion(t *testing.T) {
	for words, want := range map[string]string{
		"sta":                         "status",
		"help ver":                    "verify version",
		"verify --d":                  "--dead-letters --deep --dry-run",
		"deadletters .":               "list show resend discard",
		"deadletters resend --a":      "--all",
		"peek inc":                    "incidents",
		"dbt s":                       "seed snapshot show source",
		"quarantine list --topic p":   "passenger_flow",
		"quarantine list --reason to": "tombstone too_large",
		"nothing --":                  "",
		"completion .":                "bash zsh fish",
	} {
		args := strings.Fields(words)
		if strings.HasSuffix(words, ".") || words == "" {
			args = append(args[:max(len(args)-1, 0)], "")
		}
		_, out, errs := said(t, append([]string{"completion", "words", "--"}, args...)...)
		if got := strings.Join(strings.Fields(out), " "); got != want || errs != "" {
			t.Errorf("%q: %q %s, want %q", words, got, errs, want)
		}
	}
	_, out, _ := said(t, "completion", "words", "--", "")
	if all := strings.Fields(out); len(all) != len(Commands())+1 || all[0] != "help" || !slices.Contains(all, "verify") {
		t.Errorf("the commands are %v", all)
	}
	for _, shell := range shells {
		if code, out, _ := said(t, "completion", shell); code != 0 || !strings.Contains(out, "completion words -- ") {
			t.Errorf("%s: %d, %s", shell, code, out)
		}
	}
	if code, _, errs := said(t, "completion", "tcsh"); code != 2 || !strings.Contains(errs, "bash, zsh or fish") {
		t.Errorf("%d, %s", code, errs)
	}
}
