package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/local/built"
)

// noon is when the records of these tests were written.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// measured measures with the programs that make build has made.
func measured(t *testing.T, o Options) (Result, string, error) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processor time and memory of a running process are read from Linux's /proc")
	}
	o.Programs = filepath.Dir(built.Program(t, functionsProgram))
	o.JSON = filepath.Join(t.TempDir(), "result.json")
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := measure(t.Context(), o, cli.Streams{Getenv: func(string) string { return "" }, Out: &out, Err: testWriter{t}})
	data, readErr := os.ReadFile(o.JSON)
	if err != nil {
		if !errors.Is(readErr, fs.ErrNotExist) {
			t.Errorf("a run that failed wrote a result: %v", readErr)
		}
		return Result{}, out.String(), err
	}
	var result Result
	if err := json.Unmarshal(data, &result); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return result, out.String(), nil
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(line))
	return len(line), nil
}

func TestRun_CountsEveryRecordAndMeasures(t *testing.T) {
	for name, o := range map[string]Options{
		"backlog into lake and warehouse": {Events: 20_000, Sinks: lakeAndWarehouse},
		"backlog into the lake":           {Events: 20_000, Sinks: lakeOnly},
		"at a rate":                       {Events: 4_000, Sinks: lakeAndWarehouse, Rate: 2_000},
		"by three instances":              {Events: 16_000, Sinks: lakeAndWarehouse, Rate: 1_000, Instances: 3},
	} {
		t.Run(name, func(t *testing.T) {
			r, table, err := measured(t, o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Events != o.Events || r.Quarantined != o.Events/badEvery || r.Valid+r.Quarantined != r.Events {
				t.Errorf("%d events, %d valid, %d quarantined", r.Events, r.Valid, r.Quarantined)
			}
			if len(r.QuarantinedByReason) != badKinds {
				t.Errorf("quarantined by reason: %v", r.QuarantinedByReason)
			}
			for name, value := range map[string]float64{
				"wall_s": r.WallS, "cpu_s": r.CPUS, "events_per_cpu_s": r.EventsPerCPUS, "lifetime_cpu_s": r.LifetimeCPUS,
				"peak_rss_mb": r.PeakRSSMB, "parquet_bytes": float64(r.ParquetBytes), "batches": float64(r.Batches),
				"freshness_ms.p50": r.Freshness.P50, "freshness_ms.max": r.Freshness.Max, "cold_start_ms": r.ColdStartMS,
			} {
				if !(value > 0) {
					t.Errorf("%s is %v", name, value)
				}
			}
			if f := r.Freshness; f.P50 > f.P90 || f.P90 > f.P99 || f.P99 > f.Max {
				t.Errorf("freshness %+v is in no order", f)
			}
			if o.Rate > 0 && r.WallS < 1.5 {
				t.Errorf("%d events at %d a second took %v s", o.Events, o.Rate, r.WallS)
			}
			working := slices.DeleteFunc(slices.Clone(r.InstanceBatches), func(batches int64) bool { return batches == 0 })
			if r.Instances != max(1, o.Instances) || len(working) < min(2, r.Instances) || strings.Contains(table, "bridges in one group") != (o.Instances > 1) {
				t.Errorf("%d instances, of which %d sent batches, want %d:\n%s", r.Instances, len(working), o.Instances, table)
			}
			if !strings.Contains(table, "events a CPU second") {
				t.Errorf("the table is\n%s", table)
			}
		})
	}
}

// The result of a pipeline that loses, repeats or changes a record is none.
func TestRun_FailsWhenASinkHoldsAnythingElse(t *testing.T) {
	for name, test := range map[string]struct {
		sinks  string
		tamper func(folder string) error
		want   string
	}{
		"a file is lost": {lakeOnly, func(folder string) error {
			return os.Remove(first(folder, "lake/raw/*/*/*/*.parquet"))
		}, "checking the lake: "},
		"a file is there twice": {lakeOnly, func(folder string) error {
			path := first(folder, "lake/raw/ticket_validations/*/*/*.parquet")
			return copyFile(path, path+"-again")
		}, "more than once"},
		"a value is changed": {lakeAndWarehouse, func(folder string) error {
			return change(filepath.Join(folder, "warehouse/passenger_flow"), "Station A", "Station Z")
		}, "checking the warehouse: 1 records have other values than were sent"},
		"a bad record's bytes are changed": {lakeAndWarehouse, func(folder string) error {
			return change(filepath.Join(folder, "warehouse/quarantine"), `"tomorrow"`, `"tomorroW"`)
		}, "checking the warehouse: 1 records have other values than were sent"},
		"quarantine is lost": {lakeOnly, func(folder string) error {
			return os.RemoveAll(filepath.Join(folder, "lake/quarantine"))
		}, "are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, table, err := measured(t, Options{Events: 3_000, Sinks: test.sinks, tamper: test.tamper})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, it should say %q", err, test.want)
			}
			if table != "" {
				t.Errorf("figures were printed all the same:\n%s", table)
			}
		})
	}
}

