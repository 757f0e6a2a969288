package project

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// readRowsOf makes a list of dicts of the rows of a unit test, as dbt does:
// whether they are written in the yml file, as CSV, in a file of fixtures, or are
// those of a seed. Rows in SQL stay text.
func (l *loader) readRowsOf(doc *document, at ast.Node, of *jinja.Dict) error {
	text := func(name string) string {
		value, _ := of.Get(name)
		found, _ := value.(string)
		return found
	}
	rows, _ := of.Get("rows")
	written, isText := rows.(string)
	format := text("format")
	if name := text("fixture"); name != "" {
		content, found := l.fixtureFile(doc.in, name, format)
		if !found {
			return doc.fail(at, "there is no file %s.%s in tests/fixtures", name, format)
		}
		written, isText = content, true
	}
	_, isList := rows.(*jinja.List)
	switch {
	case format == "dict" && rows == nil:
		seed := l.seedOf(doc, text("input"))
		if seed == nil {
			return doc.fail(at, "the input %s has no rows, and is no seed", text("input"))
		}
		return setRows(doc, at, of, seed.RawSQL, false)
	case format == "dict" && isList:
		promote(rows)
	case format == "csv" && isText:
		return setRows(doc, at, of, written, true)
	case format == "sql" && isText:
		must(of.Set("rows", written))
	default:
		return doc.fail(at, "the rows of a unit test of the format %q are not of that format", format)
	}
	return nil
}

// setRows takes the rows of a CSV; an empty field is NULL, unless it is a seed's.
func setRows(doc *document, at ast.Node, of *jinja.Dict, text string, hasNull bool) error {
	reader := csv.NewReader(strings.NewReader(strings.TrimLeft(text, "\r\n")))
	reader.FieldsPerRecord, reader.LazyQuotes = -1, true
	records, err := reader.ReadAll()
	if err != nil {
		return doc.fail(at, "reading the rows: %w", err)
	}
	list := jinja.NewList()
	for i, record := range records {
		if i == 0 {
			continue
		}
		row := jinja.NewDict()
		for j, name := range records[0] {
			var value jinja.Value
			if j < len(record) && (record[j] != "" || !hasNull) {
				value = record[j]
			}
			must(row.Set(name, value))
		}
		list.Items = append(list.Items, row)
	}
	promote(list)
	must(of.Set("rows", list))
	return nil
}

// fixtureFile is a file of tests/fixtures.
func (l *loader) fixtureFile(of *pkg, name, format string) (string, bool) {
	for _, folder := range of.settings.testPaths {
		for _, file := range filesUnder(l.files, path.Join(folder, "fixtures"), "."+format) {
			if strings.TrimSuffix(path.Base(file), "."+format) == name {
				content, err := fs.ReadFile(l.files, file)
				return asText(content), err == nil
			}
		}
	}
	return "", false
}

var errInput = errors.New("an input is ref(…), source(…) or this")

// seedOf is the seed that an input names, or nil.
func (l *loader) seedOf(doc *document, input string) *Model {
	id, _ := l.inputOf(doc.in, doc.file, input)
	if seed := l.ByID(id); seed != nil && seed.Type == TypeSeed {
		return seed
	}
	return nil
}

// InputOf is the id of what an input of a unit test names: a model or a source;
// of this it is the model itself.
func (p *Project) InputOf(test *UnitTest, input string) (string, error) {
	if strings.TrimSpace(input) == "this" {
		return p.Model(test.Model).ID, nil
	}
	return p.inputOf(p.named(test.Package), test.Path, input)
}

func (p *Project) inputOf(in *pkg, file, input string) (string, error) {
	r := &rendering{project: p, in: in, config: map[string]any{}, file: file}
	if _, err := r.text(file, 1, "{{ "+input+" }}"); err != nil {
		return "", err
	}
	if len(r.reads) != 1 {
		return "", errInput
	}
	return r.reads[0], nil
}

// RenderUnit renders a query of the runner's own, over the names that it is
// given, for a unit test: it may use dbt's macros.
func (p *Project) RenderUnit(test *UnitTest, source string, names map[string]jinja.Value, c Compilation) (string, error) {
	parsed, err := jinja.Parse(test.Path, source, 1)
	if err != nil {
		return "", err
	}
	r := &rendering{project: p, in: p.named(test.Package), compilation: c, config: map[string]any{}, file: test.Path, extra: names}
	text, err := r.render(parsed)
	return text.SQL, err
}
