// Package waterfall shows traces as people read them: a line for each span,
// those within it below, and when in the trace it was.
package waterfall

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Span is one span of a trace.
type Span struct {
	TraceID    string            `json:"trace_id"`
	ID         string            `json:"span_id"`
	Parent     string            `json:"parent_span_id,omitempty"`
	Name       string            `json:"name"`
	Service    string            `json:"service"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Error      string            `json:"error,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Links      []Link            `json:"links,omitempty"`
}

// A Link is another span from which one comes.
type Link struct {
	TraceID    string            `json:"trace_id"`
	SpanID     string            `json:"span_id"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Took is how long the span lasted.
func (s *Span) Took() time.Duration { return max(0, s.End.Sub(s.Start)) }

// A Trace is spans of one trace id, in the order in which they are shown.
type Trace struct {
	ID    string `json:"trace_id"`
	Spans []Span `json:"spans"`
}

// A Row is a span as it is shown.
type Row struct {
	*Span
	Depth       int     // how many spans of the trace it is within
	From, Width float64 // when in the trace it was, as shares of it
}

// Rows are the trace's spans, each below the one that it is within, those
// within one by their start.
func (t *Trace) Rows() []Row {
	if len(t.Spans) == 0 {
		return nil
	}
	within := map[string][]*Span{}
	known := map[string]bool{}
	start, end := t.Spans[0].Start, t.Spans[0].End
	for i := range t.Spans {
		s := &t.Spans[i]
		known[s.ID] = true
		if s.Start.Before(start) {
			start = s.Start
		}
		if s.End.After(end) {
			end = s.End
		}
	}
	for i := range t.Spans {
		s := &t.Spans[i]
		above := s.Parent
		if !known[above] || above == s.ID {
			above = "" // another process has not sent it, or not yet
		}
		within[above] = append(within[above], s)
	}
	whole := max(float64(end.Sub(start)), 1)
	var rows []Row
	var show func(above string, depth int)
	show = func(above string, depth int) {
		spans := within[above]
		delete(within, above) // so that spans that name each other end
		slices.SortStableFunc(spans, func(a, b *Span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
		for _, s := range spans {
			rows = append(rows, Row{s, depth, float64(s.Start.Sub(start)) / whole, float64(s.Took()) / whole})
			show(s.ID, depth+1)
		}
	}
	show("", 0)
	for i := range t.Spans { // what is left names each other
		show(t.Spans[i].Parent, 0)
	}
	return rows
}

// columns is how wide the picture of a trace is.
const columns = 32

// Print writes the traces as text.
func Print(out io.Writer, traces []Trace) {
	for i := range traces {
		rows := traces[i].Rows()
		fmt.Fprintf(out, "  trace %s\n", traces[i].ID)
		widest := 0
		for _, r := range rows {
			widest = max(widest, 2*r.Depth+len(r.Name))
		}
		for _, r := range rows {
			begin := min(int(r.From*columns), columns-1)
			bar := strings.Repeat(" ", begin) + strings.Repeat("=", min(max(int(r.Width*columns+0.5), 1), columns-begin))
			line := fmt.Sprintf("    %-*s  %s %10s  |%-*s|  %s", widest, strings.Repeat("  ", r.Depth)+r.Name,
				r.Start.UTC().Format("15:04:05.000"), r.Took().Round(100*time.Microsecond), columns, bar, r.Service)
			if n := len(r.Links); n > 0 {
				line += fmt.Sprintf(", links %d", n)
			}
			if r.Error != "" {
				line += ", " + strings.ReplaceAll(r.Error, "\n", " ")
			}
			fmt.Fprintln(out, line)
		}
	}
}
