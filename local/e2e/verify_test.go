package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stationflow/stationflow/functions/audit"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/terraform"
)

// tool runs the command-line tool against the system, and returns what it
// wrote and its exit code.
func (l *local) tool(args ...string) (out, faults string, code int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, built.Program(l.t, "stationflow"), args...)
	command.Env = append(os.Environ(), l.environment()...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); command.ProcessState == nil {
		l.t.Fatalf("stationflow %v: %v", args, err)
	}
	return stdout.String(), stderr.String(), command.ProcessState.ExitCode()
}

// verify returns the report, and fails the test unless the exit code says the
// same.
func (l *local) verify(args ...string) *ledger.Report {
	l.t.Helper()
	out, faults, code := l.tool(append([]string{"verify", "--json"}, args...)...)
	var report ledger.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		l.t.Fatalf("stationflow verify ended with %d: %v\n%s%s", code, err, out, faults)
	}
	if report.Complete != (code == 0) || code > 1 || !strings.Contains(faults, "to read: ") {
		l.t.Fatalf("stationflow verify ended with %d, complete: %v\n%s", code, report.Complete, faults)
	}
	return &report
}

// awaitComplete waits until so many records are accounted for, and none is in
// flight.
func (l *local) awaitComplete(records int) {
	l.t.Helper()
	eventually(l.t, "everything is accounted for", func() error {
		report := l.verify()
		var landed, moving int64
		for _, a := range report.Partitions {
			landed += a.Landed()
		}
		for _, note := range report.Notes {
			if note.Kind == ledger.InFlight {
				moving += note.Records
			}
		}
		if landed != int64(records) || moving > 0 || !report.Complete {
			return fmt.Errorf("%d of %d records have landed, %d are in flight, problems: %v", landed, records, moving, report.Problems)
		}
		return nil
	})
}

