package repairtest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/local/staged"
)

// kafka starts a broker with the topics, and returns a client that writes to
// the partition that a record names.
func (l *lab) kafka(topics ...string) *kgo.Client {
	l.t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("c"), kfake.SeedTopics(3, topics...),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(20 << 20)}))
	check(l.t, err)
	l.t.Cleanup(cluster.Close)
	l.env["KAFKA_BOOTSTRAP_SERVERS"] = strings.Join(cluster.ListenAddrs(), ",")
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(20<<20))
	check(l.t, err)
	l.t.Cleanup(client.Close)
	return client
}

// produce writes incidents to each partition, an event a minute from begin on.
// Every fourth has a number as its time.
func (l *lab) produce(client *kgo.Client, begin time.Time, each int) {
	l.t.Helper()
	for partition := range int32(3) {
		for i := range each {
			at := begin.Add(time.Duration(i) * time.Minute)
			value := incident(fmt.Sprint(i), at, "")
			if i%4 != 0 {
				value = []byte(strings.Replace(string(value), fmt.Sprint(at.UnixMilli()), at.Format(`"2006-01-02T15:04:05Z"`), 1))
			}
			r := &kgo.Record{Topic: "incidents", Partition: partition, Key: fmt.Append(nil, "k", i), Value: value, Timestamp: at}
			check(l.t, client.ProduceSync(l.t.Context(), r).FirstErr())
		}
	}
}

// A record that a newer program has read otherwise has two rows in staging, and in
// the lake the earlier one alone, once its files were merged: readers of either
// see that one, and nobody has changed anything.
func TestReplay_ReadOtherwiseIsNoDifference(t *testing.T) {
	l := newLab(t)
	begin := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	l.produce(l.kafka("incidents"), begin, 40)
	l.env["KAFKA_TOPICS"] = "incidents"
	l.must("replay kafka --topic incidents --from "+begin.Format("2006-01-02T15:04"), "120 records replayed")
	l.Query("insert into staging_data.incidents select * replace (current_timestamp() as ingested_at, '{\"zone\":\"A\"}' as extra) from staging_data.incidents")
	l.must("verify --values --dead-letters=false", "\ncomplete: ", "delivered more than once")
	if traced := l.traced("incidents", 1, 7); len(traced.Rows) != 2 || len(traced.Problems) > 0 {
		t.Errorf("traced to %d rows, with %v", len(traced.Rows), traced.Problems)
	}
	l.Query("update staging_data.incidents set duration = 4 where kafka_partition = 1 and kafka_offset = 7")
	l.fails(1, "verify --values --dead-letters=false", "incidents/1 offset 7: 1 record with other values in the lake than in staging: incidents/1/7")
	if traced := l.traced("incidents", 1, 7); len(traced.Problems) != 1 || !strings.Contains(traced.Problems[0].Text, "duration is 4 in staging and 3 in the lake") {
		t.Errorf("traced to %v", traced.Problems)
	}
}

// What was replayed is older than a period in which its copies arrived: the rows
// that came at first are not read, and nothing is said of it.
func TestReplay_IsNotOfThePeriod(t *testing.T) {
	l := newLab(t)
	client := l.kafka("incidents")
	l.produce(client, time.Now().UTC().Add(-4*time.Hour), 40)
	l.env["KAFKA_TOPICS"] = "incidents"
	l.must("replay kafka --topic incidents --from 5h", "120 records replayed")
	l.Query("insert into staging_data.incidents select * replace ('{\"zone\":\"A\"}' as extra) from staging_data.incidents")
	l.Query("update staging_data.incidents set ingested_at = timestamp_sub(ingested_at, interval 4 hour) where extra is null")
	l.produce(client, time.Now().UTC().Add(-3*time.Minute), 3)
	l.must("replay kafka --topic incidents --from 10m", "9 records replayed")
	l.must("verify --values --dead-letters=false --from 1h", "\ncomplete: 9 records")
}

