package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// says runs the tool, which must succeed, and returns all that it said.
func (l *local) says(args string) string {
	l.t.Helper()
	out, faults, code := l.tool(strings.Fields(args)...)
	if code != 0 {
		l.t.Errorf("stationflow %s: exit code %d: %s%s", args, code, out, faults)
	}
	return out + faults
}

// Records were refused because the registry lacked their schema. Once it has it
// they are tried again over Pub/Sub, by two people at once, one of whom is
// killed; then everything is replayed from Kafka. Each record is in staging, and
// the sum at the end counts it once.
func TestFaults_RepairOverPubSub(t *testing.T) {
	t.Parallel()
	system := up(t, nil)
	var messages []message
	for i := range 90 {
		value := fmt.Appendf(nil, `{"id":"%d","type":"Technique","station":"Nation","location":"Hall","timestamp":%q,"severity":"Minor","duration":3}`,
			i, time.Now().UTC().Format(time.RFC3339))
		m := message{topic: "incidents", key: fmt.Append(nil, i), value: value}
		if i%3 > 0 {
			m.wire = append([]byte{0, 0, 0, 0, 1}, value...) // what the serializer of a registry writes, with the schema's id
		}
		messages = append(messages, m)
	}
	began := time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04")
	send(t, producer(t, system.Kafka), messages)
	eventually(t, "the records are refused", func() error {
		n, err := system.count("select count(*) from staging_data.quarantine_records where reason = 'unknown_schema'")
		if err == nil && n != 60 {
			err = fmt.Errorf("%d are", n)
		}
		return err
	})
	if said := system.says("quarantine list"); !strings.Contains(said, "60 records in quarantine") {
		t.Errorf("quarantine list says %s", said)
	}

	system.says("schema register --format json incidents")
	eventually(t, "ingest has the schema", func() error {
		if said := system.says("quarantine retry --reason unknown_schema incidents/0/0 incidents/1/0 incidents/2/0 incidents/3/0 incidents/4/0 incidents/5/0"); strings.Contains(said, "still refused") {
			return fmt.Errorf("it says %s", said)
		}
		return nil
	})
	killed := start(t, system.environment(), "stationflow", "quarantine", "retry", "--all")
	killed.kill()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { system.says("quarantine retry --from " + began) })
	}
	both.Wait()
	if said := system.says("quarantine list"); !strings.Contains(said, "nothing of that is in quarantine") {
		t.Errorf("quarantine list says %s", said)
	}
	for _, p := range system.verify("--dead-letters=false").Partitions {
		if p.InBoth > 0 || p.Quarantine > 0 || p.Missing > 0 {
			t.Errorf("verify says of what was accepted: %+v", p)
		}
	}
	if said := system.says("replay kafka --topic incidents --from " + began); !strings.Contains(said, "90 records replayed in 6 batches; 0 of them") {
		t.Errorf("replay says %s", said)
	}
	answer, err := http.Post(system.Functions+"/replay", "application/json", strings.NewReader(
		fmt.Sprintf(`{"source": "kafka", "topics": ["incidents"], "from": "%s:00Z"}`, began)))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(said), `"records":90,`) || !strings.Contains(string(said), `"complete":true`) {
		t.Errorf("the function replay answers %s: %s, %v", answer.Status, said, err)
	}
	if said := system.says("replay lake --dry-run --from 2026-11-20 --to 2026-11-22"); !strings.Contains(said, "0 records would be put back") {
		t.Errorf("replay says %s", said)
	}
	if said := system.says("deadletters list --json"); !strings.Contains(said, `"dead_letters": []`) {
		t.Errorf("deadletters says %s", said)
	}
	if n, err := system.count("select count(*) from staging_data.incidents_records"); err != nil || n != 90 {
		t.Errorf("%d records in staging, %v", n, err)
	}
	system.stop()
	if want := "accounted for 90 of 90 records in Kafka: 90 in staging, 0 in quarantine"; !strings.Contains(system.output(), want) {
		t.Errorf("the sum at the end is not %q:\n%s", want, system.output())
	}
}
