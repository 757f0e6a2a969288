package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/stationflow/stationflow/event"
)

// readings is what testdata/readers.py prints.
type readings struct {
	Warehouse, Lake map[string]struct {
		Rows, Distinct, Offsets int64
		Types                   map[string]string
	}
	Quarantine map[string]int64
}

// checkReaders lets Google's Python client and DuckDB read what was written,
// and compares with what was sent. It needs a Python that has the packages of
// requirements.txt, named by STATIONFLOW_PYTHON.
func checkReaders(t *testing.T, system *local, sent []message, reasons map[int]event.Reason) {
	t.Helper()
	python := os.Getenv("STATIONFLOW_PYTHON")
	if python == "" {
		t.Log("SKIPPED: reading with Python's BigQuery client and DuckDB: set STATIONFLOW_PYTHON to a Python with local/e2e/requirements.txt installed")
		return
	}
	system.awaitLake("", len(sent)-len(reasons))
	folder := t.TempDir()
	for _, name := range system.objects("raw/") {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, system.object("gs://"+system.Bucket+"/"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(python, filepath.Join("testdata", "readers.py"), system.BigQuery, system.Project, system.StagingDataset, folder)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("reading with Python: %v", err)
	}
	var got readings
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatalf("reading what Python printed: %v: %s", err, output)
	}
	checkReadings(t, got, sent, reasons)
}

// awaitLake waits until the lake's objects with the part in their names hold so
// many records. Files want size, so a record's follows its row within a minute
// or so.
func (l *local) awaitLake(part string, n int) {
	l.t.Helper()
	known := map[string]int{} // rows, by object
	eventually(l.t, fmt.Sprintf("%d records are in the lake", n), func() error {
		total := 0
		for _, name := range l.objects("raw/") {
			if !strings.Contains(name, part) {
				continue
			}
			if _, seen := known[name]; !seen {
				object := l.object("gs://" + l.Bucket + "/" + name)
				file, err := parquet.OpenFile(bytes.NewReader(object), int64(len(object)))
				if err != nil {
					return err
				}
				known[name] = int(file.NumRows())
			}
			total += known[name]
		}
		if total < n {
			return fmt.Errorf("there are %d", total)
		}
		return nil
	})
}

func checkReadings(t *testing.T, got readings, sent []message, reasons map[int]event.Reason) {
	t.Helper()
	type figures struct{ distinct, offsets int64 }
	staged := map[string]figures{}
	quarantined := map[string]int64{}
	for i, m := range sent {
		reason := reasons[i]
		if reason != "" {
			quarantined[string(reason)]++
		}
		if reason == "" {
			staged[m.topic] = figures{staged[m.topic].distinct + 1, staged[m.topic].offsets + m.offset}
		}
	}
	for topic, want := range staged {
		if w := got.Warehouse[topic]; w.Distinct != want.distinct || w.Offsets != want.offsets {
			t.Errorf("Python's BigQuery client reads %d records of %s with offsets adding to %d, want %+v", w.Distinct, topic, w.Offsets, want)
		}
		if l := got.Lake[topic]; l.Distinct != want.distinct || l.Offsets != want.offsets || l.Rows != l.Distinct {
			t.Errorf("DuckDB reads %d rows, %d records of %s with offsets adding to %d, want %+v", l.Rows, l.Distinct, topic, l.Offsets, want)
		}
		if kind := got.Lake[topic].Types["timestamp"]; want.distinct > 0 && kind != "TIMESTAMP WITH TIME ZONE" {
			t.Errorf("DuckDB reads %s.timestamp as %s", topic, kind)
		}
	}
	for reason, n := range quarantined {
		if got.Quarantine[reason] < n {
			t.Errorf("Python's BigQuery client reads %d records quarantined for %s, want %d", got.Quarantine[reason], reason, n)
		}
	}
}
