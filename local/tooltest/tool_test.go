// Package tooltest runs the built tool as a person does, against one local
// system that its tests share: they only add records to it.
package tooltest

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/running"
	"github.com/stationflow/stationflow/internal/status"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/freeport"
)

// patience bounds every wait.
const patience = 3 * time.Minute

// A system is the local one that the tests share.
type system struct {
	folder string // of what is written
	cmd    *exec.Cmd
	running.System
}

var shared struct {
	sync.Once
	system *system
	err    error
}

// TestMain ends the system, which the first test that needs it starts.
func TestMain(m *testing.M) {
	code := m.Run()
	if s := shared.system; s != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		if found, err := running.Find(context.Background(), filepath.Join(s.folder, "stationflow")); len(found) > 0 || err != nil {
			fmt.Fprintln(os.Stderr, "a system that has ended is still told:", found, err)
			code = 1
		}
		_ = os.RemoveAll(s.folder)
	}
	os.Exit(code)
}

// local returns the system, in which there are records: of each topic some that
// are good, and of incidents one that is refused.
func local(t *testing.T) *system {
	t.Helper()
	program := built.Program(t, "stationflow")
	shared.Do(func() { shared.system, shared.err = start(program) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.system
}

func start(program string) (*system, error) {
	folder, err := os.MkdirTemp("", "stationflow-tool-")
	if err != nil {
		return nil, err
	}
	s := &system{folder: folder}
	log, err := os.Create(filepath.Join(folder, "up.log"))
	if err != nil {
		return nil, err
	}
	s.cmd = exec.Command(program, "up", "--port", "0", "--traces")
	s.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+folder, "STATION_TIMEZONE=Europe/Paris", "BRIDGE_LAKE_AGE=1s")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	err = eventually(func() error {
		found, err := running.Find(context.Background(), filepath.Join(folder, "stationflow"))
		if err != nil || len(found) != 1 {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%v: %d systems are told: %s", err, len(found), said)
		}
		s.System = found[0]
		return nil
	})
	if err == nil {
		err = s.send()
	}
	return s, err
}

// A message is a record that was sent.
type message struct {
	topic, key, value string
}

// sent are the records that are in the system.
func sent() (all []message) {
	now := time.Now().Add(-time.Minute)
	for i := range 3 {
		key := fmt.Sprintf("i-%d", i)
		all = append(all, message{"incidents", key, fmt.Sprintf(`{"id": %q, "type": "Technique", "station": "Station <A>", "location": "Dock 2, Platform", "timestamp": %q, "severity": "Major", "duration": 600, "reporter": "x"}`,
			key, now.UTC().Format(time.RFC3339))})
	}
	return append(all, message{"incidents", "bad", "{\"id\": \"bad\x1b[2J\"}"}, message{"passenger_flow", "p", "not JSON"})
}

func (s *system) send() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Variable("KAFKA_BOOTSTRAP_SERVERS")))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, m := range sent() {
		if err := client.ProduceSync(context.Background(), &kgo.Record{
			Topic: m.topic, Key: []byte(m.key), Value: []byte(m.value), Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(producers)}},
		}).FirstErr(); err != nil {
			return err
		}
	}
	return eventually(func() error {
		response, err := http.Get(s.Page + "/api/pipeline")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var now status.Status
		if err := json.NewDecoder(response.Body).Decode(&now); err != nil {
			return err
		}
		if now.Valid != 3 || now.Quarantined != 2 || len(now.Alerts) != 3 {
			return fmt.Errorf("%d records are in staging, %d in quarantine, %d alerts are open", now.Valid, now.Quarantined, len(now.Alerts))
		}
		return nil
	})
}

func eventually(check func() error) (err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return nil
		}
	}
	return err
}

// tool runs the tool in a shell that knows nothing of the system.
func (s *system) tool(t *testing.T, input string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, built.Program(t, "stationflow"), args...)
	command.Dir = t.TempDir() // some write what they did into a folder
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.Contains(v, "_EMULATOR_HOST=") || strings.HasPrefix(v, "GOOGLE_CLOUD_PROJECT=")
	}),
		"XDG_RUNTIME_DIR="+s.folder)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
	if err := command.Run(); command.ProcessState == nil {
		t.Fatalf("stationflow %v: %v", args, err)
	}
	return command.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// must runs a command whose exit code is known, and returns what it wrote.
func (s *system) must(t *testing.T, want int, line string) (out, errs string) {
	t.Helper()
	code, out, errs := s.tool(t, "", strings.Fields(line)...)
	if code != want || !strings.HasPrefix(errs, "local system at "+s.Page+"\n") {
		t.Errorf("stationflow %s ended with %d, want %d\n%s%s", line, code, want, out, errs)
	}
	return out, errs
}

