package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/cmd/cli"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/local/built"
)

// At rest both programs are there, and take something, but not a core.
func TestRest_MeasuresBothPrograms(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time and memory of a running process are read from Linux's /proc")
	}
	o := Options{Sinks: lakeAndWarehouse, Rest: time.Second, Programs: filepath.Dir(built.Program(t, functionsProgram)),
		JSON: filepath.Join(t.TempDir(), "rest.json")}
	var out bytes.Buffer
	if err := measureRest(t.Context(), o, cli.Streams{Getenv: func(string) string { return "" }, Out: &out, Err: testWriter{t}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(o.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var rest Rest
	if err := json.Unmarshal(data, &rest); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if rest.Seconds < 1 || rest.BridgeRSSMB < 1 || rest.FunctionsRSSMB < 1 || rest.ColdStartMS <= 0 || rest.Sinks != lakeAndWarehouse {
		t.Errorf("%+v", rest)
	}
	if rest.BridgeFileMB < 1 || rest.BridgeFileMB > rest.BridgeRSSMB || rest.FunctionsFileMB < 1 || rest.FunctionsFileMB > rest.FunctionsRSSMB {
		t.Errorf("memory of the programs' files: %+v", rest)
	}
	if rest.BridgeShare < 0 || rest.BridgeShare > 1 || rest.FunctionsShare < 0 || rest.FunctionsShare > 1 {
		t.Errorf("shares of a core: %+v", rest)
	}
	if !strings.Contains(out.String(), "while nothing came") {
		t.Errorf("it prints\n%s", out.String())
	}
}

func TestRest_IsNoLoad(t *testing.T) {
	for _, args := range [][]string{{"--events", "5"}, {"--rate", "5"}, {"--bill"}, {"--against", "x"}, {"--peers", "x"}} {
		_, err := parseOptions(append(args, "--rest", "1m"), &bytes.Buffer{})
		if mistake := new(program.Mistake); !errors.As(err, mistake) || !strings.Contains(err.Error(), "--rest sends nothing") {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err := parseOptions([]string{"--rest", "-1m"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "use a duration above 0") {
		t.Errorf("a negative one: %v", err)
	}
}
