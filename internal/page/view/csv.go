package view

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"cloud.google.com/go/civil"
)

// WriteCSV writes a chart as comma-separated values with a line of names, no two
// of them the same. Values are rounded as the page shows them, shares in
// percent. What nobody knows, or nobody can know yet, is empty. Remarks say
// which values of a line are not whole. The columns after it say the same in
// every line: of which days, hours and stations the values are, in which time
// zone, the chart's note, and of when the figures are. A name that a spreadsheet would take for a formula
// begins with an apostrophe there, as spreadsheets write texts.
func (a *Answer) WriteCSV(to io.Writer, c *Chart) error {
	w := csv.NewWriter(to)
	head := []string{c.By}
	for _, s := range c.Series {
		head = append(head, plain(a.named(&s)))
	}
	head = append(head, "Remarks")
	context := a.context(c)
	for _, one := range context {
		head = append(head, one[0])
	}
	_ = w.Write(unlike(head)) // Error has the first fault
	for _, row := range c.Rows {
		line := []string{plain(row.Name)}
		for i, value := range row.Values {
			switch v := value.(type) {
			case float64:
				line = append(line, rounded(v, c.Series[i].Unit))
			case string:
				line = append(line, plain(v))
			default:
				line = append(line, "")
			}
		}
		line = append(line, plain(remarks(c, row)))
		for _, one := range context {
			line = append(line, plain(one[1]))
		}
		_ = w.Write(line)
	}
	w.Flush()
	return w.Error()
}

// rounded writes a number as the page does.
func rounded(value float64, unit string) string {
	switch unit {
	case "share":
		return strconv.FormatFloat(100*value, 'f', 1, 64)
	case "minutes":
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	return strconv.FormatFloat(math.Round(value), 'f', 0, 64)
}

// remarks say which values of a row are not whole, and why.
func remarks(c *Chart, row Row) string {
	var all []string
	for i, why := range row.Marks {
		if why != "" {
			all = append(all, c.Series[i].Label+": "+why)
		}
	}
	return strings.Join(all, "; ")
}

// unlike numbers names that are there already.
func unlike(names []string) []string {
	seen := map[string]bool{}
	for i, name := range names {
		for n := 2; seen[names[i]]; n++ {
			names[i] = fmt.Sprintf("%s %d", name, n)
		}
		seen[names[i]] = true
	}
	return names
}

// named is a series with its dates, its hours where these end before those that
// were asked for, and its unit.
func (a *Answer) named(s *Series) string {
	label := s.Label
	if s.Period.ID != "" && !strings.Contains(label, dates(s.Period.From, s.Period.To, " to ")) {
		label += " " + dates(s.Period.From, s.Period.To, " to ")
	}
	switch {
	case s.End == 0:
	case s.Period.From == s.Period.To:
		label += " " + hour(int64(a.Hours[0])) + " to " + hour(int64(s.End))
	default:
		label += " until " + hour(int64(s.End))
	}
	unit := map[string]string{"share": "%"}[s.Unit]
	if unit = cmp.Or(unit, s.Unit); unit != "" && !strings.EqualFold(unit, label) {
		label += " (" + unit + ")"
	}
	return label
}

// context says what a chart's values are of, as names and values.
func (a *Answer) context(c *Chart) [][2]string {
	from, to := a.days(c)
	computed, simulated := "", map[bool]string{true: "yes", false: "no"}[a.Simulated]
	if a.ComputedAt != nil {
		computed = a.ComputedAt.Format(time.RFC3339)
	}
	return [][2]string{
		{"From date", from.String()}, {"To date", to.String()},
		{"Hours", hour(int64(a.Hours[0])) + " to " + hour(int64(a.Hours[1]))},
		{"Stations", strings.Join(a.chosenStations(), ", ")},
		{"Time zone", a.TimeZone}, {"Note", c.Note}, {"Figures of", computed}, {"Simulated", simulated},
	}
}

// days are the first and the last of what a chart is of.
func (a *Answer) days(c *Chart) (from, to civil.Date) {
	if c.From.IsValid() {
		return c.From, c.To
	}
	return a.Periods[0].From, a.Periods[0].To
}

func (a *Answer) chosenStations() (names []string) {
	for _, s := range a.Stations {
		if s.Chosen {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return []string{"all"}
	}
	return names
}

// mostNamed is how many stations a file's name has; more are counted.
const mostNamed = 3

// FileName is the name of a chart's file: the chart, its days and hours, the
// stations, and the days that it is compared with.
func (a *Answer) FileName(c *Chart) string {
	from, to := a.days(c)
	parts := []string{c.ID, dates(from, to, "_to_")}
	if a.Hours != [2]int{0, 24} {
		parts = append(parts, fmt.Sprintf("%02d-%02dh", a.Hours[0], a.Hours[1]))
	}
	switch names := a.chosenStations(); {
	case len(names) > mostNamed:
		parts = append(parts, fmt.Sprintf("%d-stations", len(names)))
	case names[0] == "all":
		parts = append(parts, "all-stations")
	default:
		for _, name := range names {
			parts = append(parts, hyphened(name))
		}
	}
	word := "compared-with"
	for _, s := range c.Series {
		if s.Period.ID != "" && s.Period.ID != "this" {
			parts = append(parts, word, dates(s.Period.From, s.Period.To, "_to_"))
			word = "and"
		}
	}
	return strings.Join(parts, "_") + ".csv"
}

// dates writes a span of days.
func dates(from, to civil.Date, between string) string {
	if from == to {
		return from.String()
	}
	return from.String() + between + to.String()
}

// hyphened keeps letters and digits of a name, with hyphens for all else.
func hyphened(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
}

func plain(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
