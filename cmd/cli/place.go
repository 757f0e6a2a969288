package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/running"
)

// emulators are the variables that only a shell has which works with a local
// system.
var emulators = []string{"BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"}

// cloudUsage is the flag that all commands have which work with a system.
const cloudUsage = "the project that this shell's variables name, although a local system runs"

// parse parses the flags of a command that works with a system, and finds the
// system: the local one that runs, unless --cloud says the project.
func (s *Streams) parse(flags *flag.FlagSet, args []string, help string) error {
	cloud, err := s.readFlags(flags, args, help)
	if err != nil {
		return err
	}
	return s.locate(cloud)
}

// readFlags is parse without looking for the system, for a command that first
// says what is wrong with its arguments.
func (s *Streams) readFlags(flags *flag.FlagSet, args []string, help string) (cloud bool, err error) {
	flags.BoolVar(&cloud, "cloud", false, cloudUsage)
	return cloud, program.Parse(flags, args, s.Out, help)
}

// locate has Getenv say where the system is. A shell that has read a local
// system's variables works with that one.
func (s *Streams) locate(cloud bool) error {
	for _, name := range emulators {
		if s.Getenv(name) == "" {
			continue
		}
		if cloud {
			return program.Mistakef("--cloud: this shell has read the variables of a local system (%s): use another shell, or unset them", name)
		}
		return s.recognize()
	}
	if cloud {
		return nil
	}
	found, err := running.Find(context.Background(), s.Running)
	if err != nil {
		return err
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return s.use(&found[0], false)
	}
	return several(found, "or add --cloud for the project that this shell names")
}

// several is what a command says that finds more than one system: which, and how
// to choose one.
func several(found []running.System, or string) error {
	var lines strings.Builder
	for _, one := range found {
		fmt.Fprintf(&lines, "\n  . %s  # %s, since %s", one.Variables, one.Page, one.Started.Local().Format(time.DateTime))
	}
	return program.Mistakef("%d local systems run: choose one by reading its variables into this shell with one of these lines, %s%s", len(found), or, lines.String())
}

// recognize finds the system whose variables the shell has read, if it runs on
// this machine. What the shell has not read of it is filled in; of another one
// that runs, it says which variable hides it.
func (s *Streams) recognize() error {
	found, err := running.Find(context.Background(), s.Running)
	if err != nil {
		return err
	}
	hides := ""
	for i := range found {
		other := s.differs(&found[i])
		if other == "" {
			return s.use(&found[i], true)
		}
		hides = cmp.Or(hides, other)
	}
	if len(found) > 0 {
		fmt.Fprintf(s.Err, "this shell's %s is not that of the local system at %s: unset it to work with that one\n", hides, found[0].Page)
	}
	return nil
}

// differs is the first variable of an emulator that the shell has and the system
// has otherwise; "" where there is none.
func (s *Streams) differs(from *running.System) string {
	for _, name := range emulators {
		if value := s.Getenv(name); value != "" && value != from.Variable(name) {
			return name
		}
	}
	return ""
}

// use has this process work with a system. What the shell has read of it stays
// as it is.
func (s *Streams) use(system *running.System, read bool) error {
	s.system = system
	shell := s.Getenv
	missing := func(name string) bool { return !read || shell(name) == "" }
	for _, variable := range system.Environment { // Google's clients look there
		name, value, _ := strings.Cut(variable, "=")
		if !missing(name) {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	s.Getenv = func(name string) string {
		if value := system.Variable(name); value != "" && missing(name) {
			return value
		}
		return shell(name)
	}
	if !read { // else the shell's owner knows
		fmt.Fprintf(s.Err, "local system at %s\n", system.Page)
	}
	return nil
}

// keep has a variable stay as the shell has it, although a local system that was
// found has another: where a person's own tables go is the person's to say. ""
// keeps nothing.
func (s *Streams) keep(name, value string) {
	before := s.Getenv
	if value == "" || before(name) == value {
		return
	}
	fmt.Fprintf(s.Err, "%s is %s, as this shell says\n", name, value)
	s.Getenv = func(of string) string {
		if of == name {
			return value
		}
		return before(of)
	}
}

// isLocal reports whether the command works with a local system.
func (s *Streams) isLocal() bool {
	return s.system != nil || s.Getenv(emulators[0]) != ""
}

// read returns what of reads from the environment; the error lists every fault.
func read[T any](s *Streams, of func(*env.Reader) T) (T, error) {
	r := env.NewReader(s.Getenv)
	config := of(r)
	return config, s.advise(r.Err())
}

// undecided makes a Mistake of every error of a command that says by 1 that
// something is not as it should be: 2 stands for what could not be found out.
func undecided(ctx context.Context, err error, found ...error) error {
	if err == nil || errors.Is(err, flag.ErrHelp) || ctx.Err() != nil {
		return err
	}
	for _, one := range found {
		if errors.Is(err, one) {
			return err
		}
	}
	return program.AsMistake(err)
}

// piped returns what was piped in; "" where nothing was.
func (s *Streams) piped() (string, error) {
	file, isFile := s.In.(*os.File)
	if s.In == nil || isFile && isTerminal(file) {
		return "", nil
	}
	text, err := io.ReadAll(s.In)
	if err != nil {
		return "", fmt.Errorf("reading the standard input: %w", err)
	}
	return string(text), nil
}
