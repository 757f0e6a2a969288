package cli

import (
	"cmp"
	"context"
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
	{"snapshot", "add to the selected snapshots what has changed", func(ctx context.Context, c *dbtCall) error {
		return c.build(ctx, run.Options{NoTests: true, Types: []string{project.TypeSnapshot}})
	}},
	{"test", "test what is published", func(ctx context.Context, c *dbtCall) error {
		return c.build(ctx, c.types.narrow(run.Options{NoModels: true}))
	}},
	{"build", "build, test, and publish what passed", func(ctx context.Context, c *dbtCall) error {
		return c.build(ctx, c.types.narrow(run.Options{}))
	}},
	{"compile", "write the SQL of models and tests below target/compiled", compileDbt},
	{"show", "print rows of a model, or of a query", showDbt},
	{"ls", "list what is selected", listDbt},
	{"list", "the same as ls", listDbt},
	{"parse", "read the project, say what is wrong in it, and write target/manifest.json", parseOnlyDbt},
	{"debug", "say whether the project can be read and the warehouse answers", debugDbt},
	{"docs generate", "write target/manifest.json and target/catalog.json, for dbt's documentation site", docsDbt},
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
	isShared         bool   // the dataset is the one in which the function publishes
	inline           string // query of show
	limit            int    // rows of show; below 0 all
	keys             []string
	noCompile, empty bool // of docs generate
	deferred         map[string]string
	favorState       bool
	types            typesAsked
	unitTested       bool // unit tests are run
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
	case "run", "seed", "snapshot", "build", "test":
		flags.BoolVar(&call.dry, "dry-run", false, "only ask the warehouse what each statement would read")
	}
	hasTypes := slices.Contains([]string{"build", "test", "ls", "list"}, name)
	if hasTypes {
		call.types.define(flags)
	}
	var keys texts
	switch name {
	case "ls", "list":
		flags.StringVar(&call.output, "output", "selector", "`FORMAT` of each line: selector, name, path or json")
		flags.Var(&keys, "output-keys", "`KEYS` of the manifest's entries that json has, such as name or config.materialized")
	case "docs generate":
		flags.BoolVar(&call.noCompile, "no-compile", false, "leave manifest.json as it is")
		flags.BoolVar(&call.empty, "empty-catalog", false, "write a catalog without tables, and ask for none")
	case "show":
		flags.StringVar(&call.output, "output", "text", "`FORMAT` of the rows: text or json")
		flags.StringVar(&call.inline, "inline", "", "`SQL` with Jinja to show the rows of")
		flags.IntVar(&call.limit, "limit", 5, "the most rows, `N`; -1 for all")
	}
	flags.StringVar(&call.target, "target-path", "target", "`FOLDER` for what the command writes: compiled SQL, manifest.json, run_results.json, sources.json")
	flags.BoolVar(&call.asJSON, "json", false, "print JSON")
	vars := flags.String("vars", "", "`YAML` that overrides variables of the project, such as '{timezone: Europe/Paris}'")
	threads := flags.Int("threads", 0, "`N` models and tests at a time; 0 for TRANSFORM_THREADS")
	state := flags.String("state", "", "`FOLDER` with the manifest.json that state:modified compares with")
	var isDeferred *bool
	deferState := new(string)
	if slices.Contains([]string{"run", "seed", "snapshot", "build", "test", "compile", "show", "docs generate"}, name) {
		isDeferred = flags.Bool("defer", false, "read what is neither selected nor there where the manifest of --state has it")
		flags.BoolVar(&call.favorState, "favor-state", false, "with --defer, read there all that is not selected")
		deferState = flags.String("defer-state", "", "`FOLDER` with the manifest.json of --defer; that of --state when not given")
	}
	folder := flags.String("project-dir", "", "`FOLDER` of the dbt project; when not given that of DBT_PROJECT_DIR, or the next one upwards with dbt_project.yml or with dbt/, or the one built in")
	help := fmt.Sprintf("usage: stationflow dbt %s [FLAGS]\n\n%s\n\n%s\n", name, summary, dbtExamples)
	chosen := streams.Getenv("PROD_DATASET")
	if err := call.streams.parse(flags, gathered(args), help); err != nil {
		return nil, err
	}
	call.streams.keep("PROD_DATASET", chosen)
	call.isShared = chosen == "" || call.streams.system != nil && chosen == call.streams.system.Variable("PROD_DATASET")
	if flags.NArg() > 0 {
		return nil, program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	if call.selected, call.excluded = selected, excluded; call.asJSON && call.output != "" {
		call.output = "json"
	}
	for _, words := range keys {
		call.keys = append(call.keys, strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == ',' })...)
	}
	var err error
	getenv := call.streams.Getenv
	if hasTypes {
		if err := call.types.settle(getenv); err != nil {
			return nil, err
		}
		call.unitTested = call.types.has(project.TypeUnitTest) && (name != "build" || call.types.has(project.TypeModel)) // with the model, by dbt-core
	}
	if slices.Contains([]string{"ls", "list", "parse", "compile", "deps"}, name) {
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
	if isDeferred != nil && *isDeferred {
		if call.deferred, err = deferredTo(cmp.Or(*deferState, *state)); err != nil {
			return nil, err
		}
	}
	if *threads > 0 {
		call.config.Threads = *threads
	}
	hasTarget := false
	flags.Visit(func(f *flag.Flag) { hasTarget = hasTarget || f.Name == "target-path" })
	return call, call.choose(*folder, hasTarget)
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// gathered joins the words after --select, --exclude and others, which dbt
// takes without quotes.
func gathered(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		out = append(out, args[i])
		switch args[i] {
		case "--select", "-select", "-s", "--exclude", "-exclude", "--output-keys", "-output-keys",
			"--resource-type", "--resource-types", "--exclude-resource-type", "--exclude-resource-types":
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
	of.Deferred, of.FavorState = c.deferred, c.favorState
	of.Compiled = filepath.Join(c.target, "compiled")
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
	if !options.NoModels {
		if err := c.makeDataset(ctx, runner); err != nil {
			return err
		}
	}
	if c.unitTested {
		if options.Check, err = c.unitTests(runner); err != nil {
			return err
		}
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
	for name, sql := range report.Compiled(runner.Project()) {
		if err := c.write("compiled/"+name, []byte(sql)); err != nil {
			return err
		}
	}
	if !report.OK() {
		return errors.New("the run failed")
	}
	return nil
}

// builtIn is the name of the project that is built into the program.
const builtIn = "stationflow"

// makeDataset makes the dataset of the models where it is missing. The function
// transform never does: the one that deploys it makes its dataset.
func (c *dbtCall) makeDataset(ctx context.Context, runner *run.Runner) error {
	if own := runner.Project().Name; c.isShared && own != builtIn {
		fmt.Fprintf(c.streams.Err, "dataset %s is where the function transform publishes: give the project %s one of its own by PROD_DATASET\n", c.config.Warehouse.ProdDataset, own)
	}
	location, made, err := runner.MakeDataset(ctx)
	if made && err == nil {
		fmt.Fprintf(c.streams.Err, "made dataset %s%s\n", c.config.Warehouse.ProdDataset, in(location))
	}
	return err
}

// in is where a dataset is, for a sentence: the local one is nowhere.
func in(location string) string {
	if location == "" {
		return ""
	}
	return " in " + location
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
