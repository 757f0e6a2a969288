package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2/google"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/registry"
)

const doctorHelp = `usage: stationflow doctor [FLAGS]

Says, one line each, whether what the project needs is on this machine and
answers, and what to do where it does not: Go, git and make, the ports of the
local system, Terraform, gcloud, Google's credentials, and the broker, schema
registry and warehouse that this shell's variables, or the local system, name.
It ends with 1 when something is missing that is needed. What only a deployment
needs counts with --cloud.

Examples:
  stationflow doctor
  stationflow doctor --cloud
  stationflow doctor --json | jq -r '.checks[] | select(.state == "missing") | .remedy'

`

// The oldest versions that work, as go.mod and terraform/versions.tf have them.
const (
	leastGo        = "1.26"
	leastTerraform = "1.9"
)

// localPorts are those that the local system takes, from the first on.
const (
	firstPort  = 8080
	localPorts = 10
)

// A finding is what was found out of one thing, as --json prints it; fields may
// be added.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // ok, missing, or unneeded for what is missing and not needed
	Said   string `json:"said"`
	Remedy string `json:"remedy"` // "" for what is well
}

// errUnfit is what doctor ends with when something is missing that is needed.
var errUnfit = errors.New("something is missing")

// A doctor looks at this machine.
type doctor struct {
	streams Streams
	look    func(name string) (string, error)                         // exec.LookPath
	ask     func(ctx context.Context, argv ...string) (string, error) // runs a program
	cloud   bool
	found   []finding
}

func runDoctor(ctx context.Context, args []string, streams Streams) error {
	d := doctor{streams: streams, look: exec.LookPath, ask: output}
	return d.run(ctx, args)
}

