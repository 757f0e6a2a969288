package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/advice"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/dashboard"
	"github.com/stationflow/stationflow/sql"
	"github.com/stationflow/stationflow/terraform"
)

// What the page, the terminal, the docs and the runbooks tell people to run is
// run as it is told, against a local system whose bridge a person starts.
//
// It takes a minute or more, so make advice runs it, and make test does not.
func TestAdvice(t *testing.T) {
	if os.Getenv("STATIONFLOW_ADVICE") == "" {
		t.Skip("make advice runs what people are told to run")
	}
	system := up(t, nil, "--simulate", "--speed", "6", "--without", "bridge") // ready before there is a bridge
	environment := system.told(`your own programs read:\n\n +(\. \S+/environment)\n`)
	bridge := system.told(`to start the bridge, in another shell:\n\n +(\. \S+\n +bin/bridge)\n`)
	system.shell(t, bridge)
	send(t, producer(t, system.Kafka), []message{{topic: "incidents", key: []byte("framed"), wire: []byte("\x00\x00\x00\x00\x63{}")}}) // nobody has schema 99
	eventually(t, "yesterday's events are in staging", func() error {
		if rows := system.appendedRows(); rows < 5_000 {
			return fmt.Errorf("there are %d rows", rows)
		}
		return nil
	})

	const refused = 40
	var bad []message
	for i := range refused {
		bad = append(bad, message{topic: "ticket_validations", key: fmt.Append(nil, i), value: []byte(`{"id": "x"}`)})
	}
	send(t, producer(t, system.Kafka), bad)
	of := func(s dashboard.Status) int { // the one of unknown schema may be a large share of its topic, too
		for i, one := range s.Refused.Topics {
			if one.Topic == "ticket_validations" {
				return i
			}
		}
		return -1
	}
	status := system.awaitStatus("the page tells of what is refused", func(s dashboard.Status) bool {
		return of(s) >= 0 && s.Refused.Topics[of(s)].Refused == refused
	})
	if topic := status.Refused.Topics[of(status)]; topic.Reason != "missing_field" {
		t.Errorf("the page tells that %+v", topic)
	}
	told := regexp.MustCompile(`stationflow quarantine list( --topic \w+)* --topic ticket_validations( --topic \w+)* --from 15m`)
	if !told.MatchString(status.Refused.Remedy) {
		t.Errorf("the page tells to run %s", status.Refused.Remedy)
	}
	if s := status.Simulation; s == nil || s.At.UTC().Format(time.DateOnly) != status.At.UTC().Format(time.DateOnly) || s.Pace != 10 {
		t.Errorf("at %v the page tells of the simulated time %+v, want one of today", status.At, s)
	}
	system.awaitStatus("the terminal tells of what is refused, as the page does, and the time there", func(s dashboard.Status) bool {
		said := strings.Join(strings.Fields(system.output()), " ")
		return told.MatchString(s.Refused.Remedy) && strings.Contains(said, s.Refused.Remedy) && regexp.MustCompile(`simulated \d\d:\d\d`).MatchString(said)
	})

	system.publish(&pubsubpb.PubsubMessage{Data: []byte("hello")}) // is no batch
	system.awaitStatus("the page tells of a message that nobody takes", func(s dashboard.Status) bool {
		for _, hop := range s.Hops {
			if hop.Hop == dashboard.Transport && hop.State == dashboard.Failing {
				return strings.Contains(hop.Note, "1 message is not taken by ") && regexp.MustCompile(`, attempt \d+ of 100 failed: .*422`).MatchString(hop.Note) &&
					strings.Contains(hop.Remedy, "a message is a dead letter, which is seen by: stationflow deadletters list")
			}
		}
		return false
	})

	eventually(t, "a record of an unknown schema is refused", func() error {
		n, err := system.count("select count(*) from staging_data.quarantine_records where reason = 'unknown_schema'")
		if err == nil && n == 0 {
			err = errors.New("there is none")
		}
		return err
	})
	collected, err := advice.Collect(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	statements := append(collected.Statements, advice.Advice{Where: "sql/ops/ledger.sql", Text: sql.Ledger})
	for _, a := range statements {
		if strings.Contains(a.Text, "platform_side") {
			continue // a column that is yet to come: package transformtest adds it and runs this
		}
		rows, err := system.tryQuery(a.Text)
		if err != nil {
			t.Errorf("%s says to run %s: %v", a.Where, a.Text, err)
		}
		if strings.Contains(a.Text, "quarantine_records") && len(rows) == 0 {
			t.Errorf("%s says to run %s, and it finds nothing", a.Where, a.Text)
		}
	}
	system.replay() // what stationflow replay lake runs, a day of each topic
	for _, a := range collected.Commands {
		line := strings.ReplaceAll(strings.TrimPrefix(a.Text, "bin/"), "NAME", "train_dashboard")
		if !regexp.MustCompile(`^stationflow (deadletters (list|resend --all)|quarantine (list|retry --dry-run --all)|replay kafka --dry-run|dbt (ls|run --full-refresh --select|source)) ?`).MatchString(line) {
			continue
		}
		if said, err := system.run(environment + "\n" + "bin/" + line); err != nil {
			t.Errorf("%s says to run %q: %v: %s", a.Where, a.Text, err, said)
		}
	}
	system.stop()
}

// publish publishes a message where the bridge publishes batches.
func (l *local) publish(message *pubsubpb.PubsubMessage) {
	l.t.Helper()
	client, err := pubsub.NewClient(l.t.Context(), l.Project, option.WithEndpoint(l.PubSub), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		l.t.Fatal(err)
	}
	request := &pubsubpb.PublishRequest{Topic: terraform.FullName(l.Project, "topics", deployment.RecordsTopic), Messages: []*pubsubpb.PubsubMessage{message}}
	if _, err := client.TopicAdminClient.Publish(l.t.Context(), request); err != nil {
		l.t.Fatal(err)
	}
}

// told finds what the system said when it was ready.
func (l *local) told(pattern string) (said string) {
	l.t.Helper()
	eventually(l.t, "the system says "+pattern, func() error {
		found := regexp.MustCompile(pattern).FindStringSubmatch(l.output())
		if found == nil {
			return fmt.Errorf("it says %s", l.output())
		}
		said = found[1]
		return nil
	})
	return said
}

// run runs lines of a shell at the root of the repository.
func (l *local) run(lines string) (said []byte, err error) {
	command := exec.Command("sh", "-e", "-c", lines)
	command.Dir = filepath.Dir(filepath.Dir(built.Program(l.t, "stationflow")))
	return command.CombinedOutput()
}

// shell runs lines of a shell, the last of which is a program, until the test
// ends.
func (l *local) shell(t *testing.T, lines string) {
	t.Helper()
	at := strings.LastIndex(lines, "\n")
	command := exec.Command("sh", "-e", "-c", lines[:at]+"\nexec "+strings.TrimSpace(lines[at:]))
	command.Dir = filepath.Dir(filepath.Dir(built.Program(t, "bridge")))
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	})
}