// Where only the lake keeps records, those that were refused are in it too, and
// none is missing until its file is.
func TestVerify_OfTheLakeAlone(t *testing.T) {
	l := newLab(t)
	l.config.Sinks = []string{"lake"}
	l.rules("")
	l.produce(l.kafka("incidents"), time.Now().UTC().Add(-2*time.Hour), 40)
	l.env["KAFKA_TOPICS"], l.env["INGEST_SINKS"] = "incidents", "lake"
	l.must("replay kafka --topic incidents --from 3h", "120 records replayed")
	l.must("verify --dead-letters=false", "\ncomplete: ")
	l.must("verify --dead-letters=false --from 3h", "\ncomplete: ")
	client, err := storage.NewClient(t.Context())
	check(t, err)
	defer client.Close()
	for objects := client.Bucket(bucket).Objects(t.Context(), &storage.Query{Prefix: "quarantine/"}); ; {
		object, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		check(t, err)
		check(t, client.Bucket(bucket).Object(object.Name).Delete(t.Context()))
	}
	l.fails(1, "verify --dead-letters=false", "waiting: incidents/1 offsets 0, 4, 8, and 7 more ranges up to 36: 10 records waiting in Kafka") // there is no bridge
}

// traced is where a record is; there are no marts.
func (l *lab) traced(topic string, partition, offset int64) *ledger.Trace {
	l.t.Helper()
	l.Query("create table if not exists staging_data.station_hours (row_kind string, topic string, station string, local_date date, local_hour datetime, latest_ingested_at timestamp, computed_at timestamp)")
	clients, err := ledger.FromEnv(env.NewReader(func(name string) string { return l.env[name] })).Open(l.t.Context())
	check(l.t, err)
	defer clients.Close()
	seek := ledger.Seek{Place: ledger.Place{Topic: topic, Partition: partition}, Offset: offset, Location: time.UTC, Now: time.Now(), Prod: staged.Staging, Most: 1}
	traces, _, err := ledger.Find(l.t.Context(), clients.Sources, seek, func(ledger.Scan) error { return nil })
	check(l.t, err)
	return traces[0]
}

// What Kafka still has is sent again, each record counts once, and what is in
// quarantine leaves it where it is accepted now.
func TestReplay_Kafka(t *testing.T) {
	l := newLab(t)
	begin := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	client := l.kafka("incidents")
	l.produce(client, begin, 40)
	check(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "incidents", Partition: 1, Value: make([]byte, 9<<20), Timestamp: begin.Add(time.Hour),
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte{1}}}}).FirstErr())
	from := begin.Format("2006-01-02T15:04")

	all := "replay kafka --topic incidents --from " + from
	l.must(all+" --dry-run", "121 records would be replayed in 3 batches; 0 of them are in quarantine", "reading up to")
	if got := l.counted(); got != (count{}) {
		t.Fatalf("a dry run stored %+v", got)
	}
	l.must(all, "121 records replayed in 3 batches")
	for range 2 { // the second changes nothing
		if got := l.counted(); got.staged != 90 || got.quarantined != 31 || got.inBoth != 0 || got.missing != 0 {
			t.Fatalf("the ledger has %+v", got)
		}
		l.must(all, "121 records replayed in 6 batches; 31 of them are in quarantine and are judged again")
	}
	if got := l.held("reason", "quarantine_records where reason != 'wrong_type'"); got != "40=too_large" {
		t.Errorf("the large record: %s", got)
	}

	l.rules("ms")
	minutes := "replay kafka --topic incidents --from " + begin.Add(4*time.Minute).Format("2006-01-02T15:04") + " --to " + begin.Add(9*time.Minute).Format("2006-01-02T15:04")
	l.must(minutes, "15 records replayed", "6 of them are in quarantine") // 4 and 8 of three partitions
	l.must("replay kafka --topic incidents --partition 1 --offsets 12-12", "1 record replayed in 1 batch; 1 of them is in quarantine")
	if got := l.counted(); got.staged != 97 || got.quarantined != 24 || got.inBoth != 0 || got.missing != 0 {
		t.Errorf("the ledger after the fix: %+v", got)
	}

	for args, says := range map[string]string{
		"--topic incidents --partition 1 --offsets 30-90":                                                       "Kafka has the offsets 0 to 40 of incidents/1, not all of 30 to 90",
		"--topic incidents --partition 7 --offsets 0-1":                                                         "topic incidents has no partition 7: it has 3",
		"--topic train_arrivals --partition 0 --offsets 0-1":                                                    "train_arrivals does not exist",
		"--topic incidents --from " + from + " --max-bytes 1":                                                   "raise --max-bytes",
		"--topic incidents --from " + from + " --url http://127.0.0.1:1/elsewhere --resume-after incidents/9/1": "incidents/9/1 is in no partition",
	} {
		code, _, said := l.run(t.Context(), strings.Fields("replay kafka "+args)...)
		if code == 0 || !strings.Contains(said, says) {
			t.Errorf("%s: exit code %d, want %q:\n%s", args, code, says, said)
		}
	}
}

