package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/local/built"
)

// aBuild is a program that answers bench with results, one after the other.
func aBuild(t *testing.T, name string, results ...Result) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if err := r.save(filepath.Join(folder, fmt.Sprintf("%d.json", i))); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "stationflow")
	script := `#!/bin/sh
cd "$(dirname "$0")"
while [ $# -gt 0 ]; do [ "$1" = --json ] && to=$2; shift; done
n=$(cat n 2>/dev/null || echo 0)
cp "$n.json" "$to" && echo $((n + 1)) > n
`
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// resultOf is that of a run which took so much processor time.
func resultOf(cpu float64) Result {
	return Result{
		Events: 1000, Valid: 990, Sinks: lakeOnly, CPUS: cpu, BridgeCPUS: cpu / 4, FunctionsCPUS: cpu * 3 / 4,
		EventsPerCPUS: 1000 / cpu, WallS: 1, BridgePeakRSSMB: 100, FunctionsPeakRSSMB: 120, ParquetBytes: 9900,
		Freshness: Freshness{P99: 500}, ColdStartMS: 40, Machine: thisMachine(),
	}
}

func against(t *testing.T, self string, o Options) (string, error) {
	t.Helper()
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := measureAgainst(t.Context(), self, o, cli.Streams{Getenv: func(string) string { return "" }, Out: &out, Err: testWriter{t}})
	return out.String(), err
}

func TestAgainst_ComparesByTurns(t *testing.T) {
	other := aBuild(t, "other", resultOf(4), resultOf(8), resultOf(6))
	self := aBuild(t, "self", resultOf(2), resultOf(2), resultOf(2))
	file := filepath.Join(t.TempDir(), "contest.json")
	table, err := against(t, self, Options{Events: 1000, Sinks: lakeOnly, Against: filepath.Dir(other), Pairs: 3, JSON: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"events a CPU second", "3.00", "2.00", "4.00", "pairs: 3"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
	if strings.Contains(table, "not measured by turns") {
		t.Errorf("two builds were measured by turns:\n%s", table)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c Contest
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	want := Ratio{Median: 1. / 3, Least: 0.25, Most: 0.5, Before: 4.5, Now: 1.5}
	if got := c.Ratios["functions_cpu_s"]; got != want || len(c.Pairs) != 3 || c.Pairs[1].Before.CPUS != 8 {
		t.Errorf("the functions' ratio is %+v, want %+v; pairs %+v", got, want, c.Pairs)
	}
}

func TestAgainst_ComparesWithASavedResult(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "before.json")
	r := resultOf(3)
	if err := r.save(saved); err != nil {
		t.Fatal(err)
	}
	self := aBuild(t, "self", resultOf(2), resultOf(1))
	table, err := against(t, self, Options{Events: 1000, Sinks: lakeOnly, Against: saved, Pairs: 2})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table, "2.25") || !strings.Contains(table, "not measured by turns") {
		t.Errorf("the table is\n%s", table)
	}
}

func TestAgainst_RefusesWhatCannotBeCompared(t *testing.T) {
	elsewhere := resultOf(2)
	elsewhere.Machine.Cores += 62
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("not a result"), 0o644); err != nil {
		t.Fatal(err)
	}
	more := resultOf(2)
	more.Events = 2000
	for name, c := range map[string]struct{ against, want string }{
		"nothing there":     {filepath.Join(t.TempDir(), "none"), "neither another build's"},
		"something else":    {text, "neither another build's"},
		"another machine":   {aBuild(t, "elsewhere", elsewhere), "measure both builds on one"},
		"other events":      {aBuild(t, "more", more), "use the same flags"},
		"a build that ends": {aBuild(t, "empty"), "running"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := against(t, aBuild(t, "self", resultOf(2)), Options{Events: 1000, Sinks: lakeOnly, Against: c.against, Pairs: 1})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if mistake := new(program.Mistake); c.want != "running" && !errors.As(err, mistake) {
				t.Errorf("%v is a person's mistake", err)
			}
		})
	}
}

// The build itself, twice: flags, results and checks fit together.
func TestAgainst_MeasuresThisBuild(t *testing.T) {
	self := built.Program(t, "stationflow")
	table, err := against(t, self, Options{Events: 5_000, Sinks: lakeOnly, Against: self, Pairs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table, "events a CPU second") || !strings.Contains(table, "peak MB") {
		t.Errorf("the table is\n%s", table)
	}
}
