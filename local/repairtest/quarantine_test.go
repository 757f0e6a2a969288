package repairtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// incident is an event whose time is a number, which only some rules take.
func incident(id string, at time.Time, more string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"type":"Technique","station":"Nation","location":"Hall","timestamp":%d,"severity":"Minor","duration":3%s}`, id, at.UnixMilli(), more)
}

// mixed is a batch of ten incidents in each of three partitions: of ten the
// one at 0 is good, 1 to 6 are refused for a number that is a time, 7 to 9 for
// good.
func mixed(now time.Time) *batch.Batch {
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes}
	for partition := range int32(3) {
		for offset := range int64(10) {
			value := incident(fmt.Sprint(offset), now, "")
			switch {
			case offset == 0:
				value = []byte(strings.Replace(string(value), fmt.Sprint(now.UnixMilli()), now.Format(`"2006-01-02T15:04:05Z"`), 1))
			case offset > 6:
				value = append(value, '}')
			}
			b.Records = append(b.Records, batch.Record{Partition: partition, Offset: offset, Timestamp: now.UnixMilli(), Key: fmt.Append(nil, "k", offset), Value: value})
		}
	}
	return b
}

func TestQuarantine(t *testing.T) {
	l := newLab(t)
	now := time.Now().UTC().Truncate(time.Second)
	l.deliver(mixed(now))
	l.deliver(mixed(now)) // as Kafka and Pub/Sub may

	var list struct {
		Bytes   int64 `json:"bytes_read"`
		Records int64
		Groups  []struct {
			Topic, Reason string
			Records       int64
			First, Last   time.Time
			Tried         time.Time `json:"last_tried"`
			Examples      []struct{ Place, Detail string }
		}
	}
	l.mustJSON("quarantine list", &list)
	if len(list.Groups) != 2 || list.Records != 27 || list.Bytes == 0 || list.Groups[0].Reason != "wrong_type" || list.Groups[0].Records != 18 ||
		len(list.Groups[0].Examples) != 3 || list.Groups[1].Reason != "not_json" || list.Groups[1].Records != 9 {
		t.Errorf("list: %+v", list)
	}
	l.must("quarantine list", "reading up to", "wrong_type", "18", "incidents/0/", "STATION_EPOCH_UNIT", "27 records in quarantine")
	l.must("quarantine list --reason not_json --topic incidents --examples 0", "9 records in quarantine")
	l.must("quarantine list --topic train_arrivals", "nothing of that")
	l.must("quarantine list --to "+now.Add(-time.Hour).Format("2006-01-02T15:04"), "nothing of that")
	l.must("quarantine list --from "+now.Add(-time.Hour).Format("2006-01-02T15:04"), "27 records")

	l.must("quarantine show incidents/1/9", "in quarantine: not_json", "k9", `"id":"9"`, "row")
	l.fails(1, "quarantine show incidents/1/0", "is not in quarantine")

	const wrongType = "quarantine retry --reason wrong_type"
	l.must(wrongType+" --dry-run", "18 records chosen: 0 would be accepted, 18 would still be refused (wrong_type 18)")
	l.env["STATION_EPOCH_UNIT"] = "ms"
	l.must("quarantine retry --all --dry-run", "27 records chosen: 18 would be accepted, 9 would still be refused (not_json 9)")
	if got := l.counted(); got.staged != 3 || got.quarantined != 27 {
		t.Fatalf("a dry run changed the ledger: %+v", got)
	}

	l.rules("ms") // the fix
	var report struct {
		Chosen, Accepted, Unknown int64
		Refused                   map[string]int64
	}
	l.mustJSON("quarantine retry incidents/0/1 incidents/1/9", &report)
	if report.Chosen != 2 || report.Accepted != 1 || report.Refused["not_json"] != 1 || report.Unknown != 0 {
		t.Errorf("retry: %+v", report)
	}
	l.must("quarantine show incidents/0/1", "accepted when it was tried again")
	l.must("quarantine retry --all", "26 records chosen: 17 accepted, 9 still refused (not_json 9)")
	// A retry is no new arrival: the records are as long in quarantine as before.
	before := list.Groups[1]
	l.mustJSON("quarantine list", &list)
	if after := list.Groups[0]; !after.First.Equal(before.First) || !after.Last.Equal(before.Last) || !after.Tried.After(before.Last) {
		t.Errorf("not_json was listed as %+v, and after the retry as %+v", before, after)
	}
	l.must("quarantine list", "FIRST (UTC)", before.First.UTC().Format("01-02 15:04"))
	if got := l.counted(); got.staged != 21 || got.quarantined != 9 || got.inBoth != 0 || got.missing != 0 {
		t.Errorf("the ledger after the retry: %+v", got)
	}
	if got := l.held("concat(reason, kafka_partition)", "quarantine_records where kafka_partition = 1"); got != "7=not_json1 8=not_json1 9=not_json1" {
		t.Errorf("quarantine holds %s", got)
	}
	rows := l.Query("select kafka_offset, kafka_topic_id, cast(kafka_key as string), unix_millis(kafka_timestamp), unix_millis(timestamp) from staging_data.incidents_records where kafka_partition = 2 order by kafka_offset")
	for i, row := range rows {
		if want := fmt.Sprint([]any{i, topicID, fmt.Sprint("k", i), now.UnixMilli(), now.UnixMilli()}); fmt.Sprint(row) != want {
			t.Errorf("staging holds %v, want %s", row, want)
		}
	}
	if len(rows) != 7 {
		t.Errorf("%d records of partition 2 in staging, want 7", len(rows))
	}
}

// A retry right after the fix sends the batches that one before the fix has sent,
// and tells what became of its own.
func TestQuarantine_RetriesAgainOnceMended(t *testing.T) {
	l := newLab(t)
	l.deliver(mixed(time.Now().UTC().Truncate(time.Second)))
	const retry = "quarantine retry --reason wrong_type"
	l.must(retry, "18 records chosen: 0 accepted, 18 still refused (wrong_type 18)")
	l.rules("ms") // the fix
	l.must(retry, "18 records chosen: 18 accepted\n")
}

// Bytes that were too large for a row or a batch when the record came are judged
// like all others.
func TestFaults_RetryOfBytesInTheLake(t *testing.T) {
	l := newLab(t)
	now := time.Now().UTC().Truncate(time.Second)
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes}
	for offset := range int64(4) {
		name := lake.QuarantineObject("incidents", topicID, 5, offset)
		r := batch.Record{Partition: 5, Offset: offset, Timestamp: now.UnixMilli(), Key: []byte("k"), ValueURI: lake.URI(bucket, name), ValueSize: 9 << 20}
		switch offset {
		case 0: // would fit a batch, as if its limit were another now; with a key and headers of its own
			l.object(name, incident("large", now, ""))
			keyName := lake.QuarantineKeyObject("incidents", topicID, 5, offset)
			headersName := lake.QuarantineHeadersObject("incidents", topicID, 5, offset)
			l.object(keyName, []byte("the key"))
			l.object(headersName, []byte(`[{"key":"trace","value":"AAE="}]`))
			r.Key, r.Headers = nil, []batch.Header{{Key: batch.HeaderKeyURI, Value: []byte(lake.URI(bucket, keyName))}, {Key: batch.HeaderHeadersURI, Value: []byte(lake.URI(bucket, headersName))}}
		case 1: // fits none
			l.object(name, make([]byte, batch.MaxEncodedBytes+1))
		case 2: // is no event
			l.object(name, []byte("[]"))
		}
		b.Records = append(b.Records, r)
	}
	l.deliver(b)
	l.rules("ms")
	l.env["STATION_EPOCH_UNIT"] = "ms"
	l.fails(1, "quarantine retry --reason too_large --dry-run", "4 records chosen: 1 would be accepted, 2 would still be refused (not_object 1, too_large 1)")
	l.fails(1, "quarantine retry --reason too_large", "incidents/5/3: the lake no longer has its bytes")
	if got := l.held("reason", "quarantine_records"); got != "1=too_large 2=not_object 3=too_large" {
		t.Errorf("quarantine holds %s", got)
	}
	if got := l.held("concat(id, ' ', cast(kafka_key as string))", "incidents_records"); got != "0=large the key" {
		t.Errorf("staging holds %s", got)
	}
}

// A retry that is killed before or after any of its steps, and two at once: in
// the end each record is in one place.
func TestFaults_RetryKilledAndTwiceAtOnce(t *testing.T) {
	l := newLab(t)
	now := time.Now().UTC().Truncate(time.Second)
	l.deliver(mixed(now))
	l.rules("ms")
	for _, step := range []string{"before a batch arrives", "after it arrived"} {
		ctx, kill := context.WithCancel(t.Context())
		die := func() bool { kill(); return false }
		l.mu.Lock()
		if l.before, l.after = die, nil; step != "before a batch arrives" {
			l.before, l.after = nil, die
		}
		l.mu.Unlock()
		if code, _, said := l.run(ctx, "quarantine", "retry", "--reason", "wrong_type"); code != 130 {
			t.Errorf("killed %s: exit code %d: %s", step, code, said)
		}
		kill()
		if got := l.counted(); got.staged+got.quarantined-got.inBoth != 30 || got.missing != 0 {
			t.Errorf("killed %s: the ledger has %+v", step, got)
		}
	}
	l.mu.Lock()
	l.before, l.after = nil, nil
	l.mu.Unlock()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if code, _, said := l.run(t.Context(), "quarantine", "retry", "--all"); code != 0 {
				t.Errorf("one of two at once: exit code %d: %s", code, said)
			}
		})
	}
	both.Wait()
	if got := l.counted(); got.staged != 21 || got.quarantined != 9 || got.inBoth != 0 || got.missing != 0 {
		t.Errorf("the ledger after two at once: %+v", got)
	}
	if got := l.held("count(*)", "incidents_records group by kafka_offset"); got != "0=3 1=3 2=3 3=3 4=3 5=3 6=3" {
		t.Errorf("staging holds, by offset, %s", got)
	}
}

func TestQuarantine_Mistakes(t *testing.T) {
	l := &lab{t: t, env: map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"}}
	for _, test := range []struct{ args, says string }{
		{"quarantine", "say list, show or retry"},
		{"quarantine burn", "say list, show or retry"},
		{"quarantine list incidents/1/2", "list takes flags only"},
		{"quarantine list --reason bad", `there is no reason "bad"`},
		{"quarantine list --topic trains", `there is no topic "trains"`},
		{"quarantine list --from yesterday", "write it as 2026-11-22"},
		{"quarantine list --from 2026-11-22 --to 2026-11-22", "is not before"},
		{"quarantine list --max-bytes 0", "--max-bytes is 0"},
		{"quarantine show", "show needs one TOPIC/PARTITION/OFFSET"},
		{"quarantine show incidents/1", `"incidents/1" is not TOPIC/PARTITION/OFFSET`},
		{"quarantine show incidents/-1/2", "is not TOPIC/PARTITION/OFFSET"},
		{"quarantine retry", "either --all, or"},
		{"quarantine retry --all incidents/1/2", "either --all, or"},
	} {
		l.fails(2, test.args, test.says)
	}
	l.must("quarantine --help", "usage: stationflow quarantine list")
	l.must("quarantine retry --help", "--dry-run")
	l.fails(1, "quarantine list", "nothing listens at")
	l.env = map[string]string{}
	l.fails(1, "quarantine list", "or start a local system with `stationflow up`")
}
