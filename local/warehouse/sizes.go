package warehouse

import bigquery "google.golang.org/api/bigquery/v2"

// EngineQuery is what the engine's jobs.query takes. Its answer has the members schema and rows of BigQuery's, and made,
// the resources of the tables and views that it has made.
type EngineQuery struct {
	SQL            string                     `json:"query"`
	DefaultDataset *bigquery.DatasetReference `json:"defaultDataset,omitempty"`
	DryRun         bool                       `json:"dryRun,omitempty"`
	Made           *Made                      `json:"made,omitempty"`
}

// Made is what a query says of the table or view that it makes and the emulator does not read.
type Made struct {
	Table    bigquery.Table `json:"table"`              // the members that it says
	Required []string       `json:"required,omitempty"` // lower-case names of NOT NULL columns
}

// SizesPath is where the engine answers a SizesRequest with Sizes.
const SizesPath = "/stationflow/sizes"

// JobsPath is where the engine forgets the jobs that its emulator remembers of loads: it takes 16 ms for one itself.
const JobsPath = "/stationflow/jobs/forget"

// SizesRequest asks for the sizes of the rows of a table that were added after a row.
type SizesRequest struct {
	Table     string `json:"table"`               // the emulator's name of it
	After     int64  `json:"after,omitempty"`     // Sizes.Last of the answer before, or 0
	Partition string `json:"partition,omitempty"` // the column that the table is partitioned by, or ""
	Unit      string `json:"unit,omitempty"`      // HOUR, DAY, MONTH or YEAR, of partitions by time
	Start     int64  `json:"start,omitempty"`     // of partitions by ranges of whole numbers
	End       int64  `json:"end,omitempty"`
	Interval  int64  `json:"interval,omitempty"`

	Bool []string `json:"bool,omitempty"` // lower-case names of the columns of type BOOL, which are kept as numbers
}

// Sizes says how large rows are.
type Sizes struct {
	Last       int64                    `json:"last"` // the last row that was measured
	Partitions map[string]PartitionSize `json:"partitions"`
}

// PartitionSize is the size of one partition, by lower-case name of the column.
type PartitionSize struct {
	Rows    int64            `json:"rows"`
	Columns map[string]int64 `json:"columns"` // bytes
}

// The partitions that have no time or range, by BigQuery's names for them.
const (
	NullPartition  = "__NULL__"
	OtherPartition = "__UNPARTITIONED__"
)

// PartitionLayout is the form of the ids of partitions by time.
func PartitionLayout(unit string) string {
	switch unit {
	case "HOUR":
		return "2006010215"
	case "MONTH":
		return "200601"
	case "YEAR":
		return "2006"
	}
	return "20060102"
}
