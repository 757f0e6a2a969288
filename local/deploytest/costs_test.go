package deploytest

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/costs.md anew")

// prices are the sections of docs/prices.json: prices, and what is free each
// month.
type prices struct {
	run, pubsub, storage, bigquery, confluent, operations map[string]float64
}

// without takes the free tiers out.
func (p prices) without() prices {
	list := func(section map[string]float64) map[string]float64 {
		section = maps.Clone(section)
		maps.DeleteFunc(section, func(name string, _ float64) bool { return strings.HasPrefix(name, "free_") })
		return section
	}
	return prices{list(p.run), list(p.pubsub), list(p.storage), list(p.bigquery), list(p.confluent), list(p.operations)}
}

const (
	month   = 30 * 24 * 3600 // s
	gb      = 1e9
	gib     = 1 << 30
	tib     = 1 << 40
	runs    = 30 * 24 * 60
	rowSize = 250.0 // bytes of a row in BigQuery
	alerts  = 9
)

// A component is a row of the table: what it costs at so many records a
// second. The formulas are told in docs/costs.md.
type component struct {
	name string
	cost func(p prices, records float64) float64
}

// batches a second, at the default age of 500 ms.
func batches(records float64) float64 { return min(records, 36/0.5) }

// transforming is how many seconds a month the transform works.
func transforming(records float64) float64 {
	if records == 0 {
		return runs * 1 // one query, and nothing to do
	}
	return runs * 10
}

// beyond is what is left of so much when some of it is free.
func beyond(used, free float64) float64 { return max(0, used-free) }

var components = []component{
	{"Kafka (Confluent Cloud, basic)", func(p prices, r float64) float64 {
		return r * 300 / gb * (2*month*p.confluent["basic_gb_in_or_out"] + 7*24*3600*p.confluent["storage_gb_month"])
	}},
	{"bridge", func(p prices, _ float64) float64 {
		return beyond(month, p.run["free_always_cpu_seconds"])*p.run["always_cpu_second"] +
			beyond(0.5*month, p.run["free_always_gib_seconds"])*p.run["always_gib_second"]
	}},
	{"Pub/Sub", func(p prices, r float64) float64 {
		bytes := 2 * month * max(batches(r)*p.pubsub["minimum_bytes"], r*350)
		return beyond(bytes, p.pubsub["free_gib"]*gib) / tib * p.pubsub["tib"]
	}},
	{"functions, transform", func(p prices, r float64) float64 {
		return beyond(runs, p.run["free_requests"])/1e6*p.run["million_requests"] +
			beyond(transforming(r), p.run["free_request_cpu_seconds"])*p.run["request_cpu_second"] +
			beyond(0.5*transforming(r), p.run["free_request_gib_seconds"])*p.run["request_gib_second"]
	}},
	{"functions, ingest", func(p prices, r float64) float64 { // free is what the transform leaves
		busy := month * max(1-math.Exp(-0.1*batches(r)), 0.1*batches(r)/8)
		return beyond(batches(r)*month, beyond(p.run["free_requests"], runs))/1e6*p.run["million_requests"] +
			beyond(busy, beyond(p.run["free_request_cpu_seconds"], transforming(r)))*p.run["request_cpu_second"] +
			beyond(busy, beyond(p.run["free_request_gib_seconds"], 0.5*transforming(r)))*p.run["request_gib_second"]
	}},
	{"lake", func(p prices, r float64) float64 {
		artifacts := 2 * runs * min(1, r)
		return (batches(r)*month+artifacts)/1000*p.storage["thousand_writes"] + month*r*60/gb*p.storage["standard_gb_month"]
	}},
	{"BigQuery, rows in", func(p prices, r float64) float64 {
		return beyond(r*rowSize/gib*month, p.bigquery["free_write_api_gib"])*p.bigquery["write_api_gib"] +
			beyond(r*rowSize/gib*90*24*3600, p.bigquery["free_storage_gib"])*p.bigquery["storage_gib_month"]
	}},
	{"BigQuery, transforms each minute", func(p prices, r float64) float64 {
		bytes := runs * min(1, r) * max(80*p.bigquery["query_minimum_bytes"], r*12*3600*rowSize*0.6)
		return beyond(bytes/tib, p.bigquery["free_query_tib"]) * p.bigquery["query_tib"]
	}},
	{"the rest", func(p prices, r float64) float64 {
		o := p.operations
		return alerts*(o["alert_condition_month"]+runs/1e6*o["alert_million_series"]) +
			beyond(1, o["free_scheduler_jobs"])*o["scheduler_job_month"] +
			beyond(2, o["free_secret_versions"])*o["secret_version_month"] +
			beyond(2, o["free_registry_gb"])*o["registry_gb_month"] +
			beyond(batches(r)*month*1000/gib, o["free_log_gib"])*o["log_gib"]
	}},
}

