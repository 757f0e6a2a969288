package repo_test

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A call is one command of a page, as a shell would see it.
type call struct {
	page   string
	folder string   // where it runs, from the repository's root
	words  []string // without quotes; what the shell would compute is left as written
}

func (c call) String() string { return c.page + ": " + strings.Join(c.words, " ") }

// calls parses a page's shell text, which begins at the repository's root.
func calls(page, text string) (all []call, err error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), page)
	if err != nil {
		return nil, fmt.Errorf("no shell understands %q: %w", text, err)
	}
	folder := "."
	syntax.Walk(file, func(n syntax.Node) bool {
		expression, ok := n.(*syntax.CallExpr)
		if !ok || len(expression.Args) == 0 {
			return true
		}
		c := call{page: page, folder: folder}
		for _, word := range expression.Args {
			c.words = append(c.words, spelled(text, word))
		}
		if c.words[0] == "cd" && len(c.words) == 2 {
			folder = path.Join(folder, c.words[1])
		}
		all = append(all, c)
		return true
	})
	return all, nil
}

// spelled is a word without its quotes.
func spelled(text string, word *syntax.Word) string {
	var out strings.Builder
	for _, part := range word.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			out.WriteString(part.Value)
		case *syntax.SglQuoted:
			out.WriteString(part.Value)
		case *syntax.DblQuoted:
			out.WriteString(text[part.Left.Offset()+1 : part.Right.Offset()])
		default:
			out.WriteString(text[part.Pos().Offset():part.End().Offset()])
		}
	}
	return out.String()
}

// commandFaults says of every command why it cannot be given: the shell does
// not understand it, nobody knows the program, or what is ours (make's targets,
// Go's packages and tests, the tool's commands and flags) is not there.
func commandFaults(known map[string]checker, tool []string, pages []page) (faults []string) {
	for _, p := range pages {
		var all []call
		for _, b := range p.blocks {
			if b.isShell() {
				found, err := calls(p.name, b.text)
				if err != nil {
					faults = append(faults, p.name+": "+err.Error())
				}
				all = append(all, found...)
			}
		}
		for _, span := range p.spans {
			all = append(all, spoken(p.name, span, known, tool)...)
		}
		for _, c := range all {
			check, ok := known[path.Base(c.words[0])]
			if !ok {
				faults = append(faults, c.String()+": which program is that?")
			} else if err := check(c); err != nil {
				faults = append(faults, c.String()+": "+err.Error())
			}
		}
	}
	return faults
}

// spoken returns the commands of code within a line, none where it is not a
// command: one begins with a program's name, or with what the tool is given.
func spoken(page, span string, known map[string]checker, tool []string) (all []call) {
	words := strings.Fields(strings.TrimPrefix(span, "… "))
	for len(words) > 0 && strings.Contains(words[0], "=") {
		words = words[1:] // a variable before the program
	}
	if len(words) < 2 {
		return nil
	}
	if _, ok := known[path.Base(words[0])]; !ok {
		if !slices.Contains(tool, words[0]) {
			return nil
		}
		return []call{{page, ".", append([]string{"stationflow"}, words...)}}
	}
	found, _ := calls(page, span) // an error: it only looks like a command
	for _, c := range found {
		if _, ok := known[path.Base(c.words[0])]; ok {
			all = append(all, c)
		}
	}
	return all
}
