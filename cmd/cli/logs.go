package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/running"
	"github.com/stationflow/stationflow/terraform"
)

const logsHelp = `usage: stationflow logs [FLAGS]
       stationflow logs --cloud [FLAGS] [PART]

Shows the log of the local system: the newest lines, and with -f what follows.
Of a project it prints the gcloud command that reads the log of each part, or of
one of bridge, ingest, transform, compact, scale, audit, alert and page; --run runs
it.

Examples:
  stationflow logs -f
  stationflow logs --level warn -n 100
  stationflow logs --json | jq 'select(.msg == "batch failed")'
  stationflow logs --cloud --run ingest

`

// A logsCall is one call of stationflow logs.
type logsCall struct {
	streams Streams
	follow  bool
	n       int
	level   slog.Level
	asJSON  bool
	run     bool
	region  string
	part    string
}

// parts are those of a project that write a log.
var parts = []string{"bridge", "ingest", "transform", "compact", "scale", "audit", "alert", "page", "replay"}

func runLogs(ctx context.Context, args []string, streams Streams) error {
	c := logsCall{streams: streams}
	if err := c.parse(args); err != nil {
		return err
	}
	if !c.streams.isLocal() {
		if gone := running.Crashed(c.streams.Running); gone != nil && c.streams.Getenv("GOOGLE_CLOUD_PROJECT") == "" {
			return program.Mistakef("no local system runs, and the last one has ended without a word: its log is %s", gone.Log)
		}
		return c.cloud(ctx)
	}
	if c.streams.system == nil {
		return program.Mistakef("the local system that this shell names does not run on this machine: its log is where it said when it was ready")
	}
	file, err := os.Open(c.streams.system.Log)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer file.Close()
	err = c.show(ctx, file)
	if c.follow && ctx.Err() != nil {
		return nil // that is how it ends
	}
	return err
}

func (c *logsCall) parse(args []string) error {
	flags := flag.NewFlagSet("stationflow logs", flag.ContinueOnError)
	flags.BoolVar(&c.follow, "f", false, "go on with what is written, until interrupted")
	flags.IntVar(&c.n, "n", 20, "begin with the newest `N` lines")
	c.level = slog.LevelDebug
	flags.Func("level", "only lines of this `LEVEL` or above: debug, info, warn or error; all when not given", func(text string) error {
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(text)) {
			return errors.New("it must be debug, info, warn or error")
		}
		return c.level.UnmarshalText([]byte(text))
	})
	flags.BoolVar(&c.asJSON, "json", false, "print the lines as they are written, each an object of JSON with time, level, msg and what belongs to the message; of a project, the commands")
	flags.BoolVar(&c.run, "run", false, "with --cloud: run the command for PART")
	flags.StringVar(&c.region, "region", "", "with --cloud: the `REGION`; gcloud's own setting when not given")
	if err := c.streams.parse(flags, args, logsHelp); err != nil {
		return err
	}
	c.part = flags.Arg(0)
	switch {
	case flags.NArg() > 1 || c.part != "" && !slices.Contains(parts, c.part):
		return program.Mistakef("%q is no part: name one of %s", flags.Arg(flags.NArg()-1), strings.Join(parts, ", "))
	case c.n < 0:
		return program.Mistakef("-n is %d: it must be 0 or more", c.n)
	case c.streams.isLocal() && (c.part != "" || c.run || c.region != ""):
		return program.Mistakef("the local system has one log for all parts: leave out %s, or add --cloud", c.ofCloud())
	case c.run && c.part == "":
		return program.Mistakef("--run needs a part: one of %s", strings.Join(parts, ", "))
	}
	return nil
}

// ofCloud is what was given that only a project's logs have.
func (c *logsCall) ofCloud() string {
	given := []string{}
	for what, is := range map[string]bool{c.part: c.part != "", "--run": c.run, "--region": c.region != ""} {
		if is {
			given = append(given, what)
		}
	}
	slices.Sort(given)
	return strings.Join(given, " and ")
}

// tailBytes is how far back lines are looked for.
const tailBytes = 4 << 20

// followEvery is how long a line may wait to be shown.
const followEvery = 200 * time.Millisecond

