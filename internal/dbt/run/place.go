package run

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
	"github.com/stationflow/stationflow/internal/dbt/project"
)

// BigQuery tells where in the statement that it was sent a mistake is. A person
// knows the files of the project, so that is what a message names.

// A failedStatement is the error of a statement, with its text.
type failedStatement struct {
	error
	statement string
}

func (f *failedStatement) Unwrap() error { return f.error }

// OfStatement keeps the statement with its error.
func OfStatement(sql string, err error) error {
	if err == nil || errors.As(err, new(*failedStatement)) {
		return err
	}
	return &failedStatement{err, sql}
}

// position is how BigQuery says where in a statement, and how GoogleSQL itself.
var position = regexp.MustCompile(`at \[(\d+):(\d+)\]|\[at (\d+):(\d+)\]`)

// A placed error is one whose text names places of the project.
type placed struct {
	error
	text string
}

func (p *placed) Error() string { return p.text }
func (p *placed) Unwrap() error { return p.error }

// Placed has the error of a statement that was made of this SQL name the file,
// and the line in it: of the file where Jinja has left the text as it is, and
// else of the compiled file, with the line at which Jinja has written it.
// Folder is that of the compiled files; "" where nobody keeps them. Other errors,
// and those that say already where, it returns as they are.
func (c *Compiled) Placed(folder string, err error) error {
	var failed *failedStatement
	if err == nil || !errors.As(err, &failed) || errors.As(err, new(*jinja.Error)) || isOutage(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	own := strings.TrimSpace(c.SQL)
	text, begin := err.Error(), strings.Index(failed.statement, own)
	if own == "" || begin < 0 || !position.MatchString(text) {
		return &placed{err, fmt.Sprintf("%s: %s", c.File, text)}
	}
	lead := strings.Index(c.SQL, own)
	namesFile := false
	text = position.ReplaceAllStringFunc(text, func(at string) string {
		numbers := position.FindStringSubmatch(at)
		offset := offsetOf(failed.statement, number(numbers[1]+numbers[3]), number(numbers[2]+numbers[4])) - begin
		switch {
		case offset < 0:
			return "in what the runner writes before its SQL"
		case offset >= len(own):
			return "at the end of its SQL"
		}
		namesFile = true
		return c.place(folder, offset+lead)
	})
	if !namesFile {
		text = c.File + ": " + text
	}
	return &placed{err, text}
}

// place is what is at an offset of the SQL, in words.
func (c *Compiled) place(folder string, offset int) string {
	from, known := c.Origin(offset)
	if known && from.Literal {
		return fmt.Sprintf("at line %d of %s", from.Line, from.File)
	}
	compiled := "its compiled SQL"
	if folder != "" {
		compiled = path.Join(folder, c.Path)
	}
	place := fmt.Sprintf("at line %d of %s", 1+strings.Count(c.SQL[:offset], "\n"), compiled)
	if known {
		return fmt.Sprintf("%s, written by line %d of %s", place, from.Line, from.File)
	}
	return fmt.Sprintf("%s, of %s", place, c.File)
}

// offsetOf is the offset of a place in a statement, both from 1. A tab goes to
// the next column that is a multiple of 8, as GoogleSQL counts.
func offsetOf(statement string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(statement[offset:], '\n')
		if next < 0 {
			return len(statement)
		}
		offset += next + 1
	}
	at := 1
	for i, letter := range statement[offset:] {
		if at >= column || letter == '\n' {
			return offset + i
		}
		if at++; letter == '\t' {
			at += 7 - (at-2)%8
		}
	}
	return len(statement)
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // digits
	return n
}

// compileModel renders a model, and keeps what came of it for errors.
func (r *run) compileModel(model *project.Model, c project.Compilation) (*project.Compiled, error) {
	compiled, err := r.project.Compile(model, c)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.texts[model.ID] = compiled.Text
	}
	return compiled, err
}

// ofModel is the error of building a model, with its place.
func (r *run) ofModel(model *project.Model, err error) error {
	r.mu.Lock()
	text := r.texts[model.ID]
	r.mu.Unlock()
	return compiledOf(&model.Resource, text).Placed(r.options.Compiled, err)
}

// compiledOf is the SQL of a model or test. A file may have several snapshots,
// and a yml file several tests: each gets a file of its own.
func compiledOf(resource *project.Resource, text project.Text) *Compiled {
	name := ""
	switch resource.Type {
	case project.TypeSnapshot, project.TypeUnitTest:
		name = resource.Name + ".sql"
	}
	return &Compiled{Text: text, ID: resource.ID, Name: resource.Name, File: resource.Path, Path: path.Join(resource.Package, resource.Within(), name)}
}

// compiledTest is compiledOf a test.
func compiledTest(test *project.Test, text project.Text) *Compiled {
	compiled := compiledOf(&test.Resource, text)
	if test.Kind != project.Singular {
		compiled.Path += "/" + test.Short + ".sql"
	}
	return compiled
}
