package deploytest

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/costs.md anew")

type prices struct {
	CloudRun struct {
		AlwaysCPU     float64 `json:"always_cpu_second"`
		AlwaysGiB     float64 `json:"always_gib_second"`
		RequestCPU    float64 `json:"request_cpu_second"`
		RequestGiB    float64 `json:"request_gib_second"`
		MillionsCalls float64 `json:"million_requests"`
	} `json:"cloud_run"`
	PubSub struct {
		TiB     float64 `json:"tib"`
		Minimum float64 `json:"minimum_bytes"`
	} `json:"pubsub"`
	Storage struct {
		Month  float64 `json:"standard_gb_month"`
		Writes float64 `json:"thousand_writes"`
	} `json:"storage"`
	BigQuery struct {
		Query   float64 `json:"query_tib"`
		Minimum float64 `json:"query_minimum_bytes"`
		Write   float64 `json:"write_api_gib"`
		Month   float64 `json:"storage_gib_month"`
	} `json:"bigquery"`
	Confluent struct {
		Traffic float64 `json:"basic_gb_in_or_out"`
		Month   float64 `json:"storage_gb_month"`
	} `json:"confluent"`
	Operations struct {
		Alert     float64 `json:"alert_condition_month"`
		Scheduler float64 `json:"scheduler_job_month"`
		Secret    float64 `json:"secret_version_month"`
		Registry  float64 `json:"registry_gb_month"`
		Log       float64 `json:"log_gib"`
	} `json:"operations"`
}

const (
	month   = 30 * 24 * 3600 // s
	gb      = 1e9
	gib     = 1 << 30
	tib     = 1 << 40
	runs    = 30 * 24 * 60
	rowSize = 250.0 // bytes of a row in BigQuery
)

// A component is a row of the table: what it costs at so many records a
// second. The formulas are told in docs/costs.md.
type component struct {
	name string
	cost func(p prices, records float64) float64
}

// batches a second, at the default age of 500 ms.
func batches(records float64) float64 { return min(records, 36/0.5) }

var components = []component{
	{"Kafka (Confluent Cloud, basic)", func(p prices, r float64) float64 {
		return r * 300 / gb * (2*month*p.Confluent.Traffic + 7*24*3600*p.Confluent.Month)
	}},
	{"bridge", func(p prices, _ float64) float64 {
		return month * (p.CloudRun.AlwaysCPU + 0.5*p.CloudRun.AlwaysGiB)
	}},
	{"Pub/Sub", func(p prices, r float64) float64 {
		return 2 * month * max(batches(r)*p.PubSub.Minimum, r*350) / tib * p.PubSub.TiB
	}},
	{"functions, ingest", func(p prices, r float64) float64 {
		busy := max(1-math.Exp(-0.1*batches(r)), 0.1*batches(r)/8)
		return month * (batches(r)/1e6*p.CloudRun.MillionsCalls + busy*(p.CloudRun.RequestCPU+p.CloudRun.RequestGiB))
	}},
	{"functions, transform", func(p prices, _ float64) float64 {
		return runs/1e6*p.CloudRun.MillionsCalls + runs*10*(p.CloudRun.RequestCPU+0.5*p.CloudRun.RequestGiB)
	}},
	{"lake", func(p prices, r float64) float64 {
		return month * (batches(r)/1000*p.Storage.Writes + r*60/gb*p.Storage.Month)
	}},
	{"BigQuery, rows in", func(p prices, r float64) float64 {
		return r * rowSize / gib * (month*p.BigQuery.Write + 90*24*3600*p.BigQuery.Month)
	}},
	{"BigQuery, transforms each minute", func(p prices, r float64) float64 {
		return runs * max(80*p.BigQuery.Minimum, r*12*3600*rowSize*0.6) / tib * p.BigQuery.Query
	}},
	{"the rest", func(p prices, r float64) float64 {
		o := p.Operations
		return 8*o.Alert + o.Scheduler + 2*o.Secret + 2*o.Registry + batches(r)*month*1000/gib*o.Log
	}},
}

// table renders the estimate.
func table(p prices) string {
	sizes := []float64{1, 20, 100, 1000}
	var b strings.Builder
	b.WriteString("| component | 1 record/s | 20 records/s | 100 records/s | 1,000 records/s |\n|---|--:|--:|--:|--:|\n")
	totals := make([]float64, len(sizes))
	for _, c := range components {
		b.WriteString("| " + c.name)
		for i, records := range sizes {
			cost := c.cost(p, records)
			totals[i] += cost
			fmt.Fprintf(&b, " | %.2f", cost)
		}
		b.WriteString(" |\n")
	}
	b.WriteString("| **all**")
	for _, total := range totals {
		fmt.Fprintf(&b, " | **%.0f**", total)
	}
	b.WriteString(" |\n")
	return b.String()
}

// The table in the docs is what the formulas make of the prices.
func TestCosts_TableIsComputed(t *testing.T) {
	var p prices
	if err := json.Unmarshal([]byte(read(t, "docs/prices.json")), &p); err != nil {
		t.Fatal(err)
	}
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
	if page != want {
		t.Error("docs/costs.md does not show what docs/prices.json says: run go test ./deploytest -run Costs -update")
	}
}
