package project

import (
	"fmt"
	"slices"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/jinja"
)

// A Batch is a span of time that one run of a model of the strategy microbatch
// is about: from Start up to End, in UTC.
type Batch struct{ Start, End time.Time }

// batchSizes are dbt's, with the form of a batch's id.
var batchSizes = map[string]string{"hour": "20060102T15", "day": "20060102", "month": "200601", "year": "2006"}

// checkBatches refuses what dbt refuses of a model of the strategy microbatch.
func (c *Config) checkBatches() error {
	granularity, _ := c.All["partition_by"].(map[string]any)
	switch {
	case c.EventTime == "":
		return fmt.Errorf("microbatch needs event_time: the name of the model's column with the time")
	case batchSizes[c.BatchSize] == "":
		return fmt.Errorf("microbatch needs batch_size: hour, day, month or year")
	case c.Begin.IsZero():
		return fmt.Errorf("microbatch needs begin: the time from which on to build, such as 2026-01-01")
	case c.PartitionBy == nil:
		return fmt.Errorf("microbatch needs partition_by")
	case granularity["granularity"] != c.BatchSize:
		return fmt.Errorf("microbatch needs partition_by with a granularity that is batch_size, %s", c.BatchSize)
	case c.KnowsPartitions:
		return fmt.Errorf("microbatch with partitions is not supported: its batches say what is replaced")
	}
	return nil
}

// parseBegin reads a time in the forms of ISO; without a zone it is UTC.
func parseBegin(value any) (time.Time, bool) {
	text, _ := value.(string)
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// Batches are those that dbt runs at a moment: from begin on, or for a model that
// has history the last ones, as lookback says.
func (c *Config) Batches(now time.Time, hasHistory bool) []Batch {
	end := c.truncated(now)
	if end.Before(now) {
		end = c.next(end, 1)
	}
	start := c.truncated(c.Begin)
	if hasHistory {
		start = c.next(end, -1-c.Lookback) // the end is where a batch begins
	}
	var batches []Batch
	for len(batches) == 0 || start.Before(end) {
		until := c.next(start, 1)
		batches = append(batches, Batch{start, until})
		start = until
	}
	batches[len(batches)-1].End = end
	return batches
}

// truncated is the begin of the batch that a moment is in.
func (c *Config) truncated(at time.Time) time.Time {
	at = at.UTC()
	year, month, day, hour := at.Year(), at.Month(), at.Day(), at.Hour()
	switch c.BatchSize {
	case "day":
		hour = 0
	case "month":
		day, hour = 1, 0
	case "year":
		month, day, hour = 1, 1, 0
	}
	return time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
}

// next is the begin of a batch some batches later.
func (c *Config) next(at time.Time, n int) time.Time {
	switch c.BatchSize {
	case "hour":
		return at.Add(time.Duration(n) * time.Hour)
	case "day":
		return at.AddDate(0, 0, n)
	case "month":
		return at.AddDate(0, n, 0)
	}
	return at.AddDate(n, 0, 0)
}

// inBatch has a relation show the rows of the batch alone that is compiled, where
// it says which column has the time.
func (r *rendering) inBatch(relation *Relation, eventTime string, columns []Column) *Relation {
	batch := r.compilation.Batch
	if batch == nil || eventTime == "" || r.model == nil || r.model.Config.Strategy != Microbatch {
		return relation
	}
	if at := slices.IndexFunc(columns, func(c Column) bool { return c.Name == eventTime && c.Quoted }); at >= 0 {
		eventTime = "`" + eventTime + "`"
	}
	const form = "2006-01-02 15:04:05-07:00"
	relation.shown = fmt.Sprintf("(select * from %[1]s where cast(%[2]s as timestamp) >= '%[3]s' and cast(%[2]s as timestamp) < '%[4]s')",
		relation.text, eventTime, batch.Start.Format(form), batch.End.Format(form))
	return relation
}

// batchObject is the variable model.batch.
func (r *rendering) batchObject() jinja.Value {
	batch := r.compilation.Batch
	if batch == nil {
		return nil
	}
	const form = "2006-01-02 15:04:05-07:00"
	return &refuser{"model.batch", map[string]jinja.Value{
		"id":               batch.Start.Format(batchSizes[r.model.Config.BatchSize]),
		"event_time_start": batch.Start.Format(form), "event_time_end": batch.End.Format(form),
	}}
}
