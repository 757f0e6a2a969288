package cost_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/cost"
	"github.com/stationflow/stationflow/terraform"
)

var update = flag.Bool("update", false, "write the table of docs/costs.md again")

const page = "../../docs/costs.md"

func bill(t *testing.T, p cost.Prices, w cost.Workload, freeTiers bool) cost.Bill {
	t.Helper()
	items, err := p.Model(w)
	if err != nil {
		t.Fatal(err)
	}
	return p.Bill(items, freeTiers)
}

// The table in the docs is what the model makes of the list prices.
func TestTable_IsInTheDocs(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), " -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end of costs -->")
	if !begun || !ended {
		t.Fatal("docs/costs.md has no place for the table")
	}
	prices := cost.ListPrices()
	var workloads []cost.Workload
	for _, records := range []float64{0, 1, 20, 100, 1000} {
		workloads = append(workloads, cost.DefaultWorkload(records))
	}
	table, err := prices.Table(workloads...)
	if err != nil {
		t.Fatal(err)
	}
	want := before + " -->\n" + table + "<!-- end of costs -->" + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Error("docs/costs.md does not show what the model says: run go test ./internal/cost -run Docs -update")
	}
	idle := fmt.Sprintf("the system costs %.0f dollars a month, or %.0f after the free tiers",
		bill(t, prices, workloads[0], false).TotalUSDMonth, bill(t, prices, workloads[0], true).TotalUSDMonth)
	if !strings.Contains(want, idle) {
		t.Errorf("docs/costs.md does not say that %s", idle)
	}
}

// README says in one line what a system costs that runs.
func TestBill_IsInTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	total := func(records float64) float64 {
		return bill(t, cost.ListPrices(), cost.DefaultWorkload(records), false).TotalUSDMonth
	}
	want := fmt.Sprintf("costs about %.0f dollars a month while nothing comes, %.0f at one record a second and %.0f at 20", total(0), total(1), total(20))
	if !strings.Contains(string(text), want) {
		t.Errorf("README.md does not say that the system %s", want)
	}
}

// Every number in the file of prices changes the bill of some workload: one
// that does not would be a formula that forgot it.
func TestPrices_EveryOneCounts(t *testing.T) {
	var used [][]cost.Item
	for _, records := range []float64{1, 1000} {
		items, err := cost.ListPrices().Model(cost.DefaultWorkload(records))
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, items)
	}
	all := func(p cost.Prices) (sum float64) {
		for _, items := range used {
			sum += p.Bill(items, false).TotalUSDMonth + p.Bill(items, true).TotalUSDMonth
		}
		return sum
	}
	before := all(cost.ListPrices())
	for name := range cost.ListPrices().Prices {
		for what, change := range map[string]func(*cost.Price){
			"usd":  func(p *cost.Price) { p.USD *= 2 },
			"per":  func(p *cost.Price) { p.Per *= 2 },
			"free": func(p *cost.Price) { p.Free = 0 },
		} {
			changed := cost.ListPrices()
			price := changed.Prices[name]
			change(&price)
			if price == changed.Prices[name] {
				continue // nothing of it is free
			}
			changed.Prices[name] = price
			if all(changed) == before {
				t.Errorf("no bill depends on %s of %s", what, name)
			}
		}
	}
	for name, minimum := range cost.ListPrices().Minimums {
		changed := cost.ListPrices()
		minimum.Bytes *= 100
		changed.Minimums[name] = minimum
		if bill(t, changed, cost.DefaultWorkload(1), false).TotalUSDMonth == bill(t, cost.ListPrices(), cost.DefaultWorkload(1), false).TotalUSDMonth {
			t.Errorf("no bill depends on the minimum %s", name)
		}
	}
}

func TestPrices_SayWhereTheyAreFrom(t *testing.T) {
	p := cost.ListPrices()
	for name, price := range p.Prices {
		if !strings.HasPrefix(price.Source, "https://") || price.Unit == "" {
			t.Errorf("%s has no source or no unit", name)
		}
		if _, err := time.Parse(time.DateOnly, price.Read); price.Read != "" && err != nil {
			t.Errorf("%s was read on %q, which is no date", name, price.Read)
		}
	}
}

