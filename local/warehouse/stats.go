package warehouse

import (
	"math"
	"sync"
	"time"
)

// Latency summarises durations since the warehouse was started. Quantiles are exact to 20 %.
type Latency struct {
	Count    int64
	P50, P99 time.Duration
	Max      time.Duration
}

// histogram counts durations in buckets that grow by bucketGrowth, from a microsecond to beyond an hour.
type histogram struct {
	mu      sync.Mutex
	buckets [128]int64
	count   int64
	max     time.Duration
}

const bucketGrowth = 1.2

var logGrowth = math.Log(bucketGrowth)

func (h *histogram) observe(d time.Duration) {
	bucket := 0
	if d > time.Microsecond {
		bucket = min(int(math.Log(float64(d)/float64(time.Microsecond))/logGrowth)+1, len(h.buckets)-1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buckets[bucket]++
	h.count++
	h.max = max(h.max, d)
}

func (h *histogram) latency() Latency {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Latency{Count: h.count, P50: h.quantile(0.50), P99: h.quantile(0.99), Max: h.max}
}

// quantile gives the upper end of the bucket in which the q-th share of the durations ends. The caller holds mu.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.count)))
	var seen int64
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen >= rank {
			return min(h.max, time.Duration(float64(time.Microsecond)*math.Pow(bucketGrowth, float64(i))))
		}
	}
	return h.max
}

// Appended says what the Storage Write API has taken for one table since the warehouse was started.
type Appended struct {
	Rows  int64
	Bytes int64 // of the rows as encoded by the client
}

// appendedCounters counts by "dataset.table".
type appendedCounters struct {
	mu     sync.Mutex
	tables map[string]Appended
}

func (c *appendedCounters) add(table string, rows [][]byte) {
	var bytes int64
	for _, row := range rows {
		bytes += int64(len(row))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.tables[table]
	c.tables[table] = Appended{Rows: sum.Rows + int64(len(rows)), Bytes: sum.Bytes + bytes}
}

func (c *appendedCounters) snapshot() map[string]Appended {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]Appended, len(c.tables))
	for table, sum := range c.tables {
		out[table] = sum
	}
	return out
}