func first(folder, pattern string) string {
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) == 0 {
		return filepath.Join(folder, "nothing matches "+filepath.Base(pattern))
	}
	return found[0]
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// change replaces the first occurrence of a text by another as long.
func change(path, from, to string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := bytes.Replace(data, []byte(from), []byte(to), 1)
	if bytes.Equal(data, changed) {
		return errors.New(path + " holds no " + from)
	}
	return os.WriteFile(path, changed, 0o644)
}

func TestRun_SaysWhatIsMissing(t *testing.T) {
	_, err := Run(t.Context(), Options{Events: 10, Sinks: lakeOnly, Programs: t.TempDir()}, os.Getenv, testWriter{t})
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without programs the error is %v", err)
	}
}

func TestParseOptions(t *testing.T) {
	for name, test := range map[string]struct {
		args string
		want Options
		err  string
	}{
		"nothing":      {"", Options{Events: defaultEvents, Sinks: lakeAndWarehouse}, ""},
		"a rate":       {"--rate 500 --sinks lake", Options{Events: 15_000, Sinks: lakeOnly, Rate: 500}, ""},
		"everything":   {"--events 7 --kafka h:1 --json f", Options{Events: 7, Sinks: lakeAndWarehouse, Kafka: "h:1", JSON: "f"}, ""},
		"two faults":   {"--events -1 --sinks sea", Options{}, "--events is -1: use a number above 0\n--sinks is \"sea\": use lake or lake,warehouse"},
		"instances":    {"--instances 6", Options{Events: defaultEvents, Sinks: lakeAndWarehouse, Instances: 6}, ""},
		"too many":     {"--instances 7", Options{}, "--instances is 7: use a number from 1 to 6"},
		"a negative":   {"--instances -1", Options{}, "--instances is -1: use a number from 1 to 6"},
		"at rest":      {"--instances 2 --rest 1m", Options{}, "--instances is for a load: leave out --rest, --bill, --against and --peers"},
		"no port":      {"--kafka h", Options{}, `--kafka is "h": use HOST:PORT`},
		"an argument":  {"fast", Options{}, "flags only"},
		"no such flag": {"--foo", Options{}, "not defined: --foo: see stationflow bench --help"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseOptions(strings.Fields(test.args), testWriter{t})
			if test.err != "" {
				if program.ExitCode(err) != 2 || !strings.Contains(err.Error(), test.err) {
					t.Errorf("the error is %v, it should say %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			o.tamper, test.want.tamper = nil, nil
			if o.Events != test.want.Events || o.Sinks != test.want.Sinks || o.Rate != test.want.Rate || o.Kafka != test.want.Kafka || o.JSON != test.want.JSON || o.Instances != max(1, test.want.Instances) {
				t.Errorf("got %+v, want %+v", o, test.want)
			}
		})
	}
}

// What a load calls bad the pipeline's own decoder must refuse for the same
// reason, and everything else it must take.
func TestLoad_KnowsWhichRecordsAreBad(t *testing.T) {
	l := newLoad(noon, 20_000)
	decoders := map[string]*event.Decoder{}
	for _, topic := range event.Topics() {
		schema, _ := event.SchemaOf(topic)
		decoders[topic] = event.NewDecoder(schema, noon.Location())
	}
	keys := map[string]bool{}
	for range 4 {
		messages, err := l.take(5_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			row := make(event.Row, 32)
			var got event.Reason
			if refused := decoders[m.topic].Decode(row[:len(l.layouts[m.topic].names)+1], m.value, noon); refused != nil {
				got = refused.Reason
			}
			if got != m.reason {
				t.Fatalf("%s %s is refused as %q, not as %q", m.topic, m.value, got, m.reason)
			}
			if id := m.topic + string(m.key); keys[id] {
				t.Fatalf("%s occurs twice", id)
			} else {
				keys[id] = true
			}
		}
	}
}
