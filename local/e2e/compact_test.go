package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/compact"
)

// Closed hours are merged while the system runs. Before it, while what was merged
// is still there, and once it is gone, nothing is missing: verify, trace, the
// replay from the lake, DuckDB and BigQuery's client find every record, and at
// the end each once.
func TestFaults_Compaction(t *testing.T) {
	system := up(t, []string{"BRIDGE_LAKE_AGE=1s", "BRIDGE_COMMIT_INTERVAL=50ms", "COMPACT_DAYS=366"})
	sent, reasons := mix(t, goodEvents(t, 1200), 24)
	kafka := producer(t, system.Kafka)
	for i := range 4 { // so that an hour has several files
		send(t, kafka, sent[i*len(sent)/4:(i+1)*len(sent)/4])
		system.awaitRecords((i + 1) * len(sent) / 4)
	}
	system.awaitComplete(len(sent))
	files := len(system.objects("raw/"))

	// The function answers, and finds every file too young.
	response, err := http.Post(system.Functions+"/compact", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var told compact.Result
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil || response.StatusCode != http.StatusOK || len(told.Hours) != 0 || told.Waiting == 0 {
		t.Errorf("the function answers %d: %+v (%v)", response.StatusCode, told, err)
	}
	_ = response.Body.Close()

	t.Setenv("COMPACT_AFTER", "0s")
	dry := system.compact("--dry-run")
	merged := system.compact()
	records := 0
	for _, h := range merged.Hours {
		records += int(h.Records)
	}
	after := len(system.objects("raw/"))
	if len(merged.Hours) == 0 || len(dry.Hours) != len(merged.Hours) || records == 0 || after != files+len(merged.Hours) || merged.Deleted > 0 {
		t.Fatalf("%d hours with %d records were merged, a dry run says %d; %d objects, before %d", len(merged.Hours), records, len(dry.Hours), after, files)
	}
	system.awaitComplete(len(sent))
	lacking := func(when string) {
		t.Helper()
		for _, topic := range event.Topics() {
			staged := system.query(fmt.Sprintf("select count(distinct format('%%t %%t', kafka_partition, kafka_offset)) from staging_data.%s", topic))[0][0].(int64)
			filed := system.query(fmt.Sprintf("select count(distinct format('%%t %%t', kafka_partition, kafka_offset)) from staging_data.%s_lake where dt > '2000-01-01'", topic))[0][0].(int64)
			if staged != filed {
				t.Errorf("%s, the lake's table has %d records of %s, staging %d", when, filed, topic, staged)
			}
		}
	}
	lacking("beside what was merged")

	t.Setenv("COMPACT_GRACE", "0s")
	time.Sleep(10 * time.Millisecond) // the grace time
	gone := system.compact()
	if left := len(system.objects("raw/")); gone.Deleted == 0 || len(gone.Hours) != 0 || left != after-gone.Deleted {
		t.Errorf("%d objects were deleted of %d, %d are left", gone.Deleted, after, left)
	}
	system.awaitComplete(len(sent))
	system.audit(true)
	lacking("at the end")
	checkTraces(t, system, sent, reasons)
	checkReaders(t, system, sent, reasons)

	// What is taken out of staging comes back from the merged files.
	const values = "select * except (ingested_at, batch_id) from staging_data.train_arrivals order by kafka_partition, kafka_offset"
	before := system.query(values)
	days := system.query("select format_timestamp('%F', min(timestamp)), format_timestamp('%F', timestamp_add(max(timestamp), interval 1 day)) from staging_data.train_arrivals")[0]
	system.change("delete from staging_data.train_arrivals where mod(kafka_offset, 2) = 0")
	system.says(fmt.Sprintf("replay lake --topic train_arrivals --from %s --to %s", days[0], days[1]))
	if after := system.query(values); len(before) == 0 || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("replaying gives %d rows, before there were %d, or others", len(after), len(before))
	}
	system.awaitComplete(len(sent))
	system.stop()
}

// compact runs the command.
func (l *local) compact(args ...string) (r compact.Result) {
	l.t.Helper()
	out, faults, code := l.tool(append([]string{"compact", "--json", "--from", "2000-01-01"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		l.t.Fatalf("stationflow compact ended with %d: %v\n%s%s", code, err, out, faults)
	}
	if said, _, _ := l.tool("compact", "--dry-run"); !strings.Contains(said, "would be merged") {
		l.t.Errorf("stationflow compact says %s", said)
	}
	return r
}
