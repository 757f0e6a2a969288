package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/dbt/artifact"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/program"
)

// dbtCommands are the words after "stationflow dbt", as dbt has them.
var dbtCommands = []struct {
	name, summary string
	run           func(context.Context, *dbtCall) error
}{
	{"run", "build the selected models and publish them", func(ctx context.Context, c *dbtCall) error {
		return c.build(ctx, run.Options{NoTests: true, Types: []string{project.TypeModel}})
	}},
	{"seed", "load the selected seeds", func(ctx context.Context, c *dbtCall) error {
		return c.build(ctx, run.Options{NoTests: true, Types: []string{project.TypeSeed}})
	}},
	{"test", "test what is published", func(ctx context.Context, c *dbtCall) error { return c.build(ctx, run.Options{NoModels: true}) }},
	{"build", "build, test, and publish what passed", func(ctx context.Context, c *dbtCall) error { return c.build(ctx, run.Options{}) }},
	{"compile", "write the SQL of models and tests below target/compiled", compileDbt},
	{"ls", "list what is selected", listDbt},
	{"parse", "read the project, say what is wrong in it, and write target/manifest.json", parseOnlyDbt},
	{"deps", "install the local packages that the project names", depsDbt},
	{"source freshness", "say how old the newest rows of the sources are", freshnessDbt},
}

// dbtVerbs are the first words of the commands.
func dbtVerbs() (verbs []string) {
	for _, command := range dbtCommands {
		verbs = append(verbs, strings.Fields(command.name)[0])
	}
	return verbs
}

const dbtExamples = `Examples:
  stationflow dbt build
  stationflow dbt run --select +train_dashboard --dry-run
  stationflow dbt test --json | jq -r '.tests[] | select(.status != "pass") | .message'
`

// A dbtCall is one dbt command with its flags.
type dbtCall struct {
	streams          Streams
	config           transform.Config
	selected         []string
	excluded         []string
	fullRefresh, dry bool
	asJSON           bool
	output, target   string
	folder           string // of the project; "" for the one built in
}

// runDbt runs the dbt project's own commands natively.
func runDbt(ctx context.Context, args []string, streams Streams) error {
	if len(args) == 0 {
		return program.Mistakef("say which command: stationflow dbt --help lists them")
	}
	if isHelp(args[0]) {
		fmt.Fprint(streams.Out, "usage: stationflow dbt COMMAND [FLAGS]\n\n")
		for _, command := range dbtCommands {
			fmt.Fprintf(streams.Out, "  %-17s %s\n", command.name, command.summary)
		}
		fmt.Fprint(streams.Out, "\n", dbtExamples, "\nstationflow dbt COMMAND --help lists the command's flags.\n")
		return flag.ErrHelp
	}
	for _, command := range dbtCommands {
		words := strings.Fields(command.name)
		if len(args) < len(words) || strings.Join(args[:len(words)], " ") != command.name {
			continue
		}
		call, err := parseDbt(command.name, command.summary, args[len(words):], streams)
		if err != nil {
			return err
		}
		return command.run(ctx, call)
	}
	return program.Mistakef("there is no command %q: stationflow dbt --help lists them", args[0])
}

// texts is a flag that may be given more than once.
type texts []string

func (t *texts) String() string         { return strings.Join(*t, " ") }
func (t *texts) Set(value string) error { *t = append(*t, value); return nil }

