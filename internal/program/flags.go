package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Mistake is an error in how a program was called, for which it exits with
// 2 instead of 1.
type Mistake struct{ error }

// Unwrap returns the error itself.
func (m Mistake) Unwrap() error { return m.error }

// Mistakef makes a Mistake as fmt.Errorf makes an error.
func Mistakef(format string, args ...any) error { return Mistake{fmt.Errorf(format, args...)} }

// AsMistake makes a Mistake of an error; nil stays nil.
func AsMistake(err error) error {
	if err == nil {
		return nil
	}
	return Mistake{err}
}

// ExitCode is the exit code for what a program ended with: 0 for nil and for
// help that was asked for, 2 for a Mistake, 1 for everything else.
func ExitCode(err error) int {
	var mistake Mistake
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &mistake):
		return 2
	}
	return 1
}

// Parse parses a command's flags, which may come before, between and behind its
// arguments, up to a "--"; flags.Name is how the command is called.
// Help that is asked for goes to out, the text and then the flags, and the
// error is flag.ErrHelp. Every other error is a Mistake of one sentence, and
// nothing is written.
func Parse(flags *flag.FlagSet, args []string, out io.Writer, help string) error {
	flags.SetOutput(io.Discard) // it would add all of the flags to each mistake
	err := parseAll(flags, args)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, help)
		PrintFlags(out, flags)
		return err
	}
	said := strings.NewReplacer(": -", ": --", "for flag -", "for flag --", "for -", "for --").Replace(err.Error())
	return Mistakef("%s: see %s --help", explained(flags, said), flags.Name())
}

// explained says of what kind a value must be, where package flag says only
// that it is wrong.
func explained(flags *flag.FlagSet, said string) string {
	rest, wrong := strings.CutSuffix(said, ": parse error")
	if !wrong {
		return said
	}
	f := flags.Lookup(rest[strings.LastIndex(rest, "-")+1:])
	if f == nil {
		return said
	}
	value, _ := f.Value.(flag.Getter)
	if value == nil {
		return said
	}
	switch value.Get().(type) {
	case time.Duration:
		return rest + ": write a duration such as 90s, 5m or 24h"
	case float64:
		return rest + ": write a number such as 0.5 or 20"
	case bool:
		return rest + ": write true or false"
	}
	return rest + ": write a whole number"
}

// parseAll has flags.Args return all arguments, wherever they stand.
func parseAll(flags *flag.FlagSet, args []string) error {
	var others []string
	for {
		if err := flags.Parse(args); err != nil {
			return err
		}
		rest := flags.Args()
		ended := len(rest) < len(args) && args[len(args)-len(rest)-1] == "--"
		if len(rest) == 0 || ended {
			return flags.Parse(append(append([]string{"--"}, others...), rest...))
		}
		others, args = append(others, rest[0]), rest[1:]
	}
}

// PrintFlags writes each flag as a person types it, and what it does.
func PrintFlags(out io.Writer, flags *flag.FlagSet) {
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		switch f.DefValue {
		case "", "false", "0", "0s":
		default:
			text += " (default " + f.DefValue + ")"
		}
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintf(out, "  %s\n        %s\n", strings.TrimSpace(dashes+f.Name+" "+value),
			strings.ReplaceAll(text, "\n", "\n        "))
	})
}