var goesOn = regexp.MustCompile(`--resume-after \S+`)

// A replay that is killed before or after any batch, goes on from where it came
// or begins again, and two at once: nothing is missing, and nothing counts twice.
func TestFaults_ReplayKilledAndTwiceAtOnce(t *testing.T) {
	l := newLab(t)
	begin := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	l.produce(l.kafka("incidents"), begin, 20)
	replay := []string{"replay", "kafka", "--topic", "incidents", "--from", begin.Format("2006-01-02T15:04")}
	resume := ""
	for call := 1; call <= 6; call++ { // of each partition what is in quarantine comes apart
		for _, after := range []bool{false, true} {
			ctx, kill := context.WithCancel(t.Context())
			die := func() bool {
				l.mu.Lock()
				defer l.mu.Unlock()
				if l.calls == call {
					kill()
				}
				return l.calls < call
			}
			l.mu.Lock()
			l.calls = 0
			if l.before, l.after = die, nil; after {
				l.before, l.after = nil, die
			}
			l.mu.Unlock()
			code, _, said := l.run(ctx, replay...)
			kill()
			if code == 0 && l.calls < call {
				continue // there are fewer batches
			}
			if resume = goesOn.FindString(said); code != 130 || call > 3 && resume == "" {
				t.Fatalf("killed at batch %d: exit code %d: %s", call, code, said)
			}
		}
	}
	l.mu.Lock()
	l.before, l.after = nil, nil
	l.mu.Unlock()
	l.must(strings.Join(replay, " ")+" "+resume, "20 records replayed")
	if got := l.counted(); got.staged != 45 || got.quarantined != 15 || got.inBoth != 0 || got.missing != 0 {
		t.Errorf("after kills: %+v", got)
	}
	l.rules("ms")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if code, _, said := l.run(t.Context(), replay...); code != 0 {
				t.Errorf("one of two at once: exit code %d: %s", code, said)
			}
		})
	}
	both.Wait()
	if got := l.counted(); got.staged != 60 || got.quarantined != 0 || got.inBoth != 0 || got.missing != 0 {
		t.Errorf("after two at once: %+v", got)
	}
	rows := l.Query("select count(*), count(distinct concat(kafka_partition, '/', kafka_offset)) from staging_data.incidents_records")
	if fmt.Sprint(rows) != "[[60 60]]" {
		t.Errorf("staging holds %v", rows)
	}
}

