package repo_test

import (
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/local/bench"
	"github.com/stationflow/stationflow/local/system"
)

// A checker says why a call of its program cannot be given.
type checker func(call) error

// programs are all that docs may call, each with its checker.
func programs(t *testing.T) map[string]checker {
	anything := func(call) error { return nil }
	in := listed(t)
	known := map[string]checker{
		"cd":          func(c call) error { return there(in, c.folder, c.words[1]) },
		"go":          func(c call) error { return goCall(t, in, c) },
		"make":        func(c call) error { return makeCall(t, c) },
		"simulator":   func(c call) error { return unknownFlag(simulatorHelp(t), c.words[1:]) },
		"stationflow": func(c call) error { return toolCall(t, c.words[1:]) },
		"terraform":   func(c call) error { return terraformCall(t, c) },
	}
	for _, name := range in.files {
		if path.Dir(name) == "scripts" {
			known[path.Base(name)] = anything // that it is there is checked with the names of files
		}
	}
	for _, name := range []string{".", "bq", "cp", "curl", "dbt", "export", "gcloud", "git", "jq", "kafka-consumer-groups", "pip", "printf", "python3"} {
		known[name] = anything // not ours: what a shell understands is what can be said here
	}
	return known
}

func there(in tree, folder, name string) error {
	if at := path.Join(folder, name); !in.has(at) {
		return fmt.Errorf("there is no %s", at)
	}
	return nil
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

// makeCall checks targets, and ARGS as the flags of the command behind one.
func makeCall(t *testing.T, c call) error {
	var targets []string
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	for _, word := range c.words[1:] {
		if flags, ok := strings.CutPrefix(word, "ARGS="); ok {
			command, _, _ := strings.Cut(c.words[1], "-") // bench-peers is bench with more flags
			if err := toolCall(t, append([]string{command}, strings.Fields(flags)...)); err != nil {
				return err
			}
		} else if !strings.Contains(word, "=") && !slices.Contains(targets, word) {
			return fmt.Errorf("the Makefile has no target %s", word)
		}
	}
	return nil
}

// goCall checks that packages are there, and that what -run, -bench and -fuzz
// name is in one of them.
func goCall(t *testing.T, in tree, c call) error {
	var folders []string
	for i, word := range c.words {
		if !strings.HasPrefix(word, "./") || c.words[i-1] == "-o" {
			continue
		}
		folder, all := strings.CutSuffix(path.Join(c.folder, word), "/...")
		if err := there(in, ".", folder); err != nil {
			return err
		}
		for _, name := range in.files {
			if d := path.Dir(name); d == folder || all && strings.HasPrefix(d, folder+"/") {
				folders = append(folders, d)
			}
		}
		if c.words[1] == "run" { // the rest is for the program
			return programCall(t, path.Base(folder), c.words[i+1:])
		}
	}
	for i, word := range c.words[:len(c.words)-1] {
		kind, ok := map[string]string{"-run": "Test", "-bench": "Benchmark", "-fuzz": "Fuzz"}[word]
		if pattern := c.words[i+1]; ok && pattern != "^$" && !slices.ContainsFunc(folders, func(folder string) bool { return declares(t, in, folder, kind, pattern) }) {
			return fmt.Errorf("%s %s: there is no such test in %v", word, pattern, slices.Compact(folders))
		}
	}
	return nil
}

// programCall checks the flags of those programs of ours that take any.
func programCall(t *testing.T, name string, args []string) error {
	switch name {
	case "simulator":
		return unknownFlag(simulatorHelp(t), args)
	case "stationflow":
		return toolCall(t, args)
	}
	return nil
}

// declares reports whether a test file of the folder has a function whose
// name begins with kind and matches the pattern, as go test matches it.
func declares(t *testing.T, in tree, folder, kind, pattern string) bool {
	pattern, _, _ = strings.Cut(pattern, "/")
	for _, name := range in.files {
		if path.Dir(name) != folder || !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func (`+kind+`\w+)\(`).FindAllStringSubmatch(read(t, name), -1) {
			if ok, err := regexp.MatchString(pattern, m[1]); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// terraformCall checks the names of outputs and modules.
func terraformCall(t *testing.T, c call) error {
	for i, word := range c.words {
		if m := regexp.MustCompile(`^(?:-target=)?module\.(\w+)$`).FindStringSubmatch(word); m != nil && !strings.Contains(read(t, "terraform/main.tf"), `module "`+m[1]+`" {`) {
			return fmt.Errorf("terraform/main.tf has no module %s", m[1])
		}
		if c.words[1] == "output" && i > 1 && !strings.HasPrefix(word, "-") && !strings.Contains(read(t, "terraform/outputs.tf"), `output "`+word+`" {`) {
			return fmt.Errorf("terraform/outputs.tf has no output %s", word)
		}
	}
	return nil
}

// commands are those of the tool that make build makes, which has the other
// build's as well.
var commands = sync.OnceValue(func() []cli.Command {
	return append(append(system.Commands(""), bench.Command("")), cli.Commands()...)
})

func toolCommands() (names []string) {
	for _, command := range commands() {
		names = append(names, command.Name)
	}
	return names
}

// toolCall checks the command, what follows it where it has commands of its
// own, and the flags.
func toolCall(t *testing.T, args []string) error {
	if len(args) == 0 || args[0] == "--help" {
		return nil
	}
	end := slices.IndexFunc(args, func(word string) bool { return strings.HasPrefix(word, "-") })
	if end < 0 {
		end = len(args)
	}
	for ; end > 0; end-- { // what the command is called, without what it is given
		var out, errs strings.Builder
		streams := cli.Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs}
		if code := cli.Main(t.Context(), append(slices.Clone(args[:end]), "--help"), streams, commands()); code == 0 {
			if end == 1 && len(args) > 1 && strings.Contains(out.String(), args[0]+" COMMAND") {
				return fmt.Errorf("stationflow %s has no command %s", args[0], args[1])
			}
			return unknownFlag(out.String(), args[end:])
		}
	}
	return fmt.Errorf("the tool has no such command")
}

// unknownFlag returns an error for a flag that the help does not list.
func unknownFlag(help string, args []string) error {
	for _, word := range args {
		name, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(word, "-") && name != "--help" && !regexp.MustCompile(`(?m)^  `+regexp.QuoteMeta(name)+`( |$)`).MatchString(help) {
			return fmt.Errorf("there is no flag %s", name)
		}
	}
	return nil
}

var simulatorOnce = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "run", "./simulator/cmd/simulator", "--help")
	cmd.Dir = filepath.FromSlash(root)
	out, err := cmd.Output()
	return string(out), err
})

func simulatorHelp(t *testing.T) string {
	help, err := simulatorOnce()
	if err != nil {
		t.Fatalf("asking the simulator for its flags: %v", err)
	}
	return help
}

// flagsOfOthers are those that docs name by themselves, of programs that they
// have just named.
var flagsOfOthers = []string{"--scaling=auto"}

// flagFaults names every flag, written by itself, that no program of ours has.
func flagFaults(t *testing.T, pages []page) (faults []string) {
	help := simulatorHelp(t)
	for _, words := range [][]string{{"up"}, {"demo"}, {"bench"}, {"cost"}, {"trace"}, {"transform"}, {"verify"}, {"version"}, {"status"}, {"query"}, {"peek"}, {"logs"}, {"doctor"}, {"dbt", "build"}, {"dbt", "ls"}, {"deadletters", "list"}, {"deadletters", "discard"}, {"deadletters", "resend"},
		{"quarantine", "list"}, {"quarantine", "retry"}, {"replay", "kafka"}} {
		var out strings.Builder
		cli.Main(t.Context(), append(words, "--help"), cli.Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &out}, commands())
		help += out.String()
	}
	for _, p := range pages {
		for _, span := range p.spans {
			if name, _, _ := strings.Cut(span, " "); !strings.HasPrefix(span, "--") || slices.Contains(flagsOfOthers, name) {
				continue
			}
			if err := unknownFlag(help, strings.Fields(span)[:1]); err != nil {
				faults = append(faults, p.name+": "+span+": "+err.Error())
			}
		}
	}
	return faults
}