// awaitStatus waits for a state of the page.
func (l *local) awaitStatus(what string, is func(dashboard.Status) bool) (status dashboard.Status) {
	l.t.Helper()
	eventually(l.t, what, func() error {
		body, err := get(l.Dashboard + "/api/pipeline")
		if err != nil {
			return err
		}
		status = dashboard.Status{}
		if err := json.Unmarshal(body, &status); err != nil {
			return err
		}
		if !is(status) {
			return fmt.Errorf("it shows %+v", status.Refused)
		}
		return nil
	})
	return status
}

// replay takes rows of yesterday out of staging and has the statements of
// sql/replay put them back, as stationflow replay lake does.
func (l *local) replay() {
	l.t.Helper()
	day := civil.DateOf(time.Now().UTC().AddDate(0, 0, -1))
	staged := 0
	for _, topic := range event.Topics() {
		rows := l.query(fmt.Sprintf("select count(*) from staging_data.%s where date(timestamp) = '%s'", topic, day))
		staged += int(rows[0][0].(int64))
	}
	l.awaitLake("/dt="+day.String()+"/", staged)
	for _, topic := range event.Topics() {
		text, _, err := sql.Replay(topic)
		if err != nil {
			l.t.Fatal(err)
		}
		const values = "select * except (ingested_at, batch_id) from staging_data.%s where date(timestamp) = '%s' order by kafka_partition, kafka_offset"
		before := l.query(fmt.Sprintf(values, topic, day))
		l.query(fmt.Sprintf("delete from staging_data.%s where mod(kafka_offset, 2) = 0 and date(timestamp) = '%s'", topic, day))
		query := l.warehouse.Query(text)
		query.Parameters = []bigquery.QueryParameter{{Name: "from_time", Value: day.In(time.UTC)}, {Name: "to_time", Value: day.AddDays(1).In(time.UTC)}}
		if _, err := query.Read(l.t.Context()); err != nil {
			l.t.Errorf("replaying %s: %v", topic, err)
			continue
		}
		if after := l.query(fmt.Sprintf(values, topic, day)); len(before) == 0 || fmt.Sprint(before) != fmt.Sprint(after) {
			l.t.Errorf("replaying %s gives %d rows, before there were %d, or others", topic, len(after), len(before))
		}
	}
}
