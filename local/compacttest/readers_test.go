package compacttest

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// readMerged counts with DuckDB and pyarrow: the rows of all files, and those
// at each offset of one partition, which is where bounds of row groups that are
// wrong leave rows out.
const readMerged = `
import glob, json, sys
import duckdb
files = sys.argv[1] + "/*.parquet"
rows, distinct = duckdb.sql(f"select count(*), count(distinct (kafka_topic_id, kafka_partition, kafka_offset)) from read_parquet('{files}')").fetchall()[0]
offsets = [o for (o,) in duckdb.sql(f"select kafka_offset from read_parquet('{files}') where kafka_partition = 1").fetchall()]
stations = [s for (s,) in duckdb.sql(f"select distinct station from read_parquet('{files}')").fetchall()]
found = sum(len(duckdb.sql(f"select 1 from read_parquet('{files}') where kafka_partition = 1 and kafka_offset = {o}").fetchall()) for o in offsets)
named = sum(duckdb.sql(f"select count(*) from read_parquet('{files}') where station = ?", params=[s]).fetchall()[0][0] for s in stations)
arrow = arrow_rows = None
try:
    import pyarrow.dataset
    dataset = pyarrow.dataset.dataset(glob.glob(files))
    field = pyarrow.dataset.field
    arrow_rows = dataset.count_rows()
    arrow = sum(dataset.count_rows(filter=(field("kafka_partition") == 1) & (field("kafka_offset") == o)) for o in offsets)
except ImportError:
    pass
json.dump({"rows": rows, "distinct": distinct, "offsets": len(offsets), "found": found, "named": named, "arrow": arrow, "arrow_rows": arrow_rows}, sys.stdout)
`

// DuckDB, and pyarrow where it is there, read files of several row groups, by
// their bounds too. It needs a Python with the packages of
// local/e2e/requirements.txt.
func TestCompact_OtherReaders(t *testing.T) {
	python := os.Getenv("STATIONFLOW_PYTHON")
	if python == "" {
		t.Skip("skipped: set STATIONFLOW_PYTHON to a Python with local/e2e/requirements.txt installed")
	}
	l := newLab(t)
	l.minutes(rand.New(rand.NewPCG(20, 1)), 12, 40)
	l.later(2 * time.Hour)
	l.mustRun(small)
	l.later(7 * time.Hour)
	l.mustRun(small)
	l.settled()
	kept := t.TempDir()
	for _, o := range l.objects() {
		content, err := l.server.GetObject(bucket, o.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(kept, filepath.Base(o.Name)), content.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, "-c", readMerged, kept).CombinedOutput()
	if err != nil {
		t.Fatalf("reading with Python: %v\n%s", err, out)
	}
	var got struct {
		Rows, Distinct, Offsets, Found, Named int
		Arrow                                 *int
		ArrowRows                             *int `json:"arrow_rows"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := 0
	for at := range l.want {
		if at.partition == 1 {
			want++
		}
	}
	if n := len(l.want); got.Rows != n || got.Distinct != n || got.Named != n || got.Offsets != want || got.Found != want {
		t.Errorf("of %d records, %d of partition 1, DuckDB reads %s", n, want, out)
	} else if got.Arrow == nil {
		t.Log("SKIPPED: pyarrow is not installed")
	} else if *got.ArrowRows != n || *got.Arrow != want {
		t.Errorf("of %d records, %d of partition 1, pyarrow reads %s", n, want, out)
	}
}
