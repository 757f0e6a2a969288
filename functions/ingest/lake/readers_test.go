package lake

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// pyarrow, polars and DuckDB, those that are installed, read what the library's
// own writer made of the same rows. Frames that are put together from blocks are
// not what the usual compressors write.
func TestEncode_ReadsAlikeElsewhere(t *testing.T) {
	python := os.Getenv("STATIONFLOW_PYTHON")
	if python == "" {
		t.Skip("set STATIONFLOW_PYTHON to a Python with local/e2e/requirements.txt installed")
	}
	const stamp = 1_790_000_000_123_456
	folder := t.TempDir()
	files := 0
	for _, table := range rows.Tables() {
		writer := NewParquet(table)
		for seed := range uint64(4) {
			set := randomSet(rand.New(rand.NewPCG(seed, 9)), table, []int{1, 9, 700, 2500}[seed])
			var file bytes.Buffer
			if err := writer.Encode(&file, set, stamp); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(folder, fmt.Sprintf("%s-%d", table.Name, seed))
			plain := encodePlainly(t, writer, set, stamp)
			for kind, data := range map[string][]byte{"ours": file.Bytes(), "plain": plain} {
				if err := os.WriteFile(name+"."+kind+".parquet", data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			files++
		}
	}
	output, err := exec.Command(python, filepath.Join("testdata", "readers.py"), folder).CombinedOutput()
	read, by, _ := strings.Cut(strings.TrimSpace(string(output)), " ")
	if err != nil || read != fmt.Sprint(files) || by == "" {
		t.Fatalf("reading %d files: %v\n%s", files, err, output)
	}
	t.Log("read by " + by)
}
