package cost

// Assumptions about the page, at which one person looks.
const (
	pagePolls       = 1/20.0 + 1/60.0 // requests a second while somebody looks: the state each 20 s, the answers each minute
	pagePollSeconds = 0.1             // that are billed of an instance for each
	pageReadSeconds = 2               // of a reading, for which a request waits
	pageWholeBytes  = 100e6           // that the marts of 90 days have, of 20 stations; read once an hour
	pageRecent      = 7 * 24 * 3600   // seconds of arrivals in which what goes on is looked for
	pageRecentBytes = 120             // of the columns of a row that this reads
)

// pageItems are what the page uses in the hours a day in which somebody looks:
// a look at one table for each run of the transform with news, and one at the
// tables of incidents and failures when some of these came.
func (p Prices) pageItems(w Workload, runs, busyRuns float64) []Item {
	if w.PageHours == 0 {
		return nil
	}
	looking, least := w.PageHours/24, p.Minimums["bigquery_table_bytes"].Bytes
	readings := looking * busyRuns
	whole := min(readings, looking*Month/3600)
	scanned := readings*least + whole*pageWholeBytes
	disturbed := 0.0 // the share of records that are incidents or failures
	for _, share := range alertShares {
		disturbed += share
	}
	for _, share := range alertShares {
		rows := w.RecordsPerSecond * share * pageRecent
		scanned += looking * w.runsWithNews(runs, disturbed) * max(least, rows*pageRecentBytes)
	}
	polls := looking * Month * pagePolls
	seconds := polls*pagePollSeconds + readings*pageReadSeconds
	return []Item{
		{Page, "run_requests", polls},
		{Page, "run_request_cpu_second", seconds},
		{Page, "run_request_gib_second", seconds * 0.5},
		{Page, "bigquery_query_bytes", scanned},
	}
}
