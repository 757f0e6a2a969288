package advice

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/stationflow/stationflow/local/system"
)

const root = "../.."

// All commands that people are told can be given so: the shell reads them, the
// programs, targets, tests and files are there, and the flags are known. Those
// against a local system are run, in package e2e.
func TestCommands(t *testing.T) {
	collected, err := Collect(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(collected.Commands) < 80 || len(collected.Statements) < 3 {
		t.Fatalf("%d commands and %d statements were found, want all", len(collected.Commands), len(collected.Statements))
	}
	for _, advice := range collected.Commands {
		calls, err := callsOf(advice.Text)
		if err != nil {
			t.Errorf("%s: the shell cannot read %q: %v", advice.Where, advice.Text, err)
			continue
		}
		folder := "."
		for _, call := range calls {
			if call[0] == "cd" {
				folder = call[1]
				continue
			}
			if err := checkCall(folder, call); err != nil {
				t.Errorf("%s: %q: %v", advice.Where, advice.Text, err)
			}
		}
	}
}

// callsOf are the programs with arguments that a line calls.
func callsOf(line string) (calls [][]string, err error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, err
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		var words []string
		for _, arg := range call.Args {
			var word strings.Builder
			syntax.Walk(arg, func(part syntax.Node) bool {
				switch p := part.(type) {
				case *syntax.Lit:
					word.WriteString(strings.ReplaceAll(p.Value, `\`, ""))
				case *syntax.SglQuoted:
					word.WriteString(p.Value)
				case *syntax.ParamExp:
					word.WriteString("X")
					return false
				}
				return true
			})
			words = append(words, word.String())
		}
		calls = append(calls, words)
		return true
	})
	return calls, nil
}

func checkCall(folder string, call []string) error {
	args := call[1:]
	switch program := strings.TrimPrefix(call[0], "bin/"); {
	case program == "make":
		return checkMake(args)
	case program == "stationflow" && len(args) > 0 && (args[0] == "up" || args[0] == "demo"):
		return checkUp(args)
	case program == "stationflow" || program == "simulator":
		return checkHelp(program, args)
	case program == "go":
		return checkGo(folder, args)
	case program == "gcloud" || program == "bq" || program == "terraform" || program == "kafka-consumer-groups":
		return checkTool(call)
	case strings.HasPrefix(program, "scripts/"):
		about, err := os.Stat(filepath.Join(root, program))
		if err != nil || about.Mode()&0o111 == 0 {
			return errors.New("there is no such script")
		}
		return nil
	case slices.Contains([]string{"git", "cp", "export", "jq", "curl", "printf", "python3", "pip", "dbt", ".", "bridge", "functions", ".venv-dbt/bin/pip", ".venv-dbt/bin/dbt"}, program):
		return nil
	}
	return fmt.Errorf("nobody checks %s: say in this test how it is checked", call[0])
}

// checkMake finds the targets, and the flags that ARGS gives to the system or to
// the benchmark.
func checkMake(args []string) error {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return err
	}
	for i, arg := range args {
		if more, given := strings.CutPrefix(arg, "ARGS="); given {
			if strings.HasPrefix(args[0], "bench") {
				return checkHelp("stationflow", append([]string{"bench"}, strings.Fields(more)...))
			}
			return checkUp(append([]string{args[0]}, strings.Fields(more)...))
		}
		if strings.Contains(arg, "=") {
			continue // a variable
		}
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(arg) + `:`).Match(makefile) {
			return fmt.Errorf("there is no target %s (word %d)", arg, i+1)
		}
	}
	return nil
}

func checkUp(args []string) error {
	_, err := system.ParseOptions(args[0], args[1:], io.Discard)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

// checkHelp has a built program read the flags, and say how it is used instead
// of going on.
func checkHelp(program string, args []string) error {
	verb := 0 // words before the flags
	switch {
	case program == "stationflow" && slices.Contains(args, "source"):
		verb = 3
	case program == "stationflow" && len(args) > 0 && (args[0] == "dbt" || args[0] == "deadletters"):
		verb = 2
	case program == "stationflow":
		verb = 1
	}
	path := filepath.Join(root, "bin", program)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s is not built: run make build first", program)
	}
	said, err := exec.Command(path, withHelp(args, min(verb, len(args)))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %s", err, said)
	}
	return nil
}

// withHelp puts --help behind the flags: words that are neither flags nor their
// values would end them.
func withHelp(args []string, verb int) []string {
	last := len(args)
	isFlag := func(at int) bool { return at >= verb && strings.HasPrefix(args[at], "-") }
	for last > verb && !isFlag(last-1) && !isFlag(last-2) {
		last--
	}
	return append(slices.Clone(args[:last]), "--help")
}

// checkGo finds the packages, and the tests that -run and -bench name.
func checkGo(folder string, args []string) error {
	patterns := map[string]string{}
	for i := 1; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-run" || arg == "-bench":
			kind := map[string]string{"-run": "Test", "-bench": "Benchmark"}[arg]
			if i++; args[i] != "^$" && args[i] != "." {
				patterns[kind] = args[i]
			}
		case strings.HasPrefix(arg, "./"):
			path := strings.TrimSuffix(filepath.Join(root, folder, arg), "/...")
			if about, err := os.Stat(path); err != nil || !about.IsDir() {
				return fmt.Errorf("there is no package %s in %s", arg, folder)
			}
			if args[0] == "run" && strings.HasSuffix(path, "simulator") {
				return checkHelp("simulator", args[i+1:])
			}
			for kind, pattern := range patterns {
				if err := checkTest(path, kind, pattern); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func checkTest(folder, kind, pattern string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return err
	}
	want := regexp.MustCompile(`(?m)^func ` + kind + `\w*` + pattern)
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && want.Match(text) {
			return nil
		}
	}
	return fmt.Errorf("%s has no %s that %q would run", folder, kind, pattern)
}

// tools are the commands of others that people are told, each with the flags
// that it may be given here, and those that it must (!). They are those of the
// tools' references.
var tools = map[string]string{
	"gcloud auth login": "", "gcloud auth application-default login": "", "gcloud config": "", "gcloud config set project": "",
	"gcloud projects create": "", "gcloud billing projects link": "--billing-account", "gcloud services enable": "--project",
	"gcloud secrets create": "--data-file --project", "gcloud secrets versions add": "--data-file --project",
	"gcloud secrets versions access": "--secret --project", "gcloud run services describe": "--region --project",
	"gcloud functions logs read": "--gen2 --min-log-level --region --project --limit", "gcloud functions call": "--gen2 --region --data --project", "gcloud functions deploy": "--gen2 --region --runtime --entry-point --trigger-http --source --build-service-account",
	"gcloud run worker-pools logs read": "--region --project --limit", "gcloud run worker-pools describe": "--region --project",
	"gcloud run worker-pools update":                     "--image --instances --region --update-labels --project",
	"gcloud run worker-pools add-iam-policy-binding":     "--region --role --member --project",
	"gcloud iam service-accounts add-iam-policy-binding": "--role --member --project",
	"gcloud run services proxy":                          "--port --region --project",
	"gcloud run services update":                         "--region --update-labels --project",
	"gcloud scheduler jobs describe":                     "--location --project", "gcloud scheduler jobs pause": "--location --project", "gcloud scheduler jobs resume": "--location --project",
	"gcloud beta logging tail":           "--project",
	"gcloud logging read":                "--freshness --limit --project",
	"gcloud pubsub subscriptions create": "--topic --message-filter --project",
	"gcloud storage cp":                  "", "gcloud storage ls": "--all-versions", "gcloud builds submit": "--config --substitutions --region --project --service-account --gcs-source-staging-dir --quiet --suppress-logs --no-source --default-buckets-behavior",
	"bq query": "--nouse_legacy_sql --parameter --dry_run --dataset_id", "bq rm": "-t",
	"terraform init": "-upgrade -backend -input", "terraform apply": "-target -var", "terraform destroy": "", "terraform output": "-json", "terraform test": "",
	"terraform plan": "", "terraform state rm": "", "terraform validate": "", "terraform import": "",
	"kafka-consumer-groups": "--reset-offsets --group --topic --all-topics --to-offset --to-earliest --to-datetime --execute --bootstrap-server! --command-config",
}

func checkTool(call []string) error {
	for words := len(call); words > 0; words-- {
		flags, known := tools[strings.Join(call[:words], " ")]
		if !known {
			continue
		}
		for _, flag := range strings.Fields(flags) {
			if name, must := strings.CutSuffix(flag, "!"); must && !slices.Contains(call, name) {
				return fmt.Errorf("%s needs %s", strings.Join(call[:words], " "), name)
			}
		}
		for _, arg := range call[words:] {
			name, _, _ := strings.Cut(arg, "=")
			if strings.HasPrefix(arg, "-") && !slices.Contains(strings.Fields(strings.ReplaceAll(flags, "!", "")), name) {
				return fmt.Errorf("%s is not known to have %s", strings.Join(call[:words], " "), name)
			}
			if address, of := strings.CutPrefix(arg, "-target="); of {
				arg = address
			}
			if err := checkNamed(call[0], call[1], arg); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s is not known: look it up in the tool's reference and add it to this test", strings.Join(call[:min(4, len(call))], " "))
}

// checkNamed finds the modules and outputs of Terraform that are named.
func checkNamed(program, verb, name string) error {
	if program != "terraform" || strings.HasPrefix(name, "-") {
		return nil
	}
	kind, file := "output", "outputs.tf"
	if module, is := strings.CutPrefix(name, "module."); is {
		kind, file, name = "module", "main.tf", module
	} else if verb != "output" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(root, "terraform", file))
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), fmt.Sprintf("%s %q {", kind, name)) {
		return fmt.Errorf("Terraform has no %s %s", kind, name)
	}
	return nil
}
