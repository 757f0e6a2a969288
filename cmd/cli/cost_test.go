package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/internal/status"
)

func costs(args ...string) (out, said string, code int) {
	var stdout, stderr strings.Builder
	code = Main(context.Background(), append([]string{"cost"}, args...), Streams{Getenv: func(string) string { return "" }, Out: &stdout, Err: &stderr}, Commands())
	return stdout.String(), stderr.String(), code
}

func TestCost_JSONAddsUp(t *testing.T) {
	out, said, code := costs("--records-per-second", "20", "--json")
	var got struct {
		Total      float64            `json:"total_usd_month"`
		PerMillion float64            `json:"usd_per_million_records"`
		Components map[string]float64 `json:"components"`
		Items      []struct {
			Component string
			USDMonth  float64 `json:"usd_month"`
			Source    string
			Read      *string
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("%v, exit %d: %s%s", err, code, out, said)
	}
	byComponent, byItem := 0.0, 0.0
	for _, usd := range got.Components {
		byComponent += usd
	}
	for _, item := range got.Items {
		byItem += item.USDMonth
		if item.Source == "" || item.Read == nil {
			t.Errorf("the price of %s does not say where it is from", item.Component)
		}
	}
	if math.Abs(byComponent-got.Total) > 1e-6 || math.Abs(byItem-got.Total) > 1e-6 || got.Total <= 0 {
		t.Errorf("components sum to %v, items to %v, the total is %v", byComponent, byItem, got.Total)
	}
	if want := got.Total / (20 * 30 * 24 * 3600) * 1e6; math.Abs(got.PerMillion-want) > 1e-9 {
		t.Errorf("a million records cost %v, want %v", got.PerMillion, want)
	}
}

// Without a rate it is that of the local system which runs, and it says so.
func TestCost_OfTheSystemThatRuns(t *testing.T) {
	folder := t.TempDir()
	page := announce(t, folder, 1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(status.Status{Bill: &status.Bill{Over: 60, RecordsPerSecond: 20}})
	}))
	var out, errs strings.Builder
	code := Main(t.Context(), []string{"cost"}, Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs, Running: folder}, Commands())
	want, _, _ := costs("--records-per-second", "20")
	if code != 0 || out.String() != want || errs.String() != "20 records a second, as the local system at "+page+" had over the last 60 s\n" {
		t.Errorf("%d, %s%s", code, out.String(), errs.String())
	}
}

// Of two systems it is the one whose variables the shell has read.
func TestCost_OfTheSystemThatTheShellNames(t *testing.T) {
	folder := t.TempDir()
	for pid, rate := range []float64{20, 30} {
		announce(t, folder, pid, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(status.Status{Bill: &status.Bill{Over: 60, RecordsPerSecond: rate}})
		}), fmt.Sprintf("BIGQUERY_EMULATOR_HOST=http://%d", pid))
	}
	var out, errs strings.Builder
	shell := map[string]string{"BIGQUERY_EMULATOR_HOST": "http://1"}
	code := Main(t.Context(), []string{"cost"}, Streams{Getenv: func(name string) string { return shell[name] }, Out: &out, Err: &errs, Running: folder}, Commands())
	if want, _, _ := costs("--records-per-second", "30"); code != 0 || out.String() != want {
		t.Errorf("%d, %s%s", code, out.String(), errs.String())
	}
}

func TestCost_OwnPrices(t *testing.T) {
	file, _, _ := costs("--show-prices")
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(strings.Replace(file, `"usd": 40,`, `"usd": 4000,`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	listed, _, _ := costs("--records-per-second", "20")
	own, said, code := costs("--records-per-second", "20", "--prices", path)
	if code != 0 || own == listed {
		t.Errorf("exit %d, %s: the bill is the same with a price a hundred times as high", code, said)
	}
}

func TestCost_Mistakes(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, args, want string }{
		{"no rate", "", "--records-per-second N"},
		{"negative rate", "--records-per-second -5", "0 or more"},
		{"rate in words", "--records-per-second many", "records-per-second"},
		{"schedule", "--records-per-second 1 --schedule hourly", "unix-cron"},
		{"transport", "--records-per-second 1 --transport tcp", "pubsub or http"},
		{"no file", "--records-per-second 1 --prices /nowhere/prices.json", "--show-prices"},
		{"broken file", "--records-per-second 1 --prices " + broken, "is missing"},
		{"argument", "20", "flags only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, said, code := costs(strings.Fields(c.args)...)
			if code != 2 || out != "" || !strings.Contains(said, c.want) {
				t.Errorf("exit %d, %q, want 2 and %q", code, said, c.want)
			}
		})
	}
}