func TestReadPrices_Mistakes(t *testing.T) {
	edit := func(change func(map[string]any)) string {
		var file map[string]any
		if err := json.Unmarshal(cost.ListPricesFile(), &file); err != nil {
			t.Fatal(err)
		}
		change(file)
		text, _ := json.Marshal(file)
		return string(text)
	}
	section := func(file map[string]any, name string) map[string]any { return file[name].(map[string]any) }
	for _, c := range []struct{ name, file, want string }{
		{"not JSON", "prices", "reading prices"},
		{"unknown key", edit(func(f map[string]any) { f["price"] = 1 }), "price"},
		{"misspelt price", edit(func(f map[string]any) {
			section(f, "prices")["storage_wirtes"] = section(f, "prices")["storage_writes"]
			delete(section(f, "prices"), "storage_writes")
		}), "the price storage_writes is missing"},
		{"further price", edit(func(f map[string]any) {
			section(f, "prices")["coffee"] = section(f, "prices")["storage_writes"]
		}), "price coffee"},
		{"missing minimum", edit(func(f map[string]any) { delete(section(f, "minimums"), "bigquery_table_bytes") }), "bigquery_table_bytes"},
		{"negative minimum", edit(func(f map[string]any) {
			section(section(f, "minimums"), "bigquery_table_bytes")["bytes"] = -1
		}), "bigquery_table_bytes"},
		{"negative price", edit(func(f map[string]any) { section(section(f, "prices"), "run_requests")["usd"] = -1 }), "run_requests"},
		{"per nothing", edit(func(f map[string]any) { section(section(f, "prices"), "run_requests")["per"] = 0 }), "run_requests"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := cost.ReadPrices(strings.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := cost.ReadPrices(bytes.NewReader(cost.ListPricesFile())); err != nil {
		t.Error(err)
	}
}

func TestModel_Mistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*cost.Workload)
		want   string
	}{
		{"negative rate", func(w *cost.Workload) { w.RecordsPerSecond = -1 }, "0 or more"},
		{"rate that is not a number", func(w *cost.Workload) { w.RecordsPerSecond = math.NaN() }, "0 or more"},
		{"endless rate", func(w *cost.Workload) { w.RecordsPerSecond = math.Inf(1) }, "0 or more"},
		{"empty records", func(w *cost.Workload) { w.RecordBytes = 0 }, "more than 0"},
		{"transport", func(w *cost.Workload) { w.Transport = "pigeon" }, "pubsub or http"},
		{"schedule", func(w *cost.Workload) { w.Schedule = "each minute" }, "unix-cron"},
		{"bridge", func(w *cost.Workload) { w.BridgeIdle = "sleep" }, "stop or stay"},
		{"page", func(w *cost.Workload) { w.PageHours = 25 }, "from 0 to 24"},
		{"page that is no number", func(w *cost.Workload) { w.PageHours = math.NaN() }, "from 0 to 24"},
		{"partitions", func(w *cost.Workload) { w.Partitions = 0 }, "more than 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := cost.DefaultWorkload(20)
			c.change(&w)
			if _, err := cost.ListPrices().Model(w); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// Transforms each minute cost a seventh of what the rest of a small system
// does, and stay affordable in a large one.
func TestModel_TransformsAreCheap(t *testing.T) {
	for records, most := range map[float64]float64{0: 0, 1: 31, 20: 31, 100: 34, 1000: 160} {
		if got := bill(t, cost.ListPrices(), cost.DefaultWorkload(records), false).Components[cost.TransformSQL]; got > most {
			t.Errorf("at %v records a second the queries of the transform cost %.2f dollars a month, %v at most were promised", records, got, most)
		}
	}
}

// What a setting is for shows in the bill.
func TestModel_Settings(t *testing.T) {
	prices := cost.ListPrices()
	usd := func(component string, change func(*cost.Workload)) float64 {
		w := cost.DefaultWorkload(20)
		change(&w)
		return bill(t, prices, w, false).Components[component]
	}
	asIs := func(*cost.Workload) {}
	if got := usd(cost.PubSub, func(w *cost.Workload) { w.Transport = cost.OverHTTP }); got != 0 {
		t.Errorf("Pub/Sub costs %v where nothing goes over it", got)
	}
	quarterly := usd(cost.TransformSQL, func(w *cost.Workload) { w.Schedule = "*/15 * * * *" })
	if got := usd(cost.TransformSQL, asIs) / quarterly; got < 14 || got > 15 { // a rare topic has no news in some minutes
		t.Errorf("a transform each minute costs %v times one each quarter of an hour", got)
	}
	if never := usd(cost.TransformSQL, func(w *cost.Workload) { w.Schedule = "0 0 30 2 *" }); never != 0 {
		t.Errorf("a transform that never runs costs %v", never)
	}
	if slow, fast := usd(cost.Ingest, func(w *cost.Workload) { w.BatchAge = 5 * time.Second }), usd(cost.Ingest, asIs); slow >= fast/2 {
		t.Errorf("ingest costs %v with batches of 5 s, %v with those of 0.8 s", slow, fast)
	}
	if slow, fast := usd(cost.Lake, asIs), usd(cost.Lake, func(w *cost.Workload) { w.LakeAge = time.Second }); slow >= fast/5 {
		t.Errorf("the lake costs %v with batches of a minute, %v with those of 1 s", slow, fast)
	}
	if large, small := usd(cost.RowsIn, func(w *cost.Workload) { w.RecordBytes = 3000 }), usd(cost.RowsIn, asIs); large <= 5*small {
		t.Errorf("rows of ten times the size cost %v, those of today %v", large, small)
	}
}

// A bridge that stops while nothing comes costs by how often something comes:
// next to nothing while idle, and as much as one that stays from a record every
// few minutes on.
func TestModel_TheBridgeCostsWhileItRuns(t *testing.T) {
	prices := cost.ListPrices()
	usd := func(rate float64, idle string) float64 {
		w := cost.DefaultWorkload(rate)
		w.BridgeIdle = idle
		return bill(t, prices, w, false).Components[cost.Bridge]
	}
	check := 1.1 // the function that starts and stops it, each minute
	always := 30.75 + check
	for _, c := range []struct {
		rate, want float64
		idle       string
	}{
		{0, 0.2 + check, cost.BridgeStops}, // ten minutes a day
		{1.0 / 86400, 0.5 + check, cost.BridgeStops},
		{1.0 / 900, 19.5 + check, cost.BridgeStops},
		{1, always, cost.BridgeStops},
		{1000, always, cost.BridgeStops},
		{0, always, cost.BridgeStays},
		{1, always, cost.BridgeStays},
	} {
		if got := usd(c.rate, c.idle); math.Abs(got-c.want) > 0.1 {
			t.Errorf("at %g records a second a bridge that shall %s costs %.2f, want %.2f", c.rate, c.idle, got, c.want)
		}
	}
}

// Components share what is free of a price; nothing is free twice.
func TestBill_FreeTiersAreSharedOnce(t *testing.T) {
	prices := cost.ListPrices()
	items := []cost.Item{
		{Component: cost.Transform, Price: "run_requests", Amount: 1.5e6},
		{Component: cost.Ingest, Price: "run_requests", Amount: 1.5e6},
	}
	got := prices.Bill(items, true)
	if got.Components[cost.Transform] != 0 || math.Abs(got.Components[cost.Ingest]-0.4) > 1e-9 {
		t.Errorf("of 3 million requests 1 million is billed, at 0.40: got %v", got.Components)
	}
	if full := prices.Bill(items, false).TotalUSDMonth; math.Abs(full-1.2) > 1e-9 {
		t.Errorf("3 million requests cost 1.20 by list, got %v", full)
	}
}

// As much of ingest's log is paid for as is kept.
func TestModel_KeepsTheShareOfLogs(t *testing.T) {
	d, err := terraform.ReadDeployment()
	if err != nil || d.IngestLogShare != cost.LogShare {
		t.Errorf("the deployment keeps %v of the log (%v), the model takes it for %v", d.IngestLogShare, err, cost.LogShare)
	}
}
