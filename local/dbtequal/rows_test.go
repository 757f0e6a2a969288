package dbtequal

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/local/staged"
)

// differences says how a table or view of one dataset differs from that of
// another: in its columns and in its rows, in any order. When a figure was
// computed does not count, nor do the last digits of a sum.
func differences(w *staged.Warehouse, one, other, table string) []string {
	columns, others := columnsOf(w, one, table), columnsOf(w, other, table)
	if !slices.Equal(columns, others) {
		return []string{fmt.Sprintf("columns %v and %v", columns, others)}
	}
	what := "*"
	if slices.Contains(columns, "computed_at TIMESTAMP") {
		what = "* except (computed_at)"
	}
	rows, otherRows := rowsOf(w, what, one, table), rowsOf(w, what, other, table)
	if len(rows) != len(otherRows) {
		return []string{fmt.Sprintf("%d and %d rows", len(rows), len(otherRows))}
	}
	var found []string
	for i := range rows {
		if !rows[i].equals(otherRows[i]) {
			found = append(found, fmt.Sprintf("row %v and %v", rows[i], otherRows[i]))
		}
	}
	return found
}

func columnsOf(w *staged.Warehouse, dataset, table string) []string {
	metadata, err := w.Client.Dataset(dataset).Table(table).Metadata(w.Context())
	if err != nil {
		return []string{err.Error()}
	}
	var columns []string
	for _, field := range metadata.Schema {
		columns = append(columns, field.Name+" "+string(field.Type))
	}
	return columns
}

// A row is what must be the same to the letter, NULLs with it, and its numbers
// with fractions.
type row struct {
	exact  string
	floats []float64
}

func rowsOf(w *staged.Warehouse, what, dataset, table string) []row {
	var rows []row
	for _, values := range w.Query("select " + what + " from " + dataset + "." + table) {
		rows = append(rows, newRow(values))
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.exact, b.exact), slices.Compare(a.floats, b.floats)) })
	return rows
}

func newRow(values []bigquery.Value) row {
	var exact strings.Builder
	r := row{}
	for _, value := range values {
		switch value := value.(type) {
		case float64:
			r.floats = append(r.floats, value)
			exact.WriteString("number|")
		default:
			fmt.Fprintf(&exact, "%v|", value)
		}
	}
	r.exact = exact.String()
	return r
}

func (r row) equals(other row) bool {
	return r.exact == other.exact && slices.EqualFunc(r.floats, other.floats, func(a, b float64) bool {
		return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(a))
	})
}
