package console

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stationflow/stationflow/internal/status"
	"github.com/stationflow/stationflow/local/dashboard"
)

// Line sums a status up within Width: what does not fit is left out, the least
// telling first.
func Line(s dashboard.Status) string {
	line := s.At.Format("15:04:05 ") + string(s.Overall.State)
	if s.Simulation != nil {
		line += s.Simulation.At.Format("  simulated 15:04")
	}
	for _, part := range parts(s) {
		if part == "" {
			continue
		}
		if utf8.RuneCountInString(line)+2+utf8.RuneCountInString(part) > Width {
			break
		}
		line += "  " + part
	}
	return line
}

// parts are the facts in the order in which they matter; "" for one that is
// not worth a word.
func parts(s dashboard.Status) []string {
	var lag dashboard.LagStatus
	var retries int64
	var rate string
	for _, hop := range s.Hops {
		if hop.Waiting != nil && hop.Hop != dashboard.TransformRuns {
			lag.Records += hop.Waiting.Records
			lag.Seconds = max(lag.Seconds, hop.Waiting.Seconds)
		}
		if hop.Retries != nil {
			retries += *hop.Retries
		}
		if hop.Hop == dashboard.Ingest && hop.PerSecond != nil {
			rate = perSecond(*hop.PerSecond)
		}
	}
	return []string{
		some(s.DeadLetters, "dead letter", "dead letters"),
		refused(s.Refused),
		rate,
		waiting(lag),
		freshness(s.Freshness),
		transform(s.Transform),
		some(retries, "retry", "retries"),
		quarantined(s),
	}
}

func waiting(lag dashboard.LagStatus) string {
	if lag.Records == 0 {
		return "lag 0"
	}
	return fmt.Sprintf("lag %s %s", short(float64(lag.Records)), seconds(lag.Seconds))
}

func freshness(f dashboard.FreshnessStatus) string {
	if f.P50 == nil || f.P99 == nil {
		return ""
	}
	return fmt.Sprintf("fresh %s p99 %s", seconds(*f.P50), seconds(*f.P99))
}

func transform(t dashboard.TransformStatus) string {
	switch {
	case t.LastStatus == nil || t.LastTook == nil:
		return ""
	case *t.LastStatus != "ok":
		return "transform " + *t.LastStatus
	}
	return "transform " + seconds(*t.LastTook)
}

// refused is about the topic of which lately most was refused.
func refused(r dashboard.RefusedStatus) string {
	if len(r.Topics) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %.1f%% refused", r.Topics[0].Topic, 100*r.Topics[0].Share)
}

// quarantined is about all since the start.
func quarantined(s dashboard.Status) string {
	if s.Quarantined == 0 || s.QuarantinedShare == nil {
		return ""
	}
	return fmt.Sprintf("quarantined %s (%.1f%%)", short(float64(s.Quarantined)), *s.QuarantinedShare*100)
}

func some(n int64, one, many string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + one
	}
	return short(float64(n)) + " " + many
}

func perSecond(rate float64) string {
	if rate > 0 && rate < 9.95 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return short(rate) + "/s"
}

// short writes a number in at most five columns.
func short(n float64) string {
	switch {
	case n < 9_999.5:
		return fmt.Sprintf("%.0f", n)
	case n < 999_500:
		return fmt.Sprintf("%.0fk", n/1e3)
	case n < 999_500_000:
		return fmt.Sprintf("%.1fM", n/1e6)
	}
	return fmt.Sprintf("%.1fG", n/1e9)
}

func seconds(s float64) string {
	switch {
	case s < 9.95:
		return fmt.Sprintf("%.1fs", s)
	case s < 120:
		return fmt.Sprintf("%.0fs", s)
	case s < 7200:
		return fmt.Sprintf("%.0fmin", s/60)
	}
	return fmt.Sprintf("%.0fh", s/3600)
}

// maxLines bounds what is told of a reason: an error can be a page long, and
// the page and the log have it whole.
const maxLines = 5

// told breaks a reason and what to do into lines of at most Width, the first
// after head and the others below its text. What to do is told whole: it may be
// a statement to copy.
func told(head, reason, remedy string) string {
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	lines := broken(reason, Width-len(indent))
	if len(lines) > maxLines {
		lines = append(lines[:maxLines-1:maxLines-1], "…")
	}
	for line := range strings.SplitSeq(remedy, "\n") {
		words, command := status.Command(line)
		lines = append(lines, broken(words, Width-len(indent))...)
		if command != "" { // whole, so that it can be pasted
			lines = append(lines, printable(command))
		}
	}
	return head + strings.Join(lines, "\n"+indent) + "\n"
}

// broken breaks text between words.
func broken(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(printable(text)) {
		for _, piece := range pieces(word, width) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(piece) > width {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimLeft(line+" "+piece, " ")
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// pieces cuts a word that is longer than a line.
func pieces(word string, width int) []string {
	var all []string
	runes := []rune(word)
	for len(runes) > width {
		all, runes = append(all, string(runes[:width])), runes[width:]
	}
	return append(all, string(runes))
}

// printable keeps what comes from data from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
