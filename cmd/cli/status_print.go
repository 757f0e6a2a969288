package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stationflow/stationflow/internal/status"
)

// printStatus writes the hops as a table, what to know of those that are not
// well, and a line for each further figure, within so many columns.
func printStatus(out io.Writer, now status.Status, width int) {
	fmt.Fprintf(out, "%s %s", now.At.Format("15:04:05"), now.Overall.State)
	if now.Simulation != nil {
		fmt.Fprintf(out, ", at the simulated stations it is %s", now.Simulation.At.Format("15:04"))
	}
	fmt.Fprint(out, "\n\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOP\tSTATE\tCOUNT\tA SECOND\tWAITING\tRETRIES\tFAILURES")
	for _, hop := range now.Hops {
		waiting, rate := "-", "-"
		if hop.Waiting != nil {
			waiting = fmt.Sprintf("%d, %s", hop.Waiting.Records, ageText(hop.Waiting.Seconds))
		}
		if hop.PerSecond != nil {
			rate = fmt.Sprintf("%.1f", *hop.PerSecond)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", hop.Name, hop.State, counted(int(hop.Records), strings.TrimSuffix(hop.Unit, "s")), rate, waiting, count(hop.Retries), count(hop.Failures))
	}
	_ = table.Flush() // out's errors are seen below
	fmt.Fprintln(out)
	for _, hop := range now.Hops {
		if hop.State == status.Behind || hop.State == status.Failing || hop.Note != "" && hop.Failures != nil && *hop.Failures > 0 {
			fmt.Fprint(out, advised(hop.Name+": ", hop.Note, hop.Remedy, width))
		}
	}
	line := func(name, format string, args ...any) {
		fmt.Fprint(out, broken(fmt.Sprintf("%-13s ", name), fmt.Sprintf(format, args...), width))
	}
	if now.CountNote != "" {
		line("count", "%s", now.CountNote)
	}
	line("freshness", "%s", freshText(now.Freshness))
	line("transform", "%s", transformText(now.Transform))
	advice := func(name, said, remedy string) {
		fmt.Fprint(out, advised(fmt.Sprintf("%-13s ", name), said, remedy, width))
	}
	advice("quarantine", quarantineText(now), now.Refused.Remedy)
	if now.DeadLetters > 0 {
		advice("dead letters", counted(int(now.DeadLetters), "batch")+".", "See why: stationflow deadletters list")
	} else {
		line("dead letters", "none")
	}
	if now.NewFields != "" {
		line("new fields", "%s", now.NewFields)
	}
	if len(now.Alerts) == 0 {
		line("alerts", "none is open")
	}
	untold := false
	for i, a := range now.Alerts {
		untold = untold || a.Trouble != ""
		name, told := "", "told"
		if i == 0 {
			name = "alerts"
		}
		if !a.Told {
			told = "not told yet"
		}
		if a.Trouble != "" {
			told = "not told: " + oneLine(a.Trouble)
		}
		line(name, "%s %s (%s, open for %s)", a.BeganAt.Format("15:04"), a.Text, told, ageText(a.Age))
	}
	if untold {
		advice("", "", "See why in the log: "+seeLog+"\nSee who was told: stationflow alerts")
	}
}

// seeLog is where the attempts to tell somebody of an alert are.
const seeLog = "stationflow logs --level warn"

func count(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// ageText writes seconds for a person.
func ageText(s float64) string {
	switch {
	case s < 10:
		return fmt.Sprintf("%.1f s", s)
	case s < 120:
		return fmt.Sprintf("%.0f s", s)
	case s < 7200:
		return fmt.Sprintf("%.0f min", s/60)
	}
	return fmt.Sprintf("%.0f h", s/3600)
}

func freshText(f status.Freshness) string {
	if f.P50 == nil || f.P99 == nil {
		return "no record came lately"
	}
	return fmt.Sprintf("%s from Kafka to staging, p99 %s", ageText(*f.P50), ageText(*f.P99))
}

func transformText(t status.Transform) string {
	text := ""
	switch {
	case t.LastFinished == nil:
		text = "no run has finished"
	case t.LastStatus != nil:
		text = fmt.Sprintf("%s at %s", *t.LastStatus, t.LastFinished.Format(time.TimeOnly))
	default:
		text = "prod_data was written at " + t.LastFinished.Format(time.TimeOnly)
	}
	if t.LastTook != nil {
		text += ", took " + ageText(*t.LastTook)
	}
	if t.LastStatus != nil {
		text += fmt.Sprintf(", %s built, %s", counted(int(t.Changed), "model"), counted(int(t.TestsRun), "test"))
	}
	for _, m := range t.Models {
		if m.Error != "" {
			text += fmt.Sprintf("; model %s %s: %s", m.Name, m.Status, m.Error)
		}
	}
	for _, f := range t.Findings {
		text += fmt.Sprintf("; test %s %s", f.Test, f.Status)
	}
	switch {
	case t.RunningSince != nil:
		text += "; one runs since " + t.RunningSince.Format(time.TimeOnly)
	case t.Next != nil:
		text += "; the next at " + t.Next.Format(time.TimeOnly)
	}
	return text
}

func quarantineText(now status.Status) string {
	if now.Quarantined == 0 {
		return "empty"
	}
	text := counted(int(now.Quarantined), "record")
	if now.QuarantinedShare != nil {
		text += fmt.Sprintf(", %.1f %% of all", *now.QuarantinedShare*100)
	}
	if now.Refused.Note != "" {
		text += ". " + now.Refused.Note
	}
	return text
}
