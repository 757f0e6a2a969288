package bridge

import (
	"fmt"
	"testing"
	"time"
)

// The line of a minute says what happened in it, and how things are at its end.
func TestSnapshot_Happened(t *testing.T) {
	before := Snapshot{Batches: 1, Records: 10, Bytes: 100, Retries: 1, CommitFailures: 1,
		DeadLetteredBatches: 1, DeadLetteredRecords: 5}
	now := Snapshot{Batches: 3, Records: 40, Bytes: 900, Retries: 5, CommitFailures: 7,
		DeadLetteredBatches: 2, DeadLetteredRecords: 11, Partitions: []PartitionStatus{
			{MemoryBytes: 7, LagRecords: 2, Lag: time.Second}, {MemoryBytes: 5, LagRecords: 1, Lag: 3 * time.Second},
		}}
	want := "[batches 2 records 30 bytes 800 retries 4 commit_failures 6 dead_lettered_batches 1 " +
		"dead_lettered_records 6 partitions 2 memory_bytes 12 lag_records 3 lag_ms 3000]"
	if got := fmt.Sprint(now.happened(before)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
