package project

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// readSeeds makes a table of each CSV file: its rows are written into its SQL.
func (l *loader) readSeeds(of *pkg) error {
	for _, folder := range of.settings.seedPaths {
		for _, file := range filesUnder(l.files, folder, ".csv") {
			content, err := fs.ReadFile(l.files, file)
			if err != nil {
				return err
			}
			if len(content) > maxSeed {
				return fmt.Errorf("%s: a seed of %d bytes: seeds up to %d are supported, larger data belongs into a source", file, len(content), maxSeed)
			}
			model := l.newModel(of, TypeSeed, folder, file, func(s *settings) *configTree { return s.seeds })
			model.File, model.RawSQL = asText(content), string(content)
			if err := l.addModel(model); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxSeed keeps the statement below BigQuery's limit of 1 MB.
const maxSeed = 256 << 10

// readRows makes the seed's query, and its columns where the yml file declares
// none. Their types are those of config column_types, or else of the values.
func (m *Model) readRows() error {
	config := m.written()
	for key, value := range m.over {
		configure(config, key, value)
	}
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix([]byte(m.RawSQL), []byte("\ufeff"))))
	if delimiter, given := config["delimiter"]; given {
		text, _ := delimiter.(string)
		if utf8.RuneCountInString(text) != 1 {
			return fmt.Errorf("%s: config delimiter is %q: it is one character", m.Path, text)
		}
		reader.Comma, _ = utf8.DecodeRuneInString(text)
	}
	records, err := reader.ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	if len(records) == 0 {
		return fmt.Errorf("%s: a seed begins with a line of column names", m.Path)
	}
	types, _ := config["column_types"].(map[string]any)
	declared := map[string]Column{}
	for _, column := range m.Columns {
		declared[column.Name] = column
	}
	m.Columns = nil
	for i, name := range records[0] {
		column := declared[name]
		column.Name = name
		if text, ok := types[name].(string); ok {
			column.Type = strings.ToLower(text)
		} else if column.Type == "" {
			if column.Type, err = typeOf(records[1:], i); err != nil {
				return fmt.Errorf("%s: the column %s: %w", m.Path, name, err)
			}
		}
		m.Columns = append(m.Columns, column)
	}
	m.rows = rowsQuery(m.Columns, records[1:])
	return nil
}

func rowsQuery(columns []Column, records [][]string) string {
	var out strings.Builder
	out.WriteString("select * from unnest(array<struct<")
	for i, column := range columns {
		if i > 0 {
			out.WriteString(", ")
		}
		fmt.Fprintf(&out, "%s %s", column.Name, column.Type)
	}
	out.WriteString(">>[")
	row := "\n    ("
	if len(columns) == 1 {
		row = "\n    struct(" // in parentheses alone it would be the value itself
	}
	for i, record := range records {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString(row)
		for j, value := range record {
			if j > 0 {
				out.WriteString(", ")
			}
			out.WriteString(literal(columns[j].Type, value))
		}
		out.WriteString(")")
	}
	out.WriteString("\n])")
	return out.String()
}

// literal writes a value of a CSV file; an empty one is NULL.
func literal(kind, value string) string {
	if value == "" {
		return "null"
	}
	quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(value) + "'"
	switch kind {
	case "int64", "float64", "integer", "float":
		sign, digits := "", strings.TrimPrefix(strings.TrimSpace(value), "+")
		if strings.HasPrefix(digits, "-") {
			sign, digits = "-", digits[1:]
		}
		if digits = strings.TrimLeft(digits, "0"); digits == "" || !strings.ContainsAny(digits[:1], "123456789") {
			digits = "0" + digits
		}
		return sign + digits
	case "bool", "boolean":
		return strings.TrimSpace(value)
	case "string":
		return quoted
	}
	return "cast(" + quoted + " as " + kind + ")"
}

// A valueKind is a type that values are told apart by.
type valueKind struct {
	name    string
	pattern *regexp.Regexp
}

// kinds of values, as dbt tells them apart: it takes the first that all of a
// column's values are.
var kinds = []valueKind{
	{"int64", regexp.MustCompile(`^[-+]?\d+$`)},
	{"float64", regexp.MustCompile(`^[-+]?(\d+|\d*\.\d*[1-9]\d*)$`)},
	{"date", regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)},
	{"datetime", regexp.MustCompile(`^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$`)},
	{"datetime", regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?$`)},
	{"bool", regexp.MustCompile(`^(?i:true|false)$`)},
}

// unclear are values of which dbt makes a number or a time that BigQuery then
// does not load, or that it loads as another one.
var unclear = regexp.MustCompile(`^(?i:null|[-+]?[\d.,_]*[$£€¥%][-+\d.,_$£€¥%]*|[-+]?\d[\d.]*e[-+]?\d+|[-+]?\d+[,_][\d.,_]*|nan|[-+]?inf(inity)?|` +
	`\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{8}(T.*)?|[-+]?\d*\.0*|[-+]?\d+\.)$`)

// withFraction is a text to dbt, as it has a blank in place of the T.
var withFraction = regexp.MustCompile(`^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d+$`)

// typeOf is the type that dbt gives to a column. One without values is a
// number to it.
func typeOf(records [][]string, column int) (string, error) {
	var values []string
	for _, record := range records {
		if value := strings.TrimSpace(record[column]); value != "" {
			values = append(values, value)
		}
	}
	for _, kind := range kinds {
		if !slices.ContainsFunc(values, func(value string) bool { return !kind.pattern.MatchString(value) }) {
			return kind.name, nil
		}
	}
	doubt := ""
	for _, value := range values {
		switch {
		case slices.ContainsFunc(kinds, func(k valueKind) bool { return k.pattern.MatchString(value) }):
		case withFraction.MatchString(value):
			return "string", nil
		case unclear.MatchString(value):
			doubt = value
		default:
			return "string", nil
		}
	}
	if doubt != "" {
		return "", fmt.Errorf("it is not clear what type %q has: name the column's type in column_types", doubt)
	}
	return "string", nil
}
