package cost

// Assumptions about the function alert.
const (
	alertCallSeconds = 0.3 // of a call, with the two marks of an alert and the webhook's answer
	alertWrites      = 2   // of an alert's mark: before it is sent, and after
	alertLogBytes    = 300
)

// alertShares are those of the topics that the rules name: the rarest. Every
// record of them counts as an alert, though not all are.
var alertShares = topicShares[4:]

// alertItems are what the function alert uses; carried is what Pub/Sub carries
// without it, published and delivered. A filter spares calls and not the price of
// a delivery, so over Pub/Sub all is delivered once more. Over http the bridge
// publishes copies of the batches of these topics.
func (w Workload) alertItems(carried float64) []Item {
	if !w.Alerts {
		return nil
	}
	calls, alerts := 0.0, 0.0
	for _, share := range alertShares {
		rate := w.RecordsPerSecond * share
		calls += rate / (1 + rate*w.BatchAge.Seconds()) * Month
		alerts += rate * Month
	}
	delivered := carried / 2
	if w.Transport == OverHTTP {
		delivered = 2 * (calls*batchOverhead + alerts*w.batchBytes())
	}
	return []Item{
		{Alert, "pubsub_bytes", delivered},
		{Alert, "run_requests", calls},
		{Alert, "run_request_cpu_second", calls * alertCallSeconds},
		{Alert, "run_request_gib_second", calls * alertCallSeconds * 0.5},
		{Alert, "storage_writes", alerts * alertWrites},
		{Alert, "log_bytes", alerts * alertLogBytes},
		{Alert, "secret_versions", 2},
	}
}
