package project

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// readSeeds makes a table of each CSV file: its rows are written into its SQL.
func (l *loader) readSeeds() error {
	for _, folder := range l.settings.seedPaths {
		for _, file := range filesUnder(l.files, folder, ".csv") {
			content, err := fs.ReadFile(l.files, file)
			if err != nil {
				return err
			}
			if len(content) > maxSeed {
				return fmt.Errorf("%s: a seed of %d bytes: seeds up to %d are supported, larger data belongs into a source", file, len(content), maxSeed)
			}
			model := l.newModel(TypeSeed, folder, file, l.settings.seeds)
			model.RawSQL = string(content)
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
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix([]byte(m.RawSQL), []byte("\ufeff")))).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	if len(records) == 0 {
		return fmt.Errorf("%s: a seed begins with a line of column names", m.Path)
	}
	types, _ := m.written()["column_types"].(map[string]any)
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
			column.Type = typeOf(records[1:], i)
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
	for i, record := range records {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n    (")
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
	case "int64", "float64", "bool", "integer", "float", "boolean":
		return value
	case "string":
		return quoted
	}
	return "cast(" + quoted + " as " + kind + ")"
}

// kinds of values, as dbt tells them apart.
var kinds = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"bool", regexp.MustCompile(`^(?i:true|false)$`)},
	{"int64", regexp.MustCompile(`^-?(0|[1-9]\d{0,17})$`)},
	{"float64", regexp.MustCompile(`^-?\d+(\.\d+)?([eE][-+]?\d+)?$`)},
	{"date", regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)},
	{"datetime", regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+)?$`)},
}

func typeOf(records [][]string, column int) string {
	for _, kind := range kinds {
		matches, some := true, false
		for _, record := range records {
			if value := record[column]; value != "" {
				matches, some = matches && kind.pattern.MatchString(value), true
			}
		}
		if matches && some {
			return kind.name
		}
	}
	return "string"
}
