// Package preview prints the rows of a query as dbt's show does: dbt takes them
// into a table of the library agate, which decides from the values of a column
// what it holds.
package preview

import (
	"slices"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Table is the rows of a query.
type Table struct {
	names   []string
	columns []column
	rows    [][]cell
}

// A column is what all its cells are, and how many decimal places they show.
type column struct {
	kind   kind
	places int
	isCut  bool // there are more places
}

// New makes a table of a query's rows.
func New(schema bigquery.Schema, rows [][]bigquery.Value) *Table {
	t := &Table{columns: make([]column, len(schema)), rows: make([][]cell, len(rows))}
	for _, field := range schema {
		t.names = append(t.names, field.Name)
	}
	for i, row := range rows {
		for j, value := range row {
			t.rows[i] = append(t.rows[i], cellOf(value, schema[j]))
		}
	}
	for j := range schema {
		t.columns[j] = t.columnAt(j)
	}
	return t
}

// columnAt finds out what a column holds: what all cells are, or else text.
func (t *Table) columnAt(j int) column {
	var c column
	for _, row := range t.rows {
		switch of := row[j].kind; {
		case of == nothing || of == c.kind:
		case c.kind == nothing:
			c.kind = of
		case of == integer && c.kind == number, of == number && c.kind == integer:
			c.kind = number
		default:
			c.kind = text
		}
	}
	if c.kind == number {
		c.places, c.isCut = placesOf(t.rows, j)
	}
	return c
}

// What agate's print_table shows at most.
const (
	mostColumns = 6
	mostWidth   = 20
	ellipsis    = "..."
)

// Text is the table as dbt prints it.
func (t *Table) Text() string {
	lines := [][]string{slices.Clone(t.names)}
	for _, row := range t.rows {
		var line []string
		for j, c := range row {
			line = append(line, c.in(t.columns[j]))
		}
		lines = append(lines, line)
	}
	var widths []int
	for i, line := range lines {
		if len(line) > mostColumns {
			line = append(line[:mostColumns:mostColumns], ellipsis)
		}
		for j, text := range line {
			if utf8.RuneCountInString(text) > mostWidth {
				line[j] = string([]rune(text)[:mostWidth-len(ellipsis)]) + ellipsis
			}
			if i == 0 {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], utf8.RuneCountInString(line[j]))
		}
		lines[i] = line
	}
	var out strings.Builder
	for i, line := range lines {
		t.writeLine(&out, line, widths)
		if i == 0 {
			rules := make([]string, len(widths))
			for j, width := range widths {
				rules[j] = strings.Repeat("-", width)
			}
			out.WriteString("| " + strings.Join(rules, " | ") + " |\n")
		}
	}
	return out.String()
}

// writeLine puts text to the left, and all else to the right.
func (t *Table) writeLine(out *strings.Builder, line []string, widths []int) {
	for j, value := range line {
		room := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(value))
		if t.columns[j].kind == text {
			value += room
		} else {
			value = room + value
		}
		out.WriteString("| " + value + " ")
	}
	out.WriteString("|\n")
}

// JSON is the table as dbt's --output json prints it; node names what is shown,
// "" for a query of the command line.
func (t *Table) JSON(node string) (string, error) {
	var out strings.Builder
	write := func(indent string, value jinja.Value, end string) error {
		encoded, err := jinja.JSON(value, false)
		out.WriteString(indent + encoded + end)
		return err
	}
	out.WriteString("{\n")
	if node != "" {
		if err := write("  \"node\": ", node, ",\n"); err != nil {
			return "", err
		}
	}
	if len(t.rows) == 0 {
		return out.String() + "  \"show\": []\n}\n", nil
	}
	out.WriteString("  \"show\": [\n")
	for i, row := range t.rows {
		out.WriteString("    {\n")
		for j, c := range row {
			if err := write("      ", t.names[j], ": "); err != nil {
				return "", err
			}
			if err := write("", c.json(t.columns[j]), separator(j, len(row))); err != nil {
				return "", err
			}
		}
		out.WriteString("    }" + separator(i, len(t.rows)))
	}
	return out.String() + "  ]\n}\n", nil
}

func separator(i, of int) string {
	if i+1 < of {
		return ",\n"
	}
	return "\n"
}
