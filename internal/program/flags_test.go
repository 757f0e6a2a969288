package program_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/program"
)

func parse(args string) (said string, err error) {
	var out strings.Builder
	flags := flag.NewFlagSet("stationflow thing", flag.ContinueOnError)
	flags.Int("steps", 3, "how many `N`")
	flags.Bool("all", false, "everything,\nreally")
	flags.String("s", "", "short")
	err = program.Parse(flags, strings.Fields(args), &out, "usage: thing\n\n")
	return out.String(), err
}

func TestParse_Help(t *testing.T) {
	said, err := parse("--help")
	want := "usage: thing\n\n  --all\n        everything,\n        really\n  -s string\n        short\n  --steps N\n        how many N (default 3)\n"
	if diff := cmp.Diff(want, said); diff != "" || !errors.Is(err, flag.ErrHelp) || program.ExitCode(err) != 0 {
		t.Errorf("%v %s", err, diff)
	}
}

// A mistake gets one sentence, not all the flags.
func TestParse_Mistakes(t *testing.T) {
	for args, want := range map[string]string{
		"--setps 3":   "flag provided but not defined: --setps: see stationflow thing --help",
		"--steps":     "flag needs an argument: --steps: see stationflow thing --help",
		"--steps x":   `invalid value "x" for flag --steps: write a whole number: see stationflow thing --help`,
		"--all=maybe": `invalid boolean value "maybe" for --all: write true or false: see stationflow thing --help`,
	} {
		said, err := parse(args)
		if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" || said != "" || program.ExitCode(fmt.Errorf("wrapped: %w", err)) != 2 {
			t.Errorf("%s: wrote %q, %s", args, said, diff)
		}
	}
	if code := program.ExitCode(errors.Join(errors.New("a"), program.AsMistake(nil))); code != 1 {
		t.Errorf("any other error exits with %d", code)
	}
}

// Flags may stand anywhere before a "--"; what is no flag keeps its order.
func TestParse_FlagsAnywhere(t *testing.T) {
	for args, want := range map[string]string{
		"a --steps 5 b -s x c": "5 x [a b c]",
		"--steps 5 a b":        "5  [a b]",
		"a -- --steps 5":       "3  [a --steps 5]",
		"-- a":                 "3  [a]",
		"":                     "3  []",
	} {
		flags := flag.NewFlagSet("stationflow thing", flag.ContinueOnError)
		steps, s := flags.Int("steps", 3, ""), flags.String("s", "", "")
		err := program.Parse(flags, strings.Fields(args), io.Discard, "")
		if got := fmt.Sprintf("%d %s %v", *steps, *s, flags.Args()); err != nil || got != want {
			t.Errorf("%s: %v, %s, want %s", args, err, got, want)
		}
	}
}
