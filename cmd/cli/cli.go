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
)

// A Command is one word of the tool.
type Command struct {
	Name    string
	Summary string // one line, for the list of commands
	Run     func(ctx context.Context, args []string, streams Streams) error
}

// Streams are what a command reads from and writes to.
type Streams struct {
	Getenv func(string) string
	Out    io.Writer // results, and help that was asked for
	Err    io.Writer // progress and faults
}

// Main runs the command that args name and returns the process's exit code: 0
// for success and for help, 2 for a mistake in how it was called, 130 when it
// was interrupted, 1 for every other failure, each with its sentence on
// streams.Err.
func Main(ctx context.Context, args []string, streams Streams, commands []Command) int {
	if len(args) == 0 {
		usage(streams.Err, commands)
		return 2
	}
	if isHelp(args[0]) {
		usage(streams.Out, commands)
		return 0
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
	fmt.Fprint(out, "usage: stationflow COMMAND [FLAGS]\n\n")
	for _, command := range commands {
		fmt.Fprintf(out, "  %-12s %s\n", command.Name, command.Summary)
	}
	fmt.Fprint(out, "\nstationflow COMMAND --help lists the command's flags.\n")
}
