package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/program"
)

// A Contest is what --json writes of --against: the results of two builds,
// measured by turns.
type Contest struct {
	Pairs  []Pair           `json:"pairs"`
	Ratios map[string]Ratio `json:"ratios"` // by the result's names; above 1 where this build has more
}

// A Pair is two runs, one after the other.
type Pair struct {
	Before Result `json:"before"` // of the other build
	Now    Result `json:"now"`
}

// A Ratio is that of a figure of both builds, over the pairs.
type Ratio struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Before float64 `json:"before"` // median of the figure
	Now    float64 `json:"now"`
}

// figures are the figures that are figures, in the order of the table.
var figures = []struct {
	name, title string
	of          func(*Result) float64
}{
	{"events_per_cpu_s", "events a CPU second", func(r *Result) float64 { return r.EventsPerCPUS }},
	{"bridge_cpu_s", "bridge, CPU s", func(r *Result) float64 { return r.BridgeCPUS }},
	{"functions_cpu_s", "functions, CPU s", func(r *Result) float64 { return r.FunctionsCPUS }},
	{"wall_s", "wall, s", func(r *Result) float64 { return r.WallS }},
	{"bridge_peak_rss_mb", "bridge, peak MB", func(r *Result) float64 { return r.BridgePeakRSSMB }},
	{"functions_peak_rss_mb", "functions, peak MB", func(r *Result) float64 { return r.FunctionsPeakRSSMB }},
	{"parquet_bytes_per_event", "lake, bytes an event", func(r *Result) float64 { return float64(r.ParquetBytes) / float64(max(r.Valid, 1)) }},
	{"freshness_p99_ms", "freshness p99, ms", func(r *Result) float64 { return r.Freshness.P99 }},
	{"cold_start_ms", "cold start, ms", func(r *Result) float64 { return r.ColdStartMS }},
}

// measureAgainst measures this build and another by turns. Each build's own
// bench measures and checks it, because an older one has other settings and
// other log lines.
func measureAgainst(ctx context.Context, self string, o Options, streams cli.Streams) (err error) {
	other, saved, err := opponent(o.Against)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "stationflow-bench-")
	if err != nil {
		return fmt.Errorf("making a folder for the results: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	m := match{options: o, file: filepath.Join(folder, "result.json"), progress: streams.Err}
	c := &Contest{}
	for i := range o.Pairs {
		before := saved
		if other != "" {
			fmt.Fprintf(streams.Err, "pair %d of %d: %s\n", i+1, o.Pairs, other)
			if before, err = m.run(ctx, other); err != nil {
				return err
			}
		}
		fmt.Fprintf(streams.Err, "pair %d of %d: this build\n", i+1, o.Pairs)
		now, err := m.run(ctx, self)
		if err != nil {
			return err
		}
		if err := alike(before, now); err != nil {
			return err
		}
		c.Pairs = append(c.Pairs, Pair{Before: *before, Now: *now})
	}
	c.weigh()
	c.print(streams.Out, other == "")
	if o.JSON != "" {
		return saveJSON(o.JSON, c)
	}
	return nil
}

// opponent is the other build's program, or the result of a run that was
// saved.
func opponent(path string) (program string, saved *Result, err error) {
	about, err := os.Stat(path)
	if err != nil {
		return "", nil, mistakenOpponent(path, err)
	}
	if about.IsDir() {
		path = filepath.Join(path, "stationflow")
		if about, err = os.Stat(path); err != nil {
			return "", nil, mistakenOpponent(path, err)
		}
	}
	if about.Mode()&0o111 != 0 {
		path, err = filepath.Abs(path)
		return path, nil, err
	}
	saved, err = readResult(path)
	if err != nil {
		return "", nil, mistakenOpponent(path, err)
	}
	return "", saved, nil
}

func mistakenOpponent(path string, err error) error {
	return program.Mistakef("--against is %s, which is neither another build's bin/stationflow nor a result of --json: %v", path, err)
}

func readResult(path string) (*Result, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("reading the result %s: %w", path, err)
	}
	if r.CPUS <= 0 || r.Events <= 0 {
		return nil, fmt.Errorf("%s has no result of a run", path)
	}
	return r, nil
}

// alike says why two results cannot be figures.
func alike(before, now *Result) error {
	if before.Events != now.Events || before.Sinks != now.Sinks || before.Rate != now.Rate {
		return program.Mistakef("the other result is of %d events into %s at rate %d, this one of %d into %s at rate %d: use the same flags",
			before.Events, before.Sinks, before.Rate, now.Events, now.Sinks, now.Rate)
	}
	if before.Machine.Cores != now.Machine.Cores || before.Machine.Model != now.Machine.Model {
		return program.Mistakef("the other result is of another machine, %d cores of %s: measure both builds on one", before.Machine.Cores, before.Machine.Model)
	}
	return nil
}

// A match runs builds, one at a time.
type match struct {
	options  Options
	file     string
	progress io.Writer
}

func (m *match) run(ctx context.Context, stationflow string) (*Result, error) {
	o := m.options
	args := []string{"bench", "--events", strconv.Itoa(o.Events), "--sinks", o.Sinks, "--json", m.file}
	if o.Rate > 0 {
		args = append(args, "--rate", strconv.Itoa(o.Rate))
	}
	if o.Kafka != "" {
		args = append(args, "--kafka", o.Kafka)
	}
	command := exec.CommandContext(ctx, stationflow, args...)
	command.Stderr = m.progress
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("running %s bench: %w", stationflow, err)
	}
	r, err := readResult(m.file)
	return r, errors.Join(err, os.Remove(m.file))
}

// weigh works out the ratios.
func (c *Contest) weigh() {
	c.Ratios = map[string]Ratio{}
	for _, figure := range figures {
		var ratios, before, now []float64
		for i := range c.Pairs {
			b, n := figure.of(&c.Pairs[i].Before), figure.of(&c.Pairs[i].Now)
			before, now = append(before, b), append(now, n)
			if b > 0 {
				ratios = append(ratios, n/b)
			}
		}
		if len(ratios) == len(c.Pairs) {
			c.Ratios[figure.name] = Ratio{
				Median: median(ratios), Least: slices.Min(ratios), Most: slices.Max(ratios), Before: median(before), Now: median(now),
			}
		}
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// print writes the medians, and the ratios with their spread.
func (c *Contest) print(out io.Writer, fromFile bool) {
	first := &c.Pairs[0].Now
	fmt.Fprintf(out, "\n%d cores, %s; %d events into %s; pairs: %d\n\n", first.Machine.Cores, first.Machine.Model, first.Events, first.Sinks, len(c.Pairs))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "median\tbefore\tnow\tratio\tfrom\tto\t")
	for _, figure := range figures {
		r, ok := c.Ratios[figure.name]
		if !ok {
			continue
		}
		fmt.Fprintf(table, "%s\t%.4g\t%.4g\t%.2f\t%.2f\t%.2f\t\n", figure.title, r.Before, r.Now, r.Median, r.Least, r.Most)
	}
	_ = table.Flush()
	if fromFile {
		fmt.Fprintln(out, "\nThe earlier result was not measured by turns with this build: the machine may have been busier or idler.")
	}
}
