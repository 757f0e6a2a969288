// Package program is what the mains of the services have in common: they take
// no arguments, explain themselves, and run until they are told to stop.
package program

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a service until SIGINT or SIGTERM ends the context, and exits with
// 1 after an error, which it prints. --help prints the usage instead; any
// other argument is a mistake, which exits with 2.
func Main(name, usage string, run func(ctx context.Context, getenv func(string) string) error) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "-h", "-help", "--help":
			fmt.Print(usage)
			return
		}
		fmt.Fprintf(os.Stderr, "%[1]s: unexpected argument %[2]q: it takes none, see %[1]s --help\n", name, os.Args[1])
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
