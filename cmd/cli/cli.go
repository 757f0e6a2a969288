// Package cli is the frame of the stationflow command-line tool, which is
// built twice: from the root module with the commands that work against a
// real project, and from local/ with the local system besides.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/running"
)

// A Command is one word of the tool.
type Command struct {
	Name    string
	Summary string   // one line, for the list of commands
	Group   string   // under which it is listed: one of Groups
	Verbs   []string // the words that may follow its name
	Run     func(ctx context.Context, args []string, streams Streams) error
}

// The groups of commands, in the order of the list.
const (
	ToStart  = "start a system here"
	ToSee    = "see how it does"
	ToRepair = "repair"
	ToWork   = "work on it"
)

// Groups are all groups.
var Groups = []string{ToStart, ToSee, ToRepair, ToWork}

// Streams are what a command reads from and writes to.
type Streams struct {
	Getenv  func(string) string
	In      io.Reader // nil for nothing
	Out     io.Writer // results, and help that was asked for
	Err     io.Writer // progress and faults
	Running string    // the folder in which local systems say where they are; "" looks for none

	system   *running.System // the local one that the command works with; nil for another
	commands []Command       // all that there are
}

// ExitCodes are what a process of the tool may end with, and what each means.
var ExitCodes = []struct {
	Code    int
	Meaning string
}{
	{0, "done, and nothing is wrong; help that was asked for"},
	{1, "it failed; verify, trace, status and doctor: something is not as it should be"},
	{2, "called in a way that cannot be meant; verify, trace and status: it could not be found out"},
	{interrupted, "interrupted"},
}

// Main runs the command that args name and returns the process's exit code, one
// of ExitCodes. A failure has its sentence on streams.Err.
func Main(ctx context.Context, args []string, streams Streams, commands []Command) int {
	streams.Err, streams.commands = &shared{out: streams.Err}, commands
	if len(args) == 0 {
		usage(streams.Err, commands)
		return 2
	}
	if isHelp(args[0]) && (len(args) == 1 || isHelp(args[1])) {
		usage(streams.Out, commands)
		return 0
	}
	if isHelp(args[0]) {
		args = append(append([]string{}, args[1:]...), "--help")
	}
	for _, command := range commands {
		if command.Name == args[0] {
			err := command.Run(ctx, args[1:], streams)
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				err = interruption{err}
			}
			return exit(command.Name, err, streams.Err)
		}
	}
	fmt.Fprintf(streams.Err, "stationflow: there is no command %q: stationflow --help lists them\n", args[0])
	return 2
}

func isHelp(word string) bool {
	return word == "help" || word == "--help" || word == "-help" || word == "-h"
}

// interrupted is the exit code after SIGINT, as shells have it.
const interrupted = 130

// An interruption is what a command that was told to stop ended with.
type interruption struct{ error }

// Error says so in one word where there is nothing to add.
func (i interruption) Error() string {
	if text := i.error.Error(); text != context.Canceled.Error() {
		return text
	}
	return run.ErrInterrupted.Error()
}

func exit(command string, err error, out io.Writer) int {
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(out, "stationflow %s: %v\n", command, err)
	}
	var stopped interruption
	if errors.As(err, &stopped) || errors.Is(err, run.ErrInterrupted) {
		return interrupted
	}
	return program.ExitCode(err)
}

func usage(out io.Writer, commands []Command) {
	fmt.Fprint(out, "usage: stationflow COMMAND [FLAGS]\n")
	for _, group := range Groups {
		fmt.Fprintf(out, "\n%s\n", group)
		for _, command := range commands {
			if command.Group == group {
				fmt.Fprintf(out, "  %-12s %s\n", command.Name, command.Summary)
			}
		}
	}
	fmt.Fprint(out, "\nstationflow COMMAND --help has examples and flags. Commands work with the local\n"+
		"system that runs on this machine, if one does; with --cloud, or where none runs,\n"+
		"with the project that the variables of the shell name.\n\nexit codes\n")
	for _, one := range ExitCodes {
		fmt.Fprint(out, broken(fmt.Sprintf("  %-4d ", one.Code), one.Meaning, usualWidth-1))
	}
}
