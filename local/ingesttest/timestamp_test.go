package ingesttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/functions/ingest"
)

// A Kafka timestamp that cannot be true is not evidence against an event, which
// the time of receipt judges then. It is kept as Kafka said it, in every place,
// where a TIMESTAMP can hold it.
func TestIngest_KafkaTimestampThatCannotBeTrue(t *testing.T) {
	t.Parallel()
	const null = math.MinInt64
	last := time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli()
	for _, test := range []struct {
		name      string
		timestamp int64 // milliseconds
		kept      int64 // microseconds
		absurd    int   // records in the log
		null      int
	}{
		{"none", -1, null, 0, 0},
		{"zero", 0, 0, 4, 0},
		{"one", 1, 1000, 4, 0},
		{"seconds", noon.Unix(), noon.Unix() * 1000, 4, 0},
		{"1999", time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli(), time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMicro(), 4, 0},
		{"true", noon.UnixMilli(), noon.UnixMicro(), 0, 0},
		{"two days ahead", noon.Add(48 * time.Hour).UnixMilli(), noon.Add(48 * time.Hour).UnixMicro(), 4, 0},
		{"the last of the year 9999", last, last * 1000, 4, 0},
		{"after it", last + 1, null, 4, 4},
		{"microseconds", noon.UnixMicro(), null, 4, 4},
		{"nanoseconds", noon.UnixNano(), null, 4, 4},
		{"the largest number", math.MaxInt64, null, 4, 4},
	} {
		for _, sinks := range []string{"lake", "lake,warehouse"} {
			t.Run(test.name+"/"+sinks, func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				l := newLab(t, func(c *ingest.Config) {
					c.Sinks = strings.Split(sinks, ",")
					c.Now = func() time.Time { return noon }
					c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
				})
				b := batchOf(incident("past", noon.Add(-time.Hour)), incident("soon", noon.Add(24*time.Hour)),
					incident("never", noon.Add(24*time.Hour+time.Second)), "x")
				for i := range b.Records {
					b.Records[i].Timestamp = test.timestamp
				}
				l.mustDeliver(t, b)

				var good, bad []row
				for _, name := range l.lake.objects(t, "raw/") {
					_, rows := readParquet(t, l.lake.read(t, name))
					good = append(good, rows...)
				}
				if sinks == "lake" {
					_, bad = readParquet(t, l.lake.read(t, l.lake.objects(t, "quarantine/")[0]))
				} else {
					good, bad = append(good, l.warehouse.rows("incidents")...), l.warehouse.rows("quarantine")
				}
				if n := offsets(good); n[100] == 0 || n[100] != n[101] || len(n) != 2 {
					t.Errorf("good are %v, want 100 and 101", n)
				}
				if len(bad) != 2 || bad[0]["reason"] != "absurd_timestamp" || bad[1]["reason"] != "not_json" {
					t.Errorf("bad are %v", bad)
				}
				want := any(test.kept)
				if test.kept == null {
					want = nil
				}
				for _, r := range append(good, bad...) {
					if r["kafka_timestamp"] != want {
						t.Errorf("kafka_timestamp of offset %v is %v, want %v", r["kafka_offset"], r["kafka_timestamp"], want)
					}
				}
				var line struct {
					Absurd int   `json:"absurd_kafka_timestamps"`
					Null   int   `json:"null_kafka_timestamps"`
					Oldest int64 `json:"oldest_kafka_ms"`
				}
				if err := json.Unmarshal(log.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				if line.Absurd != test.absurd || line.Null != test.null || (line.Oldest != 0) != (test.name == "true") {
					t.Errorf("the log says %+v, want %d and %d", line, test.absurd, test.null)
				}
			})
		}
	}
}

// One record of such a producer does not speak for the others of its batch.
func TestIngest_EachRecordIsHeldAgainstItsOwnTimestamp(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *ingest.Config) { c.Now = func() time.Time { return noon } })
	old := noon.Add(-30 * 24 * time.Hour)
	b := batchOf(incident("a", noon), incident("b", noon), incident("c", old))
	b.Records[0].Timestamp, b.Records[1].Timestamp, b.Records[2].Timestamp = 0, old.UnixMilli(), old.UnixMilli()
	l.mustDeliver(t, b)
	bad := l.warehouse.rows("quarantine")
	if got := offsets(l.warehouse.rows("incidents")); len(got) != 2 || len(bad) != 1 || bad[0]["kafka_offset"] != int64(101) {
		t.Errorf("staging has %v, quarantine %v, want offset 101 there", got, fmt.Sprint(bad))
	}
}
