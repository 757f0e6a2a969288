// Package advice collects what this project tells people to run: the
// statements and commands of its pages, of its messages and of Terraform's
// outputs. Tests hold it to run them, as far as that can be done here.
package advice

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Advice is one statement or command, and where it stands.
type Advice struct {
	Where string // file, from the repository's root
	Text  string
}

// Collected is all advice.
type Collected struct {
	Statements []Advice // GoogleSQL
	Commands   []Advice // lines of a shell, with placeholders filled in (see Fill)
}

// Programs are what a command begins with. Code in backticks that begins with
// another word is no command.
var Programs = []string{
	"bin/stationflow", "bin/simulator", "bin/bridge", "bin/functions", "stationflow", "simulator", "make", "go", "git", "cd", "cp", "export",
	"gcloud", "bq", "terraform", "curl", "kafka-consumer-groups", "printf", "python3", "pip", "dbt", "scripts/", ".venv", ".",
}

// refused is the page of statements that the local BigQuery refuses; the test
// that writes it has run them.
var refused = filepath.Join("docs", "local-bigquery.md")

// notOurs are folders of what is built, fetched or tried, by name.
var notOurs = []string{"testdata", "vendor", "bin", "dist", "target", "node_modules"}

// Collect reads the repository at root.
func Collect(root string) (*Collected, error) {
	c := &Collected{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (strings.HasPrefix(name, ".") && path != root || slices.Contains(notOurs, name)) {
			return fs.SkipDir
		}
		where, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case where == refused:
			return nil
		case strings.HasSuffix(name, ".md"):
			return c.read(path, where, c.page)
		case strings.HasSuffix(name, ".tf"):
			return c.read(path, where, c.configuration)
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			return c.source(path, where)
		}
		return nil
	})
	return c, err
}

func (c *Collected) read(path, where string, take func(where, text string)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("collecting advice: %w", err)
	}
	take(where, string(text))
	return nil
}

var (
	fence  = regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```$")
	inline = regexp.MustCompile("`([^`]+)`")
	asked  = regexp.MustCompile(`\.query\("([^"]+)"\)`)
	output = regexp.MustCompile(`"(gcloud [^"]* --[^"]*)"`)
)

// page takes what a page of Markdown shows: blocks, indented code, and code
// between backticks.
func (c *Collected) page(where, text string) {
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		switch block[1] {
		case "sql":
			c.Statements = append(c.Statements, Advice{where, block[2]})
		case "python":
			for _, statement := range asked.FindAllStringSubmatch(block[2], -1) {
				c.Statements = append(c.Statements, Advice{where, statement[1]})
			}
		}
	}
	text = fence.ReplaceAllString(text, "")
	var prose []string
	code, blank := "", true
	for line := range strings.Lines(text + "\n\n") {
		indented := strings.HasPrefix(line, "    ") && (blank || code != "")
		blank = strings.TrimSpace(line) == ""
		switch {
		case indented:
			code += strings.TrimSpace(line) + "\n"
		case code != "":
			c.shell(where, code)
			code = ""
			prose = append(prose, line)
		default:
			prose = append(prose, line)
		}
	}
	c.inline(where, strings.Join(prose, ""))
}

// shell takes a block of lines; an object of JSON is none.
func (c *Collected) shell(where, block string) {
	for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line == "" || strings.ContainsAny(line[:1], `{"`) {
			continue
		}
		c.Commands = append(c.Commands, Advice{where, Fill(line)})
	}
}

// inline takes code between backticks.
func (c *Collected) inline(where, text string) {
	for _, code := range inline.FindAllStringSubmatch(text, -1) {
		line := strings.Join(strings.Fields(code[1]), " ")
		switch {
		case strings.HasPrefix(strings.ToLower(line), "select "):
			c.Statements = append(c.Statements, Advice{where, line})
		case isCommand(line):
			c.Commands = append(c.Commands, Advice{where, Fill(line)})
		}
	}
}

// configuration takes what Terraform's outputs and settings say.
func (c *Collected) configuration(where, text string) {
	for _, line := range output.FindAllStringSubmatch(text, -1) {
		c.Commands = append(c.Commands, Advice{where, Fill(line[1])})
	}
}

// source takes strings of a Go file that are commands, and code between
// backticks in others. A statement in them is a format: what it becomes is seen
// when it is shown.
func (c *Collected) source(path, where string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("collecting advice: %w", err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || !strings.HasPrefix(literal.Value, `"`) {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		switch {
		case err != nil || strings.Contains(text, "`select "):
		case isCommand(text) && strings.Contains(text, " --") && !strings.Contains(text, "`"):
			c.Commands = append(c.Commands, Advice{where, Fill(text)})
		default:
			c.inline(where, text)
		}
		return true
	})
	return nil
}

func isCommand(line string) bool {
	first, rest, more := strings.Cut(line, " ")
	for _, program := range Programs {
		if more && rest != "" && (first == program || strings.HasSuffix(program, "/") && strings.HasPrefix(first, program)) {
			return true
		}
	}
	return false
}

var (
	angled = regexp.MustCompile(`<[^<> ][^<>]*>`)          // <API key>
	dollar = regexp.MustCompile(`\$\{[^}]*\}`)             // ${var.project}
	spared = regexp.MustCompile(`…|%s|%d|\bhttp://host\b`) // left to the reader, or to a format
)

// Fill puts something into the placeholders of a command: what stands in angle
// brackets or in Terraform's braces, dots and verbs. Words in capitals, such as
// REGION, are values already.
func Fill(line string) string {
	return spared.ReplaceAllString(dollar.ReplaceAllString(angled.ReplaceAllString(line, "X"), "X"), "X")
}
