package cost

import "math"

// Assumptions about the function compact.
const (
	compactions        = Month / 3600 // one each hour
	idleCompactSeconds = 1            // of one that lists and finds nothing to merge
	mergedASecond      = 100_000      // records, measured in the local system on one core, with the check of what was written
	filesASecond       = 100          // that are fetched, a few at a time
	compactLists       = 6            // requests of a call, one for each topic; those of a day for all days are few
	compactLogBytes    = 400
	partDays           = 30 // for which the bucket keeps a version of what was deleted
)

// compactItems are what the function compact uses; objects is how many ingest
// writes a second. An hour of a topic is merged once there are two objects or
// more; an object is read once, and again where it is merged, which nearly all
// are. To delete costs nothing, but the bucket keeps what was deleted for a
// while.
func (w Workload) compactItems(objects float64) []Item {
	if !w.Compacts {
		return nil
	}
	merges := 0.0 // a month
	for _, share := range topicShares {
		inHour := w.RecordsPerSecond * share * 3600
		merges += Month / 3600 * (1 - math.Exp(-inHour)*(1+inHour))
	}
	records, read := w.RecordsPerSecond*Month, objects*Month
	seconds := compactions*idleCompactSeconds + read/filesASecond + records/mergedASecond
	return []Item{
		{Compact, "scheduler_jobs", 1},
		{Compact, "run_requests", compactions},
		{Compact, "run_request_cpu_second", seconds},
		{Compact, "run_request_gib_second", seconds},
		{Compact, "storage_writes", merges + compactions*compactLists},
		{Compact, "storage_reads", read + 8*merges}, // what others replace is asked each hour of the grace time
		{Compact, "storage_byte_months", records * w.lakeBytes() * partDays / 30},
		{Compact, "log_bytes", compactions*compactLogBytes + merges*compactLogBytes},
	}
}