// table renders the estimate.
func table(p prices) string {
	sizes := []float64{0, 1, 20, 100, 1000}
	var b strings.Builder
	b.WriteString("| component | idle | 1 record/s | 20 records/s | 100 records/s | 1,000 records/s |\n|---|--:|--:|--:|--:|--:|\n")
	list, free := make([]float64, len(sizes)), make([]float64, len(sizes))
	for _, c := range components {
		b.WriteString("| " + c.name)
		for i, records := range sizes {
			cost := c.cost(p.without(), records)
			list[i] += cost
			free[i] += c.cost(p, records)
			fmt.Fprintf(&b, " | %.2f", cost)
		}
		b.WriteString(" |\n")
	}
	row(&b, "all", list)
	row(&b, "all, less the free tiers", free)
	return b.String()
}

// total is what all components cost.
func total(p prices, records float64) (sum float64) {
	for _, c := range components {
		sum += c.cost(p, records)
	}
	return sum
}

func row(b *strings.Builder, name string, totals []float64) {
	b.WriteString("| **" + name + "**")
	for _, total := range totals {
		fmt.Fprintf(b, " | **%.0f**", total)
	}
	b.WriteString(" |\n")
}

// readPrices reads docs/prices.json. Of each price it must be said whether its
// source was seen.
func readPrices(t *testing.T) prices {
	t.Helper()
	var file map[string]json.RawMessage
	if err := json.Unmarshal([]byte(read(t, "docs/prices.json")), &file); err != nil {
		t.Fatal(err)
	}
	section := func(name string) map[string]float64 {
		var entries map[string]any
		if err := json.Unmarshal(file[name], &entries); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		told := map[string]int{}
		for _, list := range []string{"seen", "unseen"} {
			for _, key := range entries[list].([]any) {
				told[key.(string)]++
			}
		}
		numbers := map[string]float64{}
		for key, value := range entries {
			if number, ok := value.(float64); ok {
				numbers[key] = number
				if told[key] != 1 {
					t.Errorf("docs/prices.json says of %s in %s %d times whether it was seen", key, name, told[key])
				}
			}
		}
		return numbers
	}
	return prices{section("cloud_run"), section("pubsub"), section("storage"), section("bigquery"), section("confluent"), section("operations")}
}

// The table in the docs is what the formulas make of the prices.
func TestCosts_TableIsComputed(t *testing.T) {
	p := readPrices(t)
	page := read(t, "docs/costs.md")
	begin := strings.Index(page, " -->\n") + len(" -->\n")
	end := strings.Index(page, "<!-- end of costs -->")
	if begin > end {
		t.Fatal("docs/costs.md has no place for the table")
	}
	want := page[:begin] + table(p) + page[end:]
	if *update {
		if err := os.WriteFile(repository+"/docs/costs.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if idle := fmt.Sprintf("the system costs %.0f dollars a month, or %.0f after the free tiers", total(p.without(), 0), total(p, 0)); !strings.Contains(page, idle) {
		t.Errorf("docs/costs.md does not say that %s", idle)
	}
	if page != want {
		t.Error("docs/costs.md does not show what docs/prices.json says: run go test ./deploytest -run Costs -update")
	}
}

// README says in one line what a system costs that runs.
func TestCosts_ReadmeSaysThem(t *testing.T) {
	p := readPrices(t).without()
	want := fmt.Sprintf("costs about %.0f dollars a month while nothing comes, %.0f at one record a second and %.0f at 20", total(p, 0), total(p, 1), total(p, 20))
	if !strings.Contains(read(t, "README.md"), want) {
		t.Errorf("README.md does not say that the system %s", want)
	}
}

// Every price in the file is one that a formula uses: a misspelt name would be
// a price of nothing.
func TestCosts_EveryPriceCounts(t *testing.T) {
	p := readPrices(t)
	all := func() float64 {
		return total(p, 1) + total(p, 1000) + total(p.without(), 1) + total(p.without(), 1000)
	}
	before := all()
	for _, section := range []map[string]float64{p.run, p.pubsub, p.storage, p.bigquery, p.confluent, p.operations} {
		for name, price := range section {
			if strings.Contains(name, "nearline") {
				continue // told in the text
			}
			section[name] = 0
			if all() == before {
				t.Errorf("no formula uses %s", name)
			}
			section[name] = price
		}
	}
}