// What the lake has and staging lost is put back, by the minute, once; what is in
// quarantine stays there.
func TestFaults_ReplayFromTheLake(t *testing.T) {
	l := newLab(t)
	begin := time.Now().UTC().Truncate(24 * time.Hour).Add(-time.Hour)
	l.produce(l.kafka("incidents"), begin, 120) // over midnight
	l.must("replay kafka --topic incidents --from " + begin.Format("2006-01-02T15:04"))
	// A plain table stands in for the one over the lake's files.
	l.Query("create table staging_data.incidents_lake as select *, date(timestamp) as dt, format_timestamp('%H', timestamp) as hour from staging_data.incidents")
	l.Query("insert into staging_data.incidents_lake select * from staging_data.incidents_lake where mod(kafka_offset, 3) = 0") // in two files
	l.Query(`insert into staging_data.incidents_lake select * replace (0 as kafka_offset) from staging_data.incidents_lake where kafka_offset = 1 limit 1`)
	before := l.Query("select * except (ingested_at) from staging_data.incidents order by kafka_partition, kafka_offset")
	l.Query("delete from staging_data.incidents where mod(kafka_offset, 2) = 1")

	lake := fmt.Sprintf("replay lake --topic incidents --from %s --to %s", begin.Add(10*time.Minute).Format("2006-01-02T15:04"), begin.Add(80*time.Minute).Format("2006-01-02T15:04"))
	l.must(lake+" --dry-run", "105 records would be put back", "reading up to")
	yesterday := "incidents/" + begin.Format(time.DateOnly)
	l.must(lake+" --resume-after "+yesterday, "30 records put back")
	l.must(lake+" --dry-run", "75 records would be put back")
	l.must(lake, "75 records put back")
	l.must(lake, "0 records put back")
	whole := fmt.Sprintf("replay lake --topic incidents --from %s --to %s", begin.Format("2006-01-02T15:04"), begin.Add(3*time.Hour).Format("2006-01-02T15:04"))
	l.must(whole, "75 records put back")
	if after := l.Query("select * except (ingested_at) from staging_data.incidents order by kafka_partition, kafka_offset"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("staging holds %d other rows than before: %d", len(after), len(before))
	}
	if got := l.counted(); got.staged != 270 || got.quarantined != 90 || got.inBoth != 0 {
		t.Errorf("the ledger has %+v", got)
	}
	l.fails(2, lake+" --resume-after incidents/2020-01-01", "it is written as "+yesterday)
}

func TestReplay_Mistakes(t *testing.T) {
	l := &lab{t: t, env: map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"}}
	for _, test := range []struct{ args, says string }{
		{"replay", "say kafka, lake or deadletters"},
		{"replay staging", "say kafka, lake or deadletters"},
		{"replay kafka", "say what to replay"},
		{"replay kafka --topic trains --from 2026-11-22", `there is no topic "trains"`},
		{"replay kafka --topic incidents --partition 1 --offsets 9-5", `--offsets is "9-5"`},
		{"replay kafka --topic incidents --partition 1 --offsets 5", `--offsets is "5"`},
		{"replay kafka --topic incidents --partition 1 --offsets 5-9x", `--offsets is "5-9x"`},
		{"replay kafka --offsets 5-9 --partition 1", "--offsets are of one partition"},
		{"replay kafka --topic incidents --offsets 5-9", "--offsets are of one partition"},
		{"replay kafka --topic incidents --partition 1 --offsets 5-9 --from 2026-11-22", "say what to replay"},
		{"replay kafka --partition 1 --from 2026-11-22", "--partition goes with --offsets"},
		{"replay kafka --to 2026-11-22", "say from when on"},
		{"replay kafka --from 2026-11-22 --to 2026-11-21", "is not before"},
		{"replay kafka --from 2126-11-22", "in the future"},
		{"replay kafka incidents/1/2", "flags only"},
		{"replay lake --from 2026-11-22", "--from TIME --to TIME"},
		{"replay deadletters", "either --all or the ids"},
	} {
		l.fails(2, test.args, test.says)
	}
	l.must("replay --help", "usage: stationflow replay kafka")
	l.must("replay lake --help", "--resume-after")
	l.env = map[string]string{}
	l.fails(1, "replay kafka --from 2026-11-22", "KAFKA_BOOTSTRAP_SERVERS")
}