// show prints the newest lines, and follows.
func (c *logsCall) show(ctx context.Context, file *os.File) error {
	about, err := file.Stat()
	if err == nil {
		_, err = file.Seek(max(about.Size()-tailBytes, 0), io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	lines := bufio.NewReader(file)
	if about.Size() > tailBytes {
		_, _ = lines.ReadBytes('\n') // the rest of a line
	}
	var last [][]byte
	var open []byte // a line that is being written
	for {
		part, err := lines.ReadBytes('\n')
		open = append(open, part...)
		if err == nil {
			if line := bytes.TrimSpace(open); c.wants(line) {
				last = append(last, bytes.Clone(line))
				last = last[max(len(last)-c.n, 0):]
			}
			open = open[:0]
			continue
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the log: %w", err)
		}
		for _, line := range last {
			if err := c.print(line); err != nil {
				return err
			}
		}
		if last = last[:0]; !c.follow {
			return nil
		}
		c.n = max(c.n, tailBytes) // all that follow
		if err := pause.For(ctx, followEvery); err != nil {
			return err
		}
	}
}

// A logLine is what all lines have.
type logLine struct {
	Time  time.Time  `json:"time"`
	Level slog.Level `json:"level"`
	Msg   string     `json:"msg"`
}

func (c *logsCall) wants(line []byte) bool {
	var of logLine
	return len(line) > 0 && (json.Unmarshal(line, &of) != nil || of.Level >= c.level)
}

// print writes a line for a person: when, how bad, what, and the rest as
// name=value.
func (c *logsCall) print(line []byte) error {
	if c.asJSON {
		_, err := fmt.Fprintf(c.streams.Out, "%s\n", line)
		return err
	}
	var of logLine
	if json.Unmarshal(line, &of) != nil {
		_, err := fmt.Fprintln(c.streams.Out, oneLine(string(line)))
		return err
	}
	text := of.Time.Format("15:04:05.000 ") + fmt.Sprintf("%-5s ", of.Level) + of.Msg
	decoder := json.NewDecoder(bytes.NewReader(line))
	_, _ = decoder.Token() // the brace
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			break
		}
		switch name {
		case "time", "level", "msg":
			continue
		}
		said := string(value)
		var plain string
		if json.Unmarshal(value, &plain) == nil && plain != "" && !strings.ContainsAny(plain, " =\"\n\t") {
			said = plain
		}
		text += fmt.Sprintf("  %v=%s", name, said)
	}
	_, err := fmt.Fprintln(c.streams.Out, oneLine(text))
	return err
}

// cloud prints, or runs, what reads the log of a project.
func (c *logsCall) cloud(ctx context.Context) error {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return err
	}
	project := c.streams.Getenv("GOOGLE_CLOUD_PROJECT")
	commands := map[string]string{}
	for _, part := range parts {
		if c.part == "" || c.part == part {
			commands[part] = strings.Join(c.gcloud(part, project, deployment.BridgePool), " ")
		}
	}
	switch {
	case c.run:
		return c.gcloudRuns(ctx, c.gcloud(c.part, project, deployment.BridgePool))
	case c.asJSON:
		return printJSON(c.streams.Out, map[string]any{"commands": commands})
	}
	for _, part := range parts {
		if commands[part] != "" {
			fmt.Fprintln(c.streams.Out, commands[part])
		}
	}
	return nil
}

// gcloud is the command for a part; without a project or region gcloud takes
// its own.
func (c *logsCall) gcloud(part, project, pool string) []string {
	words := []string{"gcloud", "functions", "logs", "read", part, "--gen2"}
	if part == "bridge" {
		words = []string{"gcloud", "run", "worker-pools", "logs", "read", pool}
	}
	if c.follow {
		filter := "resource.labels.service_name=" + part
		if part == "bridge" {
			filter = "resource.labels.worker_pool_name=" + pool
		}
		words = []string{"gcloud", "beta", "logging", "tail", filter}
	} else {
		words = append(words, fmt.Sprintf("--limit=%d", max(c.n, 1)))
	}
	if c.level > slog.LevelDebug {
		switch severity := strings.ReplaceAll(c.level.String(), "WARN", "WARNING"); {
		case c.follow:
			words[4] = "'" + words[4] + " AND severity>=" + severity + "'"
		case part != "bridge":
			words = append(words, "--min-log-level="+severity)
		}
	}
	if c.region != "" && !c.follow {
		words = append(words, "--region="+c.region)
	}
	if project != "" {
		words = append(words, "--project="+project)
	}
	return words
}

func (c *logsCall) gcloudRuns(ctx context.Context, words []string) error {
	for i := range words {
		words[i] = strings.Trim(words[i], "'")
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return program.Mistakef("gcloud is not on this machine; the command is\n%s\nto see where to get gcloud: stationflow doctor", strings.Join(words, " "))
	}
	command := exec.CommandContext(ctx, path, words[1:]...)
	command.Stdin, command.Stdout, command.Stderr = c.streams.In, c.streams.Out, c.streams.Err
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	return nil
}
