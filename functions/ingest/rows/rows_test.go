package rows

import (
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
)

func TestKafkaTimestamp(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for millis, null := range map[int64]bool{-1: true, 0: false, noon.UnixMilli(): false, LastMillis: false, LastMillis + 1: true, 1 << 62: true} {
		v := kafkaTimestamp(&batch.Record{Timestamp: millis})
		if v.Null() != null || !null && v.Int() != millis*1000 {
			t.Errorf("%d ms is %v (NULL: %v)", millis, v.Int(), v.Null())
		}
	}
}
