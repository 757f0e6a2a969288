package view

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// WriteCSV writes a chart as comma-separated values with a line of names. What
// nobody knows is empty. A name that a spreadsheet would take for a formula
// begins with an apostrophe there, as spreadsheets write texts.
func (c *Chart) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	head := []string{c.By}
	for _, s := range c.Series {
		label := s.Label
		if s.Unit != "" && !strings.EqualFold(s.Unit, label) {
			label += " (" + s.Unit + ")"
		}
		head = append(head, plain(label))
	}
	_ = w.Write(head) // Error has the first fault
	for _, row := range c.Rows {
		line := []string{plain(row.Name)}
		for _, value := range row.Values {
			switch v := value.(type) {
			case float64:
				line = append(line, strconv.FormatFloat(v, 'f', -1, 64))
			case string:
				line = append(line, plain(v))
			default:
				line = append(line, "")
			}
		}
		_ = w.Write(line)
	}
	w.Flush()
	return w.Error()
}

func plain(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
