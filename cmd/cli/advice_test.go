package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mentioned is a command of the tool within a text. What people are told between
// backticks is set off from what stands behind it.
var mentioned = regexp.MustCompile("(^|[^`/.\\w])stationflow ([a-z]+)([^`\n]*)")

// A person pastes what a message names as it stands: a command goes on to the
// end of its line, and the tool reads it to there. Nothing is done here, for
// nothing says where the system is.
func TestAdvice_CanBePasted(t *testing.T) {
	found := 0
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // some commands write files
	for _, folder := range []string{"internal", "functions", "cmd", "local/system", "local/dashboard", "local/console"} {
		root := filepath.Join(repository, filepath.FromSlash(folder))
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && path == filepath.Join(root, "dbt") { // whose commands take a folder
				return fs.SkipDir
			}
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, text := range textsOf(file) {
				for _, match := range mentioned.FindAllStringSubmatch(text, -1) {
					inHelp := strings.Contains(match[3], "[FLAGS]") || strings.Contains(match[3], "COMMAND") || match[3] == " 1"
					if inHelp || !slices.ContainsFunc(Commands(), func(c Command) bool { return c.Name == match[2] }) {
						continue
					}
					found++
					if said := misread(t, match[2]+match[3]); said != "" {
						t.Errorf("%s: stationflow %s%s: %s", path, match[2], match[3], said)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// textsOf are the texts of a file in double quotes, which messages are; help is
// between backticks. Names of flag sets are not messages.
func textsOf(file *ast.File) (all []string) {
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "NewFlagSet" {
				return false
			}
		}
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.HasPrefix(literal.Value, `"`) {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				all = append(all, text)
			}
		}
		return true
	})
	return all
}

// verbs are what formats put in.
var verbs = regexp.MustCompile(`%(\[\d\])?[sdv]`)

// misread is what the tool says about a line that it cannot read; "" for one
// that it would carry out if it knew where the system is.
func misread(t *testing.T, line string) string {
	t.Helper()
	line = regexp.MustCompile(`"[^"]*"|'[^']*'`).ReplaceAllString(line, "TEXT")
	line = strings.NewReplacer("--partition %d", "--partition 1", "%d-%d", "1-2", "--from %s", "--from 2026-11-20", "--to %s", "--to 2026-11-21",
		"--topic %s", "--topic incidents", "trace %s/%d", "trace incidents/1/2", "%s/%d/%d", "incidents/1/2",
		"TOPIC/PARTITION/OFFSET", "incidents/1/2", "TOPIC", "incidents", "X ID", "X").Replace(line)
	line = strings.NewReplacer("%dm", "15m", "%.0fm", "15m", "list%s", "list --topic incidents", "--compatibility %s", "--compatibility FULL").Replace(line)
	words := strings.Fields(verbs.ReplaceAllString(line, "X"))
	if i := slices.Index(words, ">"); i >= 0 {
		words = words[:i]
	}
	nowhere := t.TempDir() // where no system says that it runs
	var out, errs strings.Builder
	getenv := func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": nowhere}[name] }
	code := Main(t.Context(), words, Streams{Getenv: getenv, Out: &out, Err: &errs}, Commands())
	said := errs.String()
	if code == 0 || code == 1 && slices.Contains([]string{"dbt", "doctor"}, words[0]) || strings.Contains(said, "is not set") || strings.Contains(said, "no local system") {
		return ""
	}
	return strings.TrimSpace(said)
}
