package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// A Result is what a run measured, as --json writes it.
type Result struct {
	Events      int `json:"events"`      // sent
	Valid       int `json:"valid"`       // good events, each found once in the lake with its values (and in the warehouse)
	Quarantined int `json:"quarantined"` // bad records, each found once in quarantine with its bytes and reason

	QuarantinedByReason map[string]int `json:"quarantined_by_reason"`

	// WallS, CPUS and what follows from them are about the time from the
	// first bridge's membership in its consumer group to the report of the last
	// batch as durable. CPUS is user and system time of the bridges, from their
	// very start, and of the functions since their first answer.
	WallS         float64 `json:"wall_s"`
	CPUS          float64 `json:"cpu_s"`
	BridgeCPUS    float64 `json:"bridge_cpu_s"`
	FunctionsCPUS float64 `json:"functions_cpu_s"`
	EventsPerCPUS float64 `json:"events_per_cpu_s"`
	EventsPerS    float64 `json:"events_per_s"`
	LifetimeCPUS  float64 `json:"lifetime_cpu_s"` // both processes from start to exit

	PeakRSSMB          float64 `json:"peak_rss_mb"` // of the largest process, in 10^6 bytes
	BridgePeakRSSMB    float64 `json:"bridge_peak_rss_mb"`
	FunctionsPeakRSSMB float64 `json:"functions_peak_rss_mb"`

	ParquetBytes int64 `json:"parquet_bytes"` // of good events
	ParquetFiles int   `json:"parquet_files"`
	Batches      int64 `json:"batches"`

	InstanceBatches []int64 `json:"instance_batches"` // of them, by instance
	Retries         int64   `json:"retries"`          // publishing attempts that failed

	// Freshness is from a record's Kafka timestamp to its being durable.
	// Without a rate it is the time that a record of the backlog waited.
	Freshness   Freshness `json:"freshness_ms"`
	ColdStartMS float64   `json:"cold_start_ms"` // from the start of the functions' process to its first 2xx

	Sinks     string            `json:"sinks"`
	Instances int               `json:"instances"` // bridges, each with functions of its own; CPU is that of all, memory of the largest
	Rate      int               `json:"rate"`      // events a second, 0 for a backlog
	Broker    string            `json:"broker"`
	Settings  map[string]string `json:"settings,omitempty"` // BRIDGE_, INGEST_ and Go's variables that were set
	Machine   Machine           `json:"machine"`
}

// Freshness is a distribution over all records, in milliseconds.
type Freshness struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// A Machine is where a run took place.
type Machine struct {
	Cores int    `json:"cores"`
	Model string `json:"model"`
	OS    string `json:"os"`
	Go    string `json:"go"`
}

func thisMachine() Machine {
	return Machine{Cores: runtime.NumCPU(), Model: processorModel(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
}

func processorModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // Linux; elsewhere the model stays unknown
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// freshness returns the distribution over the ledger's records.
func freshness(l *ledger) Freshness {
	var ages []int64
	l.each(func(_ place, _ int64, e *entry) { ages = append(ages, e.durable-e.kafka) })
	slices.Sort(ages)
	if len(ages) == 0 {
		return Freshness{}
	}
	at := func(share float64) float64 { return float64(ages[min(int(share*float64(len(ages))), len(ages)-1)]) }
	return Freshness{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: at(1)}
}

// save writes the result to a file.
func (r *Result) save(path string) error { return saveJSON(path, r) }

func saveJSON(path string, result any) error {
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// print writes the result for people.
func (r *Result) print(out io.Writer) {
	row, flush := rows(out)
	defer flush()
	mode := "a backlog, read as fast as possible"
	if r.Rate > 0 {
		mode = fmt.Sprintf("%d a second, sent while they are read", r.Rate)
	}
	row("machine", "%d cores, %s, %s", r.Machine.Cores, r.Machine.Model, r.Machine.Go)
	row("events", "%d from %s: %s", r.Events, r.Broker, mode)
	row("sinks", "%s", r.Sinks)
	if r.Instances > 1 {
		row("instances", "%d bridges in one group, each with functions of its own, sent %d batches; memory is that of the largest", r.Instances, r.InstanceBatches)
	}
	row("checked", "%d valid and %d quarantined, each once with its values", r.Valid, r.Quarantined)
	row("wall", "%.2f s, %.0f events a second", r.WallS, r.EventsPerS)
	row("CPU", "%.2f s (bridge %.2f, functions %.2f): %.0f events a CPU second", r.CPUS, r.BridgeCPUS, r.FunctionsCPUS, r.EventsPerCPUS)
	row("peak memory", "bridge %.0f MB, functions %.0f MB", r.BridgePeakRSSMB, r.FunctionsPeakRSSMB)
	row("lake", "%d files, %.1f bytes an event", r.ParquetFiles, float64(r.ParquetBytes)/float64(max(r.Valid, 1)))
	row("batches", "%d, of %.0f records on average; %d attempts failed", r.Batches, float64(r.Events)/float64(max(r.Batches, 1)), r.Retries)
	note := " (of a backlog: see --rate)"
	if r.Rate > 0 {
		note = ""
	}
	row("freshness", "p50 %.0f ms, p90 %.0f ms, p99 %.0f ms, max %.0f ms%s", r.Freshness.P50, r.Freshness.P90, r.Freshness.P99, r.Freshness.Max, note)
	row("cold start", "%.0f ms to the functions' first answer", r.ColdStartMS)
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		row(name, "%s", r.Settings[name])
	}
}

// rows returns what writes a row of a table with two columns, and what ends the
// table.
func rows(out io.Writer) (row func(name, format string, args ...any), flush func()) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	return func(name, format string, args ...any) {
		fmt.Fprintf(table, "  %s\t"+format+"\n", append([]any{name}, args...)...)
	}, func() { _ = table.Flush() }
}