// Every command that works with a system finds the one that runs.
func TestEachCommand_FindsTheSystem(t *testing.T) {
	s := local(t)
	for line, want := range map[string]string{
		"verify --wait 500ms":                         "complete: 5 records are in staging or in quarantine, 0 are not",
		"trace --wait 500ms --key i-1":                "marts",
		"quarantine list":                             "2 records in quarantine",
		"quarantine retry --dry-run --all":            "2 records chosen: 0 would be accepted, 2 would still be refused",
		"deadletters list --wait 500ms":               "no dead letters",
		"replay kafka --dry-run --from 2026-01-01":    "5 records",
		"schema check":                                "incidents-value",
		"transform":                                   "success: ",
		"dbt run --dry-run --select incidents_hourly": "bytes  incidents_hourly",
		"doctor": "ok        broker ",
	} {
		t.Run(line, func(t *testing.T) {
			out, _ := s.must(t, 0, line)
			if !strings.Contains(out, want) {
				t.Errorf("it does not say %q:\n%s", want, out)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	s := local(t)
	out, _ := s.must(t, 0, "status")
	for _, want := range []string{"\nKafka ", "\nTransform ", "quarantine    2 records, 40.0 % of all", "dead letters  none", "new fields ", "Station <A>", "(told, open for "} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	out, _ = s.must(t, 0, "status --json")
	var now status.Status
	if err := json.Unmarshal([]byte(out), &now); err != nil || len(now.Hops) != 7 || now.Alerts[0].Severity != "Major" {
		t.Errorf("%v: %s", err, out)
	}
	asked := s.elsewhere(t)
	if len(asked.Hops) != 5 || asked.Hops[0].Records != 5 || asked.Valid != 3 || asked.Quarantined != 2 || asked.Freshness.P99 == nil || len(asked.Alerts) != 3 ||
		asked.Alerts[0].Text != now.Alerts[0].Text || asked.Transform.LastFinished == nil || asked.Overall.State == status.Failing || asked.Refused.Note == "" {
		t.Errorf("asked without its page: %+v", asked)
	}
	if !t.Failed() {
		s.partly(t)
	}
	code, _, errs := s.tool(t, "", "status", "--cloud")
	if code != 2 || !strings.Contains(errs, "GOOGLE_CLOUD_PROJECT is not set") {
		t.Errorf("%d, %s", code, errs)
	}
}

// elsewhere is the status in a shell that has read the system's variables, and
// on a machine on which it does not run: of a project it is found out alike.
func (s *system) elsewhere(t *testing.T) (now status.Status) {
	t.Helper()
	command := exec.CommandContext(t.Context(), built.Program(t, "stationflow"), "status", "--json")
	command.Env = append(append(os.Environ(), s.Environment...), "XDG_RUNTIME_DIR="+t.TempDir())
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil || json.Unmarshal(out.Bytes(), &now) != nil {
		t.Errorf("%v: %s%s", err, out.String(), errs.String())
	}
	return now
}

// partly is the status where nothing answers for Pub/Sub: all that the others know
// is told.
func (s *system) partly(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), built.Program(t, "stationflow"), "status", "--json")
	command.Env = append(append(os.Environ(), s.Environment...), "XDG_RUNTIME_DIR="+t.TempDir(), "PUBSUB_EMULATOR_HOST=127.0.0.1:1")
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	var now status.Status
	_ = command.Run()
	if err := json.Unmarshal(out.Bytes(), &now); err != nil || command.ProcessState.ExitCode() != 1 || now.Hops[0].Records != 5 || now.Hops[2].State != status.Failing || now.Valid != 3 ||
		!strings.Contains(errs.String(), "looking for dead letters: nothing listens at 127.0.0.1:1 (PUBSUB_EMULATOR_HOST)") {
		t.Errorf("%v: exit code %d: %s%s", err, command.ProcessState.ExitCode(), out.String(), errs.String())
	}
}

// peek decides as ingest did: the reasons are those of the quarantine, in the
// time zone of the system.
func TestPeek(t *testing.T) {
	s := local(t)
	out, _ := s.must(t, 0, "peek incidents --json -n 3")
	var found struct {
		Looked, Refused int
		Records         []struct {
			Reason event.Reason
			Detail string
			Event  map[string]any
			Key    struct{ Text string }
		}
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found.Records) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	newest := found.Records[2]
	if newest.Reason != event.NotJSON || newest.Event != nil || newest.Key.Text != "bad" {
		t.Errorf("the newest is %+v", newest)
	}
	if good := found.Records[1]; good.Reason != "" || good.Event["station"] != "Station <A>" || good.Event["extra"] != `{"reporter":"x"}` || good.Event["duration"] != 600.0 {
		t.Errorf("the one before is %+v", good)
	}
	code, quarantined, _ := s.tool(t, "", "query", "select reason, detail from staging_data.quarantine_records where kafka_topic = 'incidents'")
	rows, err := csv.NewReader(strings.NewReader(quarantined)).ReadAll()
	if err != nil || code != 0 || len(rows) != 2 || rows[1][0] != string(newest.Reason) || rows[1][1] != newest.Detail {
		t.Errorf("ingest decided %v, peek %+v", rows, newest)
	}
	out, errs := s.must(t, 0, "peek passenger_flow --bad")
	if !strings.Contains(out, "not_json: ") || strings.Count(out, "\n") != 1 || !strings.Contains(errs, "1 of the newest 1 records would be refused") {
		t.Errorf("%s%s", out, errs)
	}
	out, errs = s.must(t, 0, "peek train_arrivals")
	if out != "" || !strings.Contains(errs, "train_arrivals holds no records") {
		t.Errorf("%s%s", out, errs)
	}
	if out, _ := s.must(t, 0, "peek incidents -n 1"); strings.Contains(out, "\x1b") {
		t.Errorf("a record steers the terminal: %q", out)
	}
	for line, want := range map[string]string{"peek": "name one topic", "peek gone": `there is no topic "gone"`, "peek incidents -n 0": "-n is 0"} {
		if code, _, errs := s.tool(t, "", strings.Fields(line)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d, %s", line, code, errs)
		}
	}
}

func TestQuery(t *testing.T) {
	s := local(t)
	const sql = "select id, station, kafka_key, null as nothing from staging_data.incidents order by id"
	code, out, errs := s.tool(t, "", "query", sql)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || code != 0 || len(rows) != 4 || strings.Join(rows[1], "|") != "i-0|Station <A>|aS0w|" || !strings.Contains(errs, "reading up to ") {
		t.Errorf("%d %v %v %s", code, err, rows, errs)
	}
	code, out, _ = s.tool(t, sql, "query", "--json") // through a pipe
	var found struct {
		BytesRead int64 `json:"bytes_read"`
		Rows      []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || len(found.Rows) != 3 || found.BytesRead == 0 || found.Rows[2]["id"] != "i-2" || found.Rows[0]["nothing"] != nil {
		t.Errorf("%d %v %s", code, err, out)
	}
	for sql, want := range map[string]string{
		"delete from staging_data.incidents where true":         "query only reads, and this is DELETE",
		"update staging_data.incidents set id = 'x' where true": "query only reads, and this is UPDATE",
	} {
		if code, out, errs := s.tool(t, "", "query", sql); code != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s%s", sql, code, out, errs)
		}
	}
	if code, out, errs := s.tool(t, "", "query", "--max-bytes", "10", sql); code != 1 || out != "" || !strings.Contains(errs, "may read 10 bytes: narrow it, or raise --max-bytes") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := s.tool(t, "", "query", "select nothing from staging_data.incidents"); code != 1 || out != "" || !strings.Contains(errs, "stationflow query: BigQuery: ") || strings.Count(errs, "\n") != 2 {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := s.tool(t, "", "query", "--dry-run", sql); code != 0 || out != "" || !strings.Contains(errs, "reading up to ") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func TestLogs(t *testing.T) {
	s := local(t)
	out, _ := s.must(t, 0, "logs -n 1000 --json")
	batches := 0
	for line := range strings.Lines(out) {
		var of struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if of.Msg == "batch ingested" {
			batches++
		}
	}
	if batches == 0 {
		t.Errorf("no batch is told of:\n%s", out)
	}
}

// The system serves its figures and its health: those of the bridge, of the
// functions and of the page.
func TestMetrics(t *testing.T) {
	s := local(t)
	for path, parts := range map[string][]string{
		"/metrics": {"\nbridge_joined 1\n", "\nbridge_lag_seconds{", "\ningest_records_total{topic=\"incidents\"} ", "\npipeline_hop_state{hop=\"staging\",state=\"failing\"} 0\n", "\ntransform_runs_total{status=\"success\"} ", "\npipeline_open_alerts 3\n"},
		"/healthz": {`{"status":"ok"}`},
	} {
		response, err := http.Get(s.Page + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %v %s", path, err, response.Status)
		}
		for _, part := range parts {
			if !strings.Contains("\n"+string(body), part) {
				t.Errorf("%s does not have %q", path, part)
			}
		}
	}
}

// The functions' server serves the figures of what it does, beside the
// functions.
func TestMetrics_OfTheFunctionsServer(t *testing.T) {
	s := local(t)
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(address, ":")
	server := exec.Command(built.Program(t, "functions"))
	server.Env = append(append(os.Environ(), s.Environment...), "FUNCTION_HOST="+host, "PORT="+port)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	}()
	ask := func(method, path string) (code int, body string, err error) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
		if err != nil {
			return 0, "", err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, string(text), err
	}
	err = eventually(func() error {
		code, body, err := ask(http.MethodGet, "/healthz")
		if err != nil || code != http.StatusOK || !strings.Contains(body, `{"status":"ok"}`) {
			return fmt.Errorf("/healthz: %v %d %s", err, code, body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, body, err := ask(http.MethodPost, "/transform"); err != nil || code != http.StatusOK {
		t.Errorf("/transform: %v %d %s", err, code, body)
	}
	if _, body, err := ask(http.MethodGet, "/metrics"); err != nil || !strings.Contains(body, "\ntransform_runs_total{status=\"success\"} 1\n") {
		t.Errorf("/metrics: %v %s", err, body)
	}
}
