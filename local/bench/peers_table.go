package bench

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/stationflow/stationflow/internal/program"
)

// The section of a page between these lines is written by --docs.
const (
	sectionBegins = "<!-- written by make bench-peers -->\n"
	sectionEnds   = "<!-- end of what make bench-peers writes -->\n"
)

const peersHeader = `| | events a CPU second | stationflow does | once started | wall, s | peak MB | bytes an event |
|---|--:|--:|--:|--:|--:|--:|
`

// section is the result in Markdown.
func (p *Peers) section() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %d cores (%s), %s, commit %s: %s events from %s, by turns; rounds: %d, and one before over %s events. Medians, and the spread.\n\n",
		p.Date.Format("2006-01-02"), p.Machine.Cores, p.Machine.Model, p.Machine.Go, p.Commit, thousands(p.Events), p.Broker,
		len(p.Rows[0].Rounds), thousands(p.Trial))
	out.WriteString(peersHeader)
	var notes []string
	for _, row := range p.Rows {
		if row.Fault != "" {
			fault, _, _ := strings.Cut(row.Fault, "\n")
			notes = append(notes, fmt.Sprintf("%s is left out: %s", row.Title, fault))
			continue
		}
		out.WriteString(p.row(row))
		if row.ReadsOnly && row != p.Rows[1] {
			notes = append(notes, fmt.Sprintf("The bridge takes %s times the processor time of %s.", p.ratio(row, p.Rows[1], 2), row.Title))
		}
	}
	for i, note := range notes {
		if i == 0 {
			out.WriteString("\n")
		}
		out.WriteString("- " + note + "\n")
	}
	return out.String()
}

func (p *Peers) row(row *Peer) string {
	events := spread(row.Rounds, func(m Measure) float64 { return float64(p.Events) / max(m.CPUS, 0.01) })
	wall := spread(row.Rounds, func(m Measure) float64 { return m.WallS })
	peak := spread(row.Rounds, func(m Measure) float64 { return m.PeakRSSMB })
	size := spread(row.Rounds, func(m Measure) float64 { return float64(m.ParquetBytes) / float64(p.Events) })
	ratio, bytes := "", ""
	if !row.ReadsOnly {
		bytes = strconv.FormatFloat(size.Median, 'f', 1, 64)
	}
	if !row.ReadsOnly && row != p.Rows[0] {
		ratio = p.ratio(p.Rows[0], row, 1) + " ×"
	}
	return fmt.Sprintf("| %s | %s (%s to %s) | %s | %s | %.1f | %.0f | %s |\n", row.Title, speed(events.Median), speed(events.Least),
		speed(events.Most), ratio, p.started(row), wall.Median, peak.Median, bytes)
}

// started is the speed without what a start costs: of the events that the
// rounds had more than the trial, with the processor time that they took more.
func (p *Peers) started(row *Peer) string {
	cpu := spread(row.Rounds, func(m Measure) float64 { return m.CPUS }).Median - row.Trial.CPUS
	if more := p.Events - p.Trial; more > 0 && cpu > 0 {
		return speed(float64(more) / cpu)
	}
	return ""
}

// ratio is how much more processor time above takes than below, round by round.
func (p *Peers) ratio(below, above *Peer, digits int) string {
	i := 0
	r := spread(above.Rounds, func(m Measure) float64 {
		i++
		return m.CPUS / max(below.Rounds[i-1].CPUS, 0.01)
	})
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', digits, 64) }
	return fmt.Sprintf("%s (%s to %s)", number(r.Median), number(r.Least), number(r.Most))
}

func spread(rounds []Measure, of func(Measure) float64) Ratio {
	var all []float64
	for _, m := range rounds {
		all = append(all, of(m))
	}
	return Ratio{Median: median(all), Least: slices.Min(all), Most: slices.Max(all)}
}

// speed writes a number of which three digits count.
func speed(f float64) string {
	unit := math.Pow10(max(int(math.Log10(max(f, 1)))-2, 0))
	return thousands(int(math.Round(f/unit) * unit))
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// publish writes the section to a page.
func (p *Peers) publish(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return program.Mistakef("--docs: %v", err)
	}
	before, rest, begins := bytes.Cut(page, []byte(sectionBegins))
	_, after, ends := bytes.Cut(rest, []byte(sectionEnds))
	if !begins || !ends {
		return program.Mistakef("--docs: %s has no place for the table: put the line %q and then %q where it belongs", path,
			strings.TrimSpace(sectionBegins), strings.TrimSpace(sectionEnds))
	}
	page = slices.Concat(before, []byte(sectionBegins+"\n"+p.section()+"\n"+sectionEnds), after)
	if err := os.WriteFile(path, page, 0o644); err != nil {
		return fmt.Errorf("writing the table of peers: %w", err)
	}
	return nil
}