func parseDbt(name, summary string, args []string, streams Streams) (*dbtCall, error) {
	call := &dbtCall{streams: streams}
	flags := flag.NewFlagSet("stationflow dbt "+name, flag.ContinueOnError)
	var selected, excluded texts
	flags.Var(&selected, "select", "`SELECTORS` of what to work on: name, +name+, tag:x, path:x, source:x, test_type:x; a space means or, a comma and")
	flags.Var(&selected, "s", "the same as --select `SELECTORS`")
	flags.Var(&excluded, "exclude", "`SELECTORS` of what to leave out")
	switch name {
	case "run", "seed", "build", "compile":
		flags.BoolVar(&call.fullRefresh, "full-refresh", false, "make every selected table again from what staging retains")
	}
	switch name {
	case "run", "seed", "build", "test":
		flags.BoolVar(&call.dry, "dry-run", false, "only ask the warehouse what each statement would read")
	}
	if name == "ls" {
		flags.StringVar(&call.output, "output", "selector", "`FORMAT` of each line: selector, name, path or json")
	}
	flags.StringVar(&call.target, "target-path", "target", "`FOLDER` for what the command writes: compiled SQL, manifest.json, run_results.json, sources.json")
	flags.BoolVar(&call.asJSON, "json", false, "print JSON")
	vars := flags.String("vars", "", "`YAML` that overrides variables of the project, such as '{timezone: Europe/Paris}'")
	threads := flags.Int("threads", 0, "`N` models and tests at a time; 0 for TRANSFORM_THREADS")
	state := flags.String("state", "", "`FOLDER` with the manifest.json that state:modified compares with")
	folder := flags.String("project-dir", "", "`FOLDER` of the dbt project; the one built in when not given")
	help := fmt.Sprintf("usage: stationflow dbt %s [FLAGS]\n\n%s\n\n%s\n", name, summary, dbtExamples)
	if err := call.streams.parse(flags, gathered(args), help); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	if call.selected, call.excluded = selected, excluded; call.asJSON && name == "ls" {
		call.output = "json"
	}
	var err error
	getenv := call.streams.Getenv
	if slices.Contains([]string{"ls", "parse", "compile", "deps"}, name) {
		getenv = offline(getenv)
	}
	if call.config, err = transform.FromEnv(getenv); err != nil {
		return nil, call.streams.advise(err)
	}
	call.config.Log = slog.New(slog.NewTextHandler(streams.Err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime}))
	if call.config.Vars, err = project.ParseVars(*vars); err != nil {
		return nil, program.Mistakef("--vars %q is not YAML with names and values: %w", *vars, err)
	}
	if *state != "" {
		if call.config.State, err = os.ReadFile(filepath.Join(*state, artifact.ManifestName)); err != nil {
			return nil, program.Mistakef("--state: %w: write one there by stationflow dbt parse --target-path %s", err, *state)
		}
	}
	if *threads > 0 {
		call.config.Threads = *threads
	}
	if call.folder = *folder; *folder != "" {
		call.config.Files = os.DirFS(*folder)
	} else if near := projectNear(); near != "" {
		fmt.Fprintf(streams.Err, "the dbt project that is built into this program; --project-dir %s is the one in this folder\n", near)
	}
	return call, nil
}

// projectNear is where a dbt project is that a person may mean who names none;
// "" where there is none.
func projectNear() string {
	for _, folder := range []string{".", "dbt"} {
		if _, err := os.Stat(filepath.Join(folder, "dbt_project.yml")); err == nil {
			return folder
		}
	}
	return ""
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// gathered joins the words after --select and --exclude, which dbt takes
// without quotes.
func gathered(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		out = append(out, args[i])
		switch args[i] {
		case "--select", "-select", "-s", "--exclude", "-exclude":
			var words []string
			for i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
				words = append(words, args[i])
			}
			if len(words) > 0 {
				out = append(out, strings.Join(words, " "))
			}
		}
	}
	return out
}

func (c *dbtCall) options(of run.Options) run.Options {
	of.Select, of.Exclude, of.FullRefresh, of.Always = c.selected, c.excluded, c.fullRefresh, true
	of.Until, of.Waiting = time.Now().Add(c.config.Wait), waiting(c.streams.Err)
	return of
}

func (c *dbtCall) build(ctx context.Context, options run.Options) error {
	runner, err := newRunner(ctx, c.config.Config, c.streams)
	if err != nil {
		return err
	}
	defer runner.Close()
	if c.dry {
		estimates, err := runner.DryRun(ctx, c.options(options))
		if c.asJSON {
			return errors.Join(err, printJSON(c.streams.Out, map[string]any{"estimates": estimates}))
		}
		for _, estimate := range estimates {
			fmt.Fprintf(c.streams.Out, "%12d bytes  %s\n", estimate.Bytes, estimate.Name)
		}
		return err
	}
	var report *run.Report
	err = c.streams.during("working", func() (err error) {
		report, err = runner.Run(ctx, c.options(options))
		return err
	})
	if err == nil {
		err = tellReport(&c.streams, report, c.asJSON)
	}
	if err != nil {
		return err
	}
	for name, content := range report.Artifacts(runner.Project()) {
		if err := c.write(name, content); err != nil {
			return err
		}
	}
	if !report.OK() {
		return errors.New("the run failed")
	}
	return nil
}