// Each way in which a ledger was tampered with is named, with topic, partition
// and offsets, and nothing else is.
func TestFaults_VerifyNamesTampering(t *testing.T) {
	t.Parallel()
	system := up(t, []string{"BRIDGE_LAKE_AGE=1s", "BRIDGE_COMMIT_INTERVAL=50ms"})
	sent, reasons := mix(t, goodEvents(t, 3000), 60)
	send(t, producer(t, system.Kafka), sent)
	system.awaitComplete(len(sent))
	checkTraces(t, system, sent, reasons)
	system.audit(true)

	ids := map[string]string{}
	for _, a := range system.verify().Partitions {
		ids[a.Topic] = a.TopicID
	}
	// pick takes a sent record of a partition, good or not, each once.
	taken := map[coordinate]bool{}
	pick := func(topic string, partition int64, good bool) coordinate {
		for i, m := range sent {
			if at := m.coordinate(); !taken[at] && (topic == "" || at.topic == topic) && (partition < 0 || at.partition == partition) && (reasons[i] == "") == good {
				taken[at] = true
				return at
			}
		}
		t.Fatalf("no such record of %s/%d is left", topic, partition)
		panic("unreachable")
	}
	one := func(at coordinate) string {
		return fmt.Sprintf("kafka_topic = '%s' and kafka_partition = %d and kafka_offset = %d", at.topic, at.partition, at.offset)
	}
	want := []string{}
	expect := func(kind ledger.Kind, at coordinate) {
		want = append(want, fmt.Sprintf("%s %s/%d %d", kind, at.topic, at.partition, at.offset))
	}

	if report := system.verify("--values"); !report.Complete || len(report.Notes) > 0 && report.Notes[0].Kind == ledger.NotCompared {
		t.Errorf("before anybody has changed a value: %v, %v", report.Problems, report.Notes)
	}
	for _, change := range []struct{ topic, set string }{ // a row has another value of each type
		{"train_departures", "station = concat(station, ' ')"}, {"train_departures", "passengers = passengers + 1"}, {"train_departures", "kafka_timestamp = null"},
		{"ticket_validations", "timestamp = timestamp_add(timestamp, interval 1 second)"}, {"ticket_validations", "extra = '{}'"},
		{"train_departures", "train_number = concat(ifnull(train_number, ''), 'x')"},
	} {
		changed := pick(change.topic, -1, true)
		system.change("update staging_data." + change.topic + " set " + change.set + " where " + one(changed))
		expect(ledger.Different, changed)
	}
	lost := pick("train_arrivals", 0, true) // a staging row is gone
	system.change("delete from staging_data.train_arrivals where " + one(lost))
	expect(ledger.OnlyInLake, lost)

	double := pick("train_arrivals", 1, true) // a row is there twice
	system.change("insert into staging_data.train_arrivals select * from staging_data.train_arrivals where " + one(double))

	astray := pick("train_arrivals", 2, true) // a row is in the wrong table
	system.change("insert into staging_data.train_departures select * from staging_data.train_arrivals where " + one(astray))
	system.change("delete from staging_data.train_arrivals where " + one(astray))
	expect(ledger.WrongTable, astray)

	refused := pick("", -1, false) // a quarantine row is gone
	system.change("delete from staging_data.quarantine where " + one(refused))
	expect(ledger.Missing, refused)

	dead := pick("", -1, false) // a record is in a dead letter alone
	system.change("delete from staging_data.quarantine where " + one(dead))
	system.bury(map[string]string{
		"ce-source": "//kafka/x/" + dead.topic, "ce-topicid": ids[dead.topic], "ce-lane": "rows",
		"ce-ranges": fmt.Sprintf("%d:%d-%d", dead.partition, dead.offset, dead.offset),
	})
	expect(ledger.DeadLettered, dead)
	system.bury(map[string]string{"what": "no batch"})

	other := pick("train_arrivals", 3, true) // a row says that it is of another topic id
	const stranger = "ffffffff-0000-4000-8000-000000000000"
	system.change("insert into staging_data.train_arrivals select * replace ('" + stranger + "' as kafka_topic_id) from staging_data.train_arrivals where " + one(other))
	expect(ledger.NotInLake, other)

	// Objects: one is gone, one is cut, one is somebody else's. What they held
	// is named by the ranges of all three together.
	bucket := system.bucket()
	objects := system.objects("raw/passenger_flow/")
	if len(objects) < 2 {
		t.Fatalf("there are objects %v", objects)
	}
	gone, cut := objects[0], objects[1]
	if err := bucket.Object(gone).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	system.cut(bucket.Object(cut))
	spoiled := system.objects("raw/equipment_failures/")[0] // its records can be counted, their values not be read
	system.spoil(bucket.Object(spoiled))
	system.write(bucket.Object("raw/incidents/notes.txt"), []byte("hello"), nil)
	want = append(want, string(ledger.BadObject)+" "+cut, string(ledger.BadObject)+" "+spoiled, string(ledger.BadObject)+" raw/incidents/notes.txt")

	report := system.verify("--values", "--wait", "500ms")
	got := []string{}
	flow := int64(0)
	for _, f := range report.Problems {
		switch {
		case f.Kind == ledger.NotInLake && f.Topic == "passenger_flow":
			flow += f.Records
		case f.Kind == ledger.BadObject:
			got = append(got, string(f.Kind)+" "+f.In)
		case f.Topic == "":
			got = append(got, string(f.Kind))
		default:
			got = append(got, fmt.Sprintf("%s %s %d", f.Kind, f.Place, f.First))
		}
		if f.Remedy == "" {
			t.Errorf("no remedy: %v", f)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || flow == 0 {
		t.Errorf("problems\n%s\nwant\n%s\nand passenger_flow that is not in the lake (%d records)", strings.Join(got, "\n"), strings.Join(want, "\n"), flow)
	}
	for _, kind := range []ledger.Kind{ledger.Duplicates, ledger.OtherTopicID, ledger.BadLetter} {
		if !slices.ContainsFunc(report.Notes, func(f ledger.Finding) bool { return f.Kind == kind }) {
			t.Errorf("there is no note of kind %s", kind)
		}
	}

	system.audit(false)
	if buried, err := system.count("select sum(dead_letters) from prod_data.pipeline_completeness"); err != nil || buried != 1 {
		t.Errorf("audit has counted %d records of dead letters, %v", buried, err)
	}
	for at, state := range map[coordinate]string{lost: ledger.InLakeOnly, refused: ledger.IsMissing, dead: ledger.InDeadLetter} {
		if traces, code := system.trace("--in-flight", "0s", at.String()); code != 0 || traces[0].State != state {
			t.Errorf("the trace of %v ended with %d and %q, want %q", at, code, traces[0].State, state)
		}
	}

	// People read it, too, and a period without problems is complete.
	out, _, code := system.tool("verify", "--wait", "500ms")
	if line := fmt.Sprintf("missing: %s/%d offset %d: 1 record", refused.topic, refused.partition, refused.offset); code != 1 || !strings.Contains(out, line) || !strings.Contains(out, "\nnot complete: ") {
		t.Errorf("ended with %d, wrote no line %q:\n%s", code, line, out)
	}
	if out, faults, code := system.tool("verify", "--from", "1ms", "--dead-letters=false"); code != 1 || !strings.Contains(out, "bad_object") {
		t.Logf("a period without records: %d %s %s", code, out, faults)
	}
	if _, faults, code := system.tool("verify", "--dry-run", "--from", "1h"); code != 0 || !strings.HasPrefix(faults, "to read: ") {
		t.Errorf("a dry run ended with %d: %s", code, faults)
	}
	if _, faults, code := system.tool("verify", "--from", "yesterday"); code != 2 || strings.Count(faults, "\n") != 1 {
		t.Errorf("a mistake ended with %d: %s", code, faults)
	}
	for range 2 { // the second finds none
		if _, said, code := system.tool("deadletters", "discard", "--wait", "500ms", "--reason", "a test's", "--all"); code != 0 {
			t.Errorf("discarding the dead letters: %s", said)
		}
	}
	if kept := system.objects("discarded/"); len(kept) != 2 {
		t.Errorf("of what was discarded the lake keeps %v", kept)
	}
}

// audit calls the function, and checks what it answers and keeps.
func (l *local) audit(complete bool) {
	l.t.Helper()
	response, err := http.Post(l.Functions+"/audit", "application/json", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	var result audit.Result
	if err := json.Unmarshal(body, &result); err != nil || response.StatusCode != http.StatusOK {
		l.t.Fatalf("POST /audit answered %s: %s", response.Status, body)
	}
	kept := l.query(fmt.Sprintf("select count(*), logical_and(complete), sum(staging + quarantine - in_both), countif(problems != '') from %s.%s where checked_at = timestamp '%s'",
		l.ProdDataset, audit.Table, result.CheckedAt.Format("2006-01-02 15:04:05.000000+00")))[0]
	if result.Complete != complete || (len(result.Problems) == 0) != complete || kept[0] != int64(result.Partitions) || kept[1] != complete || kept[2] != result.Landed || (kept[3] == int64(0)) != complete {
		l.t.Errorf("audit answered %s, and kept %v", body, kept)
	}
}

func (l *local) change(statement string) {
	l.t.Helper()
	l.query(strings.ReplaceAll(statement, "staging_data.", l.StagingDataset+"."))
}

// bury publishes a message to the dead letter topic.
func (l *local) bury(attributes map[string]string) {
	l.t.Helper()
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		l.t.Fatal(err)
	}
	connection, err := grpc.NewClient(l.PubSub, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		l.t.Fatal(err)
	}
	defer connection.Close()
	client, err := pubsub.NewClient(l.t.Context(), l.Project, option.WithGRPCConn(connection))
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	_, err = client.TopicAdminClient.Publish(l.t.Context(), &pubsubpb.PublishRequest{
		Topic:    terraform.FullName(l.Project, "topics", deployment.DeadLetterTopic),
		Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x"), Attributes: attributes}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *local) bucket() *storage.BucketHandle {
	l.t.Helper()
	client, err := storage.NewClient(l.t.Context(), option.WithEndpoint(l.Storage+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { client.Close() })
	return client.Bucket(l.Bucket)
}

// cut writes the first half of an object over it, with the metadata it has.
func (l *local) cut(object *storage.ObjectHandle) {
	l.t.Helper()
	l.damage(object, func(content []byte) []byte { return content[:len(content)/2] })
}

// spoil writes over the first values of an object.
func (l *local) spoil(object *storage.ObjectHandle) {
	l.t.Helper()
	l.damage(object, func(content []byte) []byte {
		copy(content[4:], bytes.Repeat([]byte{0xa5}, 100))
		return content
	})
}

func (l *local) damage(object *storage.ObjectHandle, how func([]byte) []byte) {
	l.t.Helper()
	attrs, err := object.Attrs(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	response, err := http.Get(l.Storage + "/storage/v1/b/" + l.Bucket + "/o/" + url.PathEscape(object.ObjectName()) + "?alt=media")
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(object, how(content), attrs.Metadata)
}

func (l *local) write(object *storage.ObjectHandle, content []byte, metadata map[string]string) {
	l.t.Helper()
	writer := object.NewWriter(l.t.Context())
	writer.Metadata = metadata
	_, err := writer.Write(content)
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		l.t.Fatal(err)
	}
}
