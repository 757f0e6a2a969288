package cost

// Assumptions about canaries, of which the bridge sends one a minute.
const (
	canaryEvery      = 60  // seconds
	canaryBytes      = 120 // in Kafka
	canaryConditions = 1   // of its alert
	canarySeries     = 5   // that the alert looks at: what is due, and the age at each hop
	canaryLogBytes   = 200 // of a line: sent, and arrived at each of three hops
)

// canaryItems are what canaries use while the bridge runs: a batch in each lane,
// an object, and a look at their table by each of so many runs of the transform
// that publish.
func (p Prices) canaryItems(w Workload, busyRuns float64) []Item {
	if !w.Canaries {
		return nil
	}
	sent := w.bridgeSeconds() / canaryEvery
	carried := 0.0
	if w.Transport == OverPubSub {
		carried = 2 * 2 * sent * (batchOverhead + canaryBytes)
	}
	return []Item{
		{Canary, "kafka_bytes", 2 * sent * canaryBytes},
		{Canary, "pubsub_bytes", carried},
		{Canary, "run_requests", 2 * sent},
		{Canary, "run_request_cpu_second", 2 * sent * callSeconds},
		{Canary, "run_request_gib_second", 2 * sent * callSeconds},
		{Canary, "storage_writes", sent},
		{Canary, "bigquery_append_bytes", sent * canaryBytes},
		{Canary, "bigquery_query_bytes", busyRuns * p.Minimums["bigquery_table_bytes"].Bytes},
		{Canary, "alert_conditions", canaryConditions},
		{Canary, "alert_series", canarySeries * Month / 60},
		{Canary, "log_bytes", (3*sent + busyRuns) * canaryLogBytes},
	}
}