func (d *doctor) run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("stationflow doctor", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := d.streams.parse(flags, args, doctorHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return program.Mistakef("unexpected argument %q: the command takes flags only", flags.Arg(0))
	}
	d.cloud = flags.Lookup("cloud").Value.String() == "true"
	checks := []func(context.Context){d.golang, d.tools, d.ports, d.terraform, d.gcloud, d.credentials, d.broker, d.registry, d.warehouse}
	err := d.streams.during("looking", func() error {
		for _, check := range checks {
			check(ctx)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	missing := 0
	for _, f := range d.found {
		if f.State == "missing" {
			missing++
		}
		if !*asJSON {
			fmt.Fprintf(d.streams.Out, "%-9s %-12s %s\n", f.State, f.What, oneLine(strings.TrimSuffix(f.Said+": "+f.Remedy, ": ")))
		}
	}
	if *asJSON {
		err = printJSON(d.streams.Out, map[string]any{"checks": d.found})
	}
	if err == nil && missing > 0 {
		err = fmt.Errorf("%w: %s", errUnfit, counted(missing, "thing"))
	}
	return err
}

func (d *doctor) ok(what, format string, args ...any) {
	d.found = append(d.found, finding{What: what, State: "ok", Said: fmt.Sprintf(format, args...)})
}

// lacks notes what is missing, or not needed here.
func (d *doctor) lacks(what string, needed bool, remedy, format string, args ...any) {
	state := "unneeded"
	if needed {
		state = "missing"
	}
	d.found = append(d.found, finding{what, state, fmt.Sprintf(format, args...), remedy})
}

// output runs a program for some seconds and returns what it wrote.
func output(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	return strings.TrimSpace(string(out)), err
}

var version3 = regexp.MustCompile(`(\d+)\.(\d+)(\.\d+)?`)

// older reports whether a version is before the least one, by its first two
// numbers.
func older(version, least string) bool {
	number := func(text string) int {
		found := version3.FindStringSubmatch(text)
		if found == nil {
			return 0
		}
		major, _ := strconv.Atoi(found[1]) // digits
		minor, _ := strconv.Atoi(found[2])
		return major*10_000 + minor
	}
	return number(version) < number(least)
}

func (d *doctor) golang(ctx context.Context) {
	remedy := "install Go " + leastGo + " or newer from https://go.dev/dl"
	said, err := d.ask(ctx, "go", "env", "GOVERSION")
	switch {
	case err != nil:
		d.lacks("Go", true, remedy, "there is none")
	case older(said, leastGo):
		d.lacks("Go", true, remedy, "%s is too old", said)
	default:
		d.ok("Go", "%s", said)
	}
}

func (d *doctor) tools(context.Context) {
	for _, name := range []string{"git", "make"} {
		if path, err := d.look(name); err != nil {
			d.lacks(name, true, "install it with the system's package manager", "it is not on the PATH")
		} else {
			d.ok(name, "%s", path)
		}
	}
}

func (d *doctor) ports(ctx context.Context) {
	if d.streams.system != nil {
		d.ok("ports", "taken by the local system at %s", d.streams.system.Page)
		return
	}
	var taken []string
	for port := firstPort; port < firstPort+localPorts; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			taken = append(taken, strconv.Itoa(port))
			continue
		}
		_ = listener.Close()
	}
	if len(taken) > 0 {
		d.lacks("ports", !d.cloud, "start the local system with --port 0, which takes free ones", "%s in use", strings.Join(taken, ", "))
		return
	}
	d.ok("ports", "%d to %d are free for the local system", firstPort, firstPort+localPorts-1)
}

func (d *doctor) terraform(ctx context.Context) {
	remedy := "to deploy, install " + leastTerraform + " or newer from https://developer.hashicorp.com/terraform/install"
	said, err := d.ask(ctx, "terraform", "version")
	said, _, _ = strings.Cut(said, "\n")
	switch {
	case err != nil:
		d.lacks("terraform", d.cloud, remedy, "there is none")
	case older(said, leastTerraform):
		d.lacks("terraform", d.cloud, remedy, "%s is too old", said)
	default:
		d.ok("terraform", "%s", said)
	}
}

func (d *doctor) gcloud(ctx context.Context) {
	if _, err := d.look("gcloud"); err != nil {
		d.lacks("gcloud", d.cloud, "to deploy, install it from https://cloud.google.com/sdk/docs/install", "there is none")
		return
	}
	account, err := d.ask(ctx, "gcloud", "config", "get-value", "account")
	if err != nil || account == "" || account == "(unset)" {
		d.lacks("gcloud", d.cloud, "log in with `gcloud auth login`", "nobody is logged in")
		return
	}
	d.ok("gcloud", "%s", account)
}

func (d *doctor) credentials(ctx context.Context) {
	found, err := google.FindDefaultCredentials(ctx, "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		d.lacks("credentials", d.cloud, "log in with `gcloud auth application-default login`", "there are none for Google's clients")
		return
	}
	said := "of Google's clients"
	if found.ProjectID != "" {
		said += ", project " + found.ProjectID
	}
	d.ok("credentials", "%s", said)
}

func (d *doctor) broker(ctx context.Context) {
	if d.streams.Getenv("KAFKA_BOOTSTRAP_SERVERS") == "" {
		d.lacks("broker", d.cloud, "set KAFKA_BOOTSTRAP_SERVERS, or start a local system with `stationflow up`", "none is named")
		return
	}
	config, err := read(&d.streams, kafka.FromEnv)
	if err == nil {
		err = kafka.Reach(ctx, config)
	}
	if said, remedy, wrong := sentence(err); wrong {
		d.lacks("broker", true, remedy, "%s", said)
		return
	}
	d.ok("broker", "answers at %s", strings.Join(config.Brokers, ", "))
}

// sentence takes a sentence apart whose remedy stands behind a colon.
func sentence(err error) (said, remedy string, wrong bool) {
	if err == nil {
		return "", "", false
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	at := strings.LastIndex(text, ": ")
	if at < 0 {
		return text, "see docs/settings.md", true
	}
	return text[:at], text[at+2:], true
}

func (d *doctor) registry(ctx context.Context) {
	r := env.NewReader(d.streams.Getenv)
	config := registry.FromEnv(r)
	err := r.Err()
	if config == nil && err == nil {
		d.lacks("registry", false, "for Avro, Protobuf or JSON Schema set SCHEMA_REGISTRY_URL", "none is named: only JSON is read")
		return
	}
	if err == nil {
		err = askRegistry(ctx, *config)
	}
	if said, remedy, wrong := sentence(err); wrong {
		d.lacks("registry", true, remedy, "%s", said)
		return
	}
	d.ok("registry", "answers at %s", strings.Join(config.URLs, ", "))
}

// askRegistry asks for something that each has.
func askRegistry(ctx context.Context, config registry.Config) error {
	config.Timeout = 5 * time.Second
	api, err := registry.NewAPI(config)
	if err != nil {
		return err
	}
	if _, err := api.SupportedTypes(ctx); err != nil {
		return api.Explain(ctx, err, "what it can read")
	}
	return nil
}

func (d *doctor) warehouse(ctx context.Context) {
	if d.streams.Getenv("GOOGLE_CLOUD_PROJECT") == "" {
		d.lacks("warehouse", d.cloud, "set GOOGLE_CLOUD_PROJECT, or start a local system with `stationflow up`", "no project is named")
		return
	}
	config, err := read(&d.streams, bqconfig.FromEnv)
	if err == nil {
		err = reach(ctx, d.streams.Getenv, "BIGQUERY_EMULATOR_HOST")
	}
	if err == nil {
		err = askWarehouse(ctx, config)
	}
	if said, remedy, wrong := sentence(err); wrong {
		d.lacks("warehouse", true, remedy, "%s", said)
		return
	}
	d.ok("warehouse", "answers in project %s", config.Project)
}
