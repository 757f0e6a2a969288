package meter

import (
	"time"

	"github.com/stationflow/stationflow/internal/cost"
)

// Month is what a month would use that goes on as the time of a reading's
// counts did. What is not counted, as the bridge's hours, the audit and what
// watches the system, is the model's.
func (r Reading) Month(took time.Duration, w cost.Workload, prices cost.Prices) ([]cost.Item, error) {
	modelled, err := prices.Model(w)
	if err != nil {
		return nil, err
	}
	months := cost.Month / took.Seconds()
	of := func(n int64) float64 { return float64(n) * months }
	days := func(n float64) float64 { return w.RetentionDays / 30 * n }
	const cpus, transformGiB, ingestGiB = 1, 0.5, 1
	items := []cost.Item{
		{Component: cost.Kafka, Price: "kafka_bytes", Amount: 2 * of(r.KafkaBytes)},
		{Component: cost.Kafka, Price: "kafka_byte_months", Amount: of(r.KafkaBytes) * cost.KafkaDays / 30},
		{Component: cost.PubSub, Price: "pubsub_bytes", Amount: of(r.PubSubBytes)},
		{Component: cost.Transform, Price: "run_requests", Amount: of(r.TransformCalls)},
		{Component: cost.Transform, Price: "run_request_cpu_second", Amount: cpus * months * r.TransformBusy.Seconds()},
		{Component: cost.Transform, Price: "run_request_gib_second", Amount: transformGiB * months * r.TransformBusy.Seconds()},
		{Component: cost.Ingest, Price: "run_requests", Amount: of(r.IngestCalls)},
		{Component: cost.Ingest, Price: "run_request_cpu_second", Amount: cpus * months * r.IngestBusy.Seconds()},
		{Component: cost.Ingest, Price: "run_request_gib_second", Amount: ingestGiB * months * r.IngestBusy.Seconds()},
		{Component: cost.Lake, Price: "storage_writes", Amount: of(r.Objects)},
		{Component: cost.Lake, Price: "storage_byte_months", Amount: of(r.ObjectBytes)},
		{Component: cost.Alert, Price: "storage_writes", Amount: of(r.AlertWrites)},
		{Component: cost.RowsIn, Price: "bigquery_append_bytes", Amount: of(r.AppendedBytes)},
		{Component: cost.RowsIn, Price: "bigquery_byte_months", Amount: days(of(r.AppendedBytes))},
		{Component: cost.TransformSQL, Price: "bigquery_query_bytes", Amount: of(r.BilledBytes)},
		{Component: cost.Rest, Price: "log_bytes", Amount: of(r.LogBytes)},
	}
	for _, item := range modelled {
		if !isCounted(item) {
			items = append(items, item)
		}
	}
	return items, nil
}

func isCounted(item cost.Item) bool {
	switch item.Component {
	case cost.Bridge, cost.Audit:
		return false
	case cost.Alert:
		return item.Price == "storage_writes"
	case cost.Rest:
		return item.Price == "log_bytes"
	}
	return true
}
