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
	Out    io.Writer // results
	Err    io.Writer // progress and faults
}

// Main runs the command that args name and returns the process's exit code: 0
// for success and for help, 2 where there is no such command, 1 for every
// other failure, each with its sentence on streams.Err.
func Main(ctx context.Context, args []string, streams Streams, commands []Command) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		usage(streams.Out, commands)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	for _, command := range commands {
		if command.Name != args[0] {
			continue
		}
		err := command.Run(ctx, args[1:], streams)
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		default:
			fmt.Fprintf(streams.Err, "stationflow %s: %v\n", command.Name, err)
			return 1
		}
	}
	fmt.Fprintf(streams.Err, "stationflow: there is no command %q\n\n", args[0])
	usage(streams.Err, commands)
	return 2
}

func usage(out io.Writer, commands []Command) {
	fmt.Fprint(out, "usage: stationflow COMMAND [FLAGS]\n\n")
	for _, command := range commands {
		fmt.Fprintf(out, "  %-12s %s\n", command.Name, command.Summary)
	}
	fmt.Fprint(out, "\nstationflow COMMAND --help lists the command's flags.\n")
}
