package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/program"
)

const completionHelp = `usage: stationflow completion bash|zsh|fish

Prints what has the shell complete commands, flags and topics.

Examples:
  source <(stationflow completion bash)    for this shell; in ~/.bashrc for all
  source <(stationflow completion zsh)     likewise in ~/.zshrc, behind compinit
  stationflow completion fish > ~/.config/fish/completions/stationflow.fish

`

// shells are those that completion knows.
var shells = []string{"bash", "zsh", "fish"}

// scripts ask the tool itself, so that they never lack what it has.
var scripts = map[string]string{
	"bash": `_stationflow() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _stationflow stationflow
`,
	"zsh": `_stationflow() {
  local -a found
  found=("${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $found
  [[ -n "$found" ]] || _files
}
compdef _stationflow stationflow
`,
	"fish": `function __stationflow_words
    set -l words (commandline -opc) (commandline -ct)
    $words[1] completion words -- $words[2..-1] 2>/dev/null
end
complete -c stationflow -a '(__stationflow_words)'
`,
}

// runCompletion prints a script, or, for the scripts, the words that may stand
// where the last of those behind "--" begins.
func runCompletion(ctx context.Context, args []string, streams Streams) error {
	if len(args) > 1 && args[0] == "words" && args[1] == "--" {
		for _, word := range completions(ctx, args[2:], streams) {
			fmt.Fprintln(streams.Out, word)
		}
		return nil
	}
	flags := flag.NewFlagSet("stationflow completion", flag.ContinueOnError)
	if err := program.Parse(flags, args, streams.Out, completionHelp); err != nil {
		return err
	}
	if flags.NArg() != 1 || scripts[flags.Arg(0)] == "" {
		return program.Mistakef("name the shell: bash, zsh or fish")
	}
	_, err := fmt.Fprint(streams.Out, scripts[flags.Arg(0)])
	return err
}

// flagLine is a flag in a help text.
var flagLine = regexp.MustCompile(`(?m)^  (--?[a-z][a-z-]*)( |$)`)

// completions are the words that may stand in place of the last.
func completions(ctx context.Context, words []string, streams Streams) (all []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	begun, before := words[len(words)-1], words[:len(words)-1]
	at := 0
	for at < len(before) && !strings.HasPrefix(before[at], "-") {
		at++
	}
	command := slices.IndexFunc(streams.commands, func(c Command) bool { return at > 0 && c.Name == before[0] })
	switch last := before[max(len(before)-1, 0):]; {
	case len(before) == 0:
		all = append(all, "help")
		for _, c := range streams.commands {
			all = append(all, c.Name)
		}
	case len(before) == 1 && before[0] == "help":
		for _, c := range streams.commands {
			all = append(all, c.Name)
		}
	case command < 0:
		return nil
	case last[0] == "--topic":
		all = event.Topics()
	case last[0] == "--reason":
		for _, reason := range event.Reasons() {
			all = append(all, string(reason))
		}
	case strings.HasPrefix(begun, "-"):
		all = flagsOf(ctx, before[:at], streams)
	case len(before) == 1:
		all = streams.commands[command].Verbs
	}
	return slices.DeleteFunc(slices.Clone(all), func(word string) bool { return !strings.HasPrefix(word, begun) })
}

// flagsOf reads the flags out of a command's help.
func flagsOf(ctx context.Context, words []string, streams Streams) (all []string) {
	for ; len(words) > 0; words = words[:len(words)-1] {
		var help bytes.Buffer
		quiet := Streams{Getenv: func(string) string { return "" }, Out: &help, Err: new(bytes.Buffer)}
		if Main(ctx, append(slices.Clone(words), "--help"), quiet, streams.commands) != 0 {
			continue
		}
		for _, found := range flagLine.FindAllStringSubmatch(help.String(), -1) {
			all = append(all, found[1])
		}
		return append(all, "--help")
	}
	return nil
}
