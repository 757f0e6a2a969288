package ingesttest

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/stationflow/stationflow/batch"
)

// verdicts returns the reasons of each offset's rows in quarantine, in the
// order in which they came.
func (l *lab) verdicts() map[int64]string {
	all := make(map[int64]string)
	for _, r := range l.warehouse.rows("quarantine") {
		at := r["kafka_offset"].(int64)
		all[at] = strings.TrimSpace(all[at] + " " + r["reason"].(string))
	}
	return all
}

// retryOf returns a retry of the batch's records at the offsets.
func retryOf(b *batch.Batch, offsets ...int64) *batch.Batch {
	retry := compacted(b, offsets...)
	retry.Retry = true
	return retry
}

// What a retry accepts lands in staging and lake with where it came from, and
// a row in quarantine says so; what is still refused has its newest reason.
func TestIngest_Retry(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	good := incidents(4)
	b := batchOf(good[0], "{", "[]", "", good[3])
	l.mustDeliver(t, b)
	if got, want := l.verdicts(), (map[int64]string{101: "not_json", 102: "not_object", 103: "empty"}); !maps.Equal(got, want) {
		t.Fatalf("at first %v, want %v", got, want)
	}
	// The rules became others: two of them would be accepted now, one is
	// refused for something else.
	b.Records[1].Value, b.Records[2].Value, b.Records[3].Value = []byte(good[1]), []byte(good[2]), []byte("{}")
	for range 2 { // a retry may come twice
		l.mustDeliver(t, retryOf(b, 101, 102, 103))
	}
	want := map[int64]string{101: "not_json accepted accepted", 102: "not_object accepted accepted", 103: "empty missing_field missing_field"}
	if got := l.verdicts(); !maps.Equal(got, want) {
		t.Errorf("after the retry %v, want %v", got, want)
	}
	staged, raw := offsets(l.warehouse.rows("incidents")), l.archived(t, "raw/")
	if want := (map[int64]int{100: 1, 101: 2, 102: 2, 104: 1}); !maps.Equal(staged, want) {
		t.Errorf("in staging %v, want %v", staged, want)
	}
	if want := (map[int64]int{100: 1, 101: 1, 102: 1, 104: 1}); !maps.Equal(raw, want) {
		t.Errorf("in the lake %v, want %v", raw, want)
	}
	for _, r := range l.warehouse.rows("incidents") {
		at := r["kafka_offset"].(int64)
		if r["kafka_topic_id"] != topicID || r["kafka_partition"] != int64(3) || string(r["kafka_key"].([]byte)) != fmt.Sprint("k", at-100) ||
			strings.Contains(r["batch_id"].(string), "-retry-") != (at == 101 || at == 102) {
			t.Errorf("offset %d has lost where it came from: %v", at, r)
		}
	}
	for _, r := range l.warehouse.rows("quarantine") {
		if r["reason"] == "accepted" && (r["value"] != nil || r["key"] != nil || r["kafka_timestamp"] == nil) {
			t.Errorf("the mark of an accepted record is %v", r)
		}
	}
	if c := l.function.Counts(); c.Records != 5 || c.Quarantined != 3 {
		t.Errorf("%d records are counted and %d in quarantine, want 5 and 3: a retry brings no new ones", c.Records, c.Quarantined)
	}
}

// A retry is marked as accepted only when all of it is durable, wherever it
// fails before.
func TestIngest_RetryFailsOnItsWay(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"incidents", "quarantine", "the lake"} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			bad, good := batchOf("{", "{"), batchOf(incidents(2)...)
			l.mustDeliver(t, bad)
			if broken == "the lake" {
				l.lake.decide(firstUpload(outcome{status: 403}))
			} else {
				l.warehouse.decide(once(broken, verdict{status: codes.PermissionDenied}))
			}
			if err := l.deliver(t, retryOf(good, 100, 101)); err == nil {
				t.Fatal("the delivery succeeded")
			}
			if want, got := (map[int64]string{100: "not_json", 101: "not_json"}), l.verdicts(); !maps.Equal(got, want) {
				t.Errorf("after the failure %v, want %v", got, want)
			}
			l.mustDeliver(t, retryOf(good, 100, 101))
			if want, got := (map[int64]string{100: "not_json accepted", 101: "not_json accepted"}), l.verdicts(); !maps.Equal(got, want) {
				t.Errorf("after the next delivery %v, want %v", got, want)
			}
			if raw, want := l.archived(t, "raw/"), (map[int64]int{100: 1, 101: 1}); !maps.Equal(raw, want) {
				t.Errorf("in the lake %v, want %v", raw, want)
			}
		})
	}
}

// A retry can have the ranges of a batch that was stored apart within the hour:
// what is remembered of that batch says nothing of the retry, or the other way
// round.
func TestIngest_RetryIsNotTakenForAnEarlierBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := spread(50, 5)
	for i := range b.Records {
		if b.Records[i].Partition == 4 {
			b.Records[i].Value = []byte("{")
		}
	}
	l.warehouse.decide(func(table string, rows []row) verdict {
		v := verdict{refuse: make(map[int]string)}
		for i, r := range rows {
			if r["kafka_partition"] == int64(2) && r["kafka_offset"] == int64(101) {
				v.refuse[i] = "never"
			}
		}
		return v
	})
	if err := l.deliver(t, b); err == nil {
		t.Fatal("the batch was not stored apart")
	}
	retry := &batch.Batch{ClusterID: "c", Topic: b.Topic, TopicID: topicID, Lane: batch.BothLanes, Retry: true}
	for _, offset := range []int64{100, 109} { // the ends of what partition 4 had
		retry.Records = append(retry.Records, batch.Record{Partition: 4, Offset: offset, Timestamp: noon.UnixMilli(), Value: []byte(incidents(1)[0])})
	}
	l.mustDeliver(t, retry)
	for _, r := range retry.Records {
		if n := places(l.warehouse.rows("incidents"))[place{4, r.Offset}]; n != 1 {
			t.Errorf("offset %d is in staging %d times, want once", r.Offset, n)
		}
	}
}