func (c *dbtCall) write(name string, content []byte) (err error) {
	if name == artifact.ManifestName {
		if content, err = withInstalled(content, c.streams.Getenv); err != nil {
			return err
		}
	}
	file := filepath.Join(c.target, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

// offline is an environment for what needs no warehouse: it has a project.
func offline(getenv func(string) string) func(string) string {
	return func(name string) string {
		if value := getenv(name); value != "" || name != "GOOGLE_CLOUD_PROJECT" {
			return value
		}
		return noProject
	}
}

// noProject stands for a Google Cloud project where none is given.
const noProject = "no-project"

func compileDbt(ctx context.Context, c *dbtCall) error {
	loaded, compiled, err := c.compile(ctx)
	if errors.Is(err, project.ErrNeedsWarehouse) {
		return fmt.Errorf("%w: set GOOGLE_CLOUD_PROJECT, and BIGQUERY_EMULATOR_HOST for the local system", err)
	}
	if err != nil {
		return err
	}
	byID := map[string]string{}
	for _, one := range compiled {
		byID[one.ID] = one.SQL
		if err := c.write("compiled/"+one.Path, []byte(one.SQL)); err != nil {
			return err
		}
	}
	if err := c.writeManifest(loaded, byID); err != nil {
		return err
	}
	if c.asJSON {
		return printJSON(c.streams.Out, map[string]any{"compiled": len(compiled), "folder": filepath.Join(c.target, "compiled")})
	}
	fmt.Fprintf(c.streams.Out, "compiled %d models and tests to %s\n", len(compiled), filepath.Join(c.target, "compiled"))
	return nil
}

// compile asks the warehouse which tables are there, where one answers.
func (c *dbtCall) compile(ctx context.Context) (*project.Project, []run.Compiled, error) {
	reason := errors.New("GOOGLE_CLOUD_PROJECT is not set")
	if c.config.Warehouse.Project != noProject {
		reason = reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST")
	}
	if reason == nil {
		runner, err := run.New(ctx, c.config.Config)
		if err != nil {
			return nil, nil, err
		}
		defer runner.Close()
		compiled, err := runner.Compile(ctx, c.options(run.Options{}))
		if !errors.Is(err, run.ErrNoWarehouse) {
			return runner.Project(), compiled, err
		}
		reason = err
	}
	loaded, err := c.config.Load()
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(c.streams.Err, "compiling without a warehouse, incremental models as on a first run: %v\n", reason)
	compiled, err := run.CompileOffline(loaded, c.options(run.Options{}))
	return loaded, compiled, err
}

func (c *dbtCall) writeManifest(loaded *project.Project, compiled map[string]string) error {
	now := time.Now()
	return c.write(artifact.ManifestName, artifact.Manifest(loaded, compiled, now.UTC().Format(time.RFC3339Nano), now))
}

func parseOnlyDbt(_ context.Context, c *dbtCall) error {
	loaded, err := c.config.Load()
	if err != nil {
		return err
	}
	if err := c.writeManifest(loaded, nil); err != nil {
		return err
	}
	if c.asJSON {
		return printJSON(c.streams.Out, map[string]any{"models": len(loaded.Models), "tests": len(loaded.Tests), "sources": len(loaded.Sources),
			"manifest": filepath.Join(c.target, artifact.ManifestName)})
	}
	fmt.Fprintf(c.streams.Out, "%d models, %d tests and %d sources are as they should be\n", len(loaded.Models), len(loaded.Tests), len(loaded.Sources))
	return nil
}

func listDbt(_ context.Context, c *dbtCall) error {
	loaded, err := c.config.Load()
	if err != nil {
		return err
	}
	selected, err := loaded.Select(c.selected, c.excluded)
	if err != nil {
		return err
	}
	for _, resource := range loaded.Resources() {
		if !selected[resource.ID] {
			continue
		}
		line, err := listed(loaded, resource, c.output)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.streams.Out, line)
	}
	return nil
}

func listed(p *project.Project, resource *project.Resource, output string) (string, error) {
	switch output {
	case "name":
		return resource.Name, nil
	case "path":
		return resource.Within(), nil
	case "selector":
		if source := p.Source(resource.ID); source != nil {
			return "source:" + source.Package + "." + source.SourceName + "." + source.Name, nil
		}
		return strings.Join(resource.FQN, "."), nil
	case "json":
		fields := map[string]any{
			"name": resource.Name, "resource_type": resource.Type, "package_name": resource.Package, "original_file_path": resource.Within(),
			"unique_id": resource.ID, "tags": append([]string{}, resource.Tags...), "depends_on": map[string]any{"nodes": append([]string{}, resource.Reads...)},
		}
		if model := p.Model(resource.Name); model != nil && model.ID == resource.ID {
			fields["config"] = map[string]any{"materialized": model.Config.Materialized}
			fields["alias"] = model.Table()
		}
		line, err := json.Marshal(fields)
		return string(line), err
	}
	return "", program.Mistakef("--output is %q: it is selector, name, path or json", output)
}
