package cli

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/stationflow/stationflow/internal/ledger"
)

// print writes the report. The error says whether it is complete.
func (v *verification) print(report *ledger.Report, streams *Streams) error {
	out, width := streams.Out, 0
	if columns, is := streams.terminal(); is {
		width = columns
	}
	if v.asJSON {
		if err := printJSON(out, report); err != nil {
			return err
		}
	} else if err := printLedger(report, out, width); err != nil {
		return err
	}
	if report.Complete {
		return nil
	}
	return fmt.Errorf("%w: %s", errIncomplete, counted(len(report.Problems), "problem"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "ch") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printLedger writes a row for each place, a line for each problem, and a line
// for each kind of note. The rows fit so many columns; 0 is for as many as there
// need be.
func printLedger(report *ledger.Report, out io.Writer, width int) error {
	sum := sumOf(report)
	if _, err := out.Write(placesOf(report, sum).within(width)); err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		fmt.Fprintln(out)
	}
	for _, problem := range report.Problems {
		fmt.Fprintf(out, "%s: %s\n", problem.Kind, problem)
	}
	printNotes(report.Notes, out)
	verdict := "complete"
	if !report.Complete {
		verdict = "not complete"
	}
	fmt.Fprintf(out, "\n%s: %d records are in staging or in quarantine", verdict, sum.Landed())
	if absent := sum.DeadLetters + sum.Waiting + sum.Missing + sum.OnlyInLake; absent > 0 || report.Complete {
		fmt.Fprintf(out, ", %d are not", absent)
	}
	if sum.NotInLake > 0 {
		fmt.Fprintf(out, ", the lake lacks %d of them", sum.NotInLake)
	} else if !report.Complete {
		fmt.Fprintf(out, ", %s", counted(len(report.Problems), "problem"))
	}
	if sum.InFlight > 0 {
		fmt.Fprintf(out, ", %d are in flight", sum.InFlight)
	}
	fmt.Fprintln(out)
	return nil
}

func sumOf(report *ledger.Report) (sum ledger.Account) {
	for _, a := range report.Partitions {
		sum.Staging, sum.Quarantine, sum.InBoth = sum.Staging+a.Staging, sum.Quarantine+a.Quarantine, sum.InBoth+a.InBoth
		sum.Lake, sum.DeadLetters, sum.InFlight = sum.Lake+a.Lake, sum.DeadLetters+a.DeadLetters, sum.InFlight+a.InFlight
		sum.Waiting, sum.Missing, sum.OnlyInLake = sum.Waiting+a.Waiting, sum.Missing+a.Missing, sum.OnlyInLake+a.OnlyInLake
		sum.NotInLake += a.NotInLake
	}
	return sum
}

// places are the rows of a ledger: of each partition its name, its offsets, and
// how many records are where.
type places struct {
	head []string
	rows [][]string
}

// named is how many columns say which records a row is of; the others count.
const named = 2

func placesOf(report *ledger.Report, sum ledger.Account) places {
	p := places{head: []string{"TOPIC/PARTITION", "OFFSETS", "STAGING", "QUARANTINE", "LAKE", "DEAD LETTERS", "IN FLIGHT", "WAITING", "MISSING"}}
	add := func(name, offsets string, a ledger.Account) {
		row := []string{name, offsets}
		for _, n := range []int64{a.Staging, a.Quarantine, a.Lake, a.DeadLetters, a.InFlight, a.Waiting, a.Missing + a.OnlyInLake} {
			row = append(row, fmt.Sprint(n))
		}
		p.rows = append(p.rows, row)
	}
	for _, a := range report.Partitions {
		offsets := "none"
		if a.Next > a.First {
			offsets = ledger.Span{First: a.First, Next: a.Next}.String()
		}
		name := a.String()
		if !a.InKafka {
			name += " (" + a.TopicID[:min(8, len(a.TopicID))] + ")"
		}
		add(name, offsets, a)
	}
	add("all", "", sum)
	return p
}

// within writes the rows in so many columns, 0 for any. Where they are wider,
// counts that are 0 in every row are left out, and told below; where that is not
// enough, each row is two lines.
func (p places) within(width int) []byte {
	whole := p.table(0)
	if width == 0 || widest(whole) <= width {
		return whole
	}
	some, empty := p.counted()
	told := ""
	if len(empty) > 0 {
		told = broken("", "0 everywhere: "+strings.ToLower(strings.Join(empty, ", ")), width)
	}
	if table := some.table(0); widest(table) <= width {
		return append(table, told...)
	}
	return append(some.folded(), told...)
}

// counted leaves out the columns in which the last row, the sum, is 0, and names
// them.
func (p places) counted() (some places, empty []string) {
	some.rows = make([][]string, len(p.rows))
	for i, name := range p.head {
		if i >= named && p.rows[len(p.rows)-1][i] == "0" {
			empty = append(empty, name)
			continue
		}
		some.head = append(some.head, name)
		for r, row := range p.rows {
			some.rows[r] = append(some.rows[r], row[i])
		}
	}
	return some, empty
}

// table writes the columns from one on, each as wide as it must be.
func (p places) table(from int) []byte {
	var out bytes.Buffer
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range slices.Concat([][]string{p.head}, p.rows) {
		fmt.Fprintln(table, strings.Join(row[from:], "\t")+"\t")
	}
	_ = table.Flush() // to memory
	return out.Bytes()
}

// folded writes the counts of each row below its name.
func (p places) folded() []byte {
	var out bytes.Buffer
	counts := bytes.Split(bytes.TrimSuffix(p.table(named), []byte("\n")), []byte("\n"))
	for i, row := range slices.Concat([][]string{p.head}, p.rows) {
		fmt.Fprintf(&out, "%s\n%s\n", strings.TrimSpace(strings.Join(row[:named], "  ")), counts[i])
	}
	return out.Bytes()
}

// widest is how many columns the longest line takes.
func widest(text []byte) (columns int) {
	for line := range bytes.Lines(text) {
		columns = max(columns, utf8.RuneCount(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return columns
}

// printNotes writes the notes of each kind in one line, with the first of them.
func printNotes(notes []ledger.Finding, out io.Writer) {
	kinds := map[ledger.Kind][]ledger.Finding{}
	for _, note := range notes {
		kinds[note.Kind] = append(kinds[note.Kind], note)
	}
	if len(kinds) > 0 {
		fmt.Fprintln(out)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		some := kinds[kind]
		more := ""
		if len(some) > 1 {
			more = fmt.Sprintf(", the first of %d", len(some))
		}
		fmt.Fprintf(out, "note, %s%s: %s\n", kind, more, some[0])
	}
}
