// Package e2e tests the built programs from outside, over real protocols: a
// stock Kafka client sends, a stock BigQuery client reads, and processes are
// killed. The binaries must have been built (make build); make test does it.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/endpoints"
	"github.com/stationflow/stationflow/local/freeport"
	"github.com/stationflow/stationflow/terraform"
)

// patience bounds every wait; what is waited for is checked all the time.
const patience = 3 * time.Minute

// A process is a program under test.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// start runs a built program. Its output is shown when the test fails.
func start(t testing.TB, environment []string, name string, args ...string) *process {
	t.Helper()
	binary := built.Program(t, name)
	log, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: name, cmd: exec.Command(binary, args...), log: log, done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), environment...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, p.output())
		}
	})
	return p
}

func (p *process) output() string {
	text, _ := os.ReadFile(p.log.Name())
	const most = 20_000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}

// kill ends the process as a crash does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatalf("killing %s: %v", p.name, err)
	}
	<-p.done
	p.done <- nil
}

// stop asks the process to end and fails the test unless it exits with 0
// within 30 s (contract).
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("stopping %s: %v", p.name, err)
	}
	select {
	case err := <-p.done:
		p.done <- nil
		if err != nil {
			p.t.Errorf("%s ended with %v after SIGTERM, want exit code 0:\n%s", p.name, err, p.output())
		}
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s still runs 30 s after SIGTERM", p.name)
	}
}

// A local is a running `stationflow up`.
type local struct {
	*process
	endpoints.Endpoints
	warehouse *bigquery.Client
}

// up starts the local system and waits until it is ready.
func up(t testing.TB, environment []string, args ...string) *local {
	t.Helper()
	file := filepath.Join(t.TempDir(), "endpoints.json")
	p := start(t, environment, "stationflow", append([]string{"up", "--port", "0", "--endpoints", file}, args...)...)
	l := &local{process: p}
	eventually(t, "the system is ready", func() error {
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("stationflow up ended before it was ready: %v\n%s", err, p.output())
		default:
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &l.Endpoints)
	})
	client, err := bigquery.NewClient(t.Context(), l.Project, option.WithEndpoint(l.BigQuery), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	l.warehouse = client
	return l
}

// environment is what the deployed bridge and functions are given, with the
// local endpoints.
func (l *local) environment(extra ...string) []string {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		l.t.Fatal(err)
	}
	return append(l.Endpoints.Environment(deployment.RecordsTopic), extra...)
}

// query returns the rows of a statement.
func (l *local) query(statement string) [][]bigquery.Value {
	l.t.Helper()
	rows, err := l.tryQuery(statement)
	if err != nil {
		l.t.Fatalf("querying %s: %v", statement, err)
	}
	return rows
}

func (l *local) tryQuery(statement string) ([][]bigquery.Value, error) {
	it, err := l.warehouse.Query(statement).Read(context.Background())
	if err != nil {
		return nil, err
	}
	var rows [][]bigquery.Value
	for {
		var row []bigquery.Value
		switch err := it.Next(&row); {
		case err == nil:
			rows = append(rows, row)
		case errors.Is(err, iterator.Done):
			return rows, nil
		default:
			return nil, err
		}
	}
}

// count returns a statement's single number.
func (l *local) count(statement string) (int64, error) {
	rows, err := l.tryQuery(statement)
	if err != nil {
		return 0, err
	}
	return rows[0][0].(int64), nil
}

// transform runs the transform function and fails the test unless it answers
// 200.
func (l *local) transform() {
	l.t.Helper()
	response, err := http.Post(l.Functions+"/transform", "application/json", strings.NewReader("{}"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		l.t.Fatalf("POST /transform answered %s: %s", response.Status, body)
	}
}

// eventually retries check until it returns nil.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("waited %v until %s: %v", patience, what, err)
}

// A message is a Kafka record to send, and, once sent, where it landed.
type message struct {
	topic      string
	key, value []byte
	wire       []byte // what is sent in another format than JSON, which value is in; nil for value
	headers    []kgo.RecordHeader
	partition  int32
	offset     int64
}

// sent is the record's value.
func (m *message) sent() []byte {
	if m.wire != nil {
		return m.wire
	}
	return m.value
}

// producer is a stock Kafka client that is not the one our programs use.
func producer(t testing.TB, bootstrap string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.ProducerBatchMaxBytes(16 << 20)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// send produces the messages and notes their coordinates.
func send(t testing.TB, client *kgo.Client, messages []message) {
	t.Helper()
	for i := range messages {
		m := &messages[i]
		client.Produce(context.Background(), &kgo.Record{Topic: m.topic, Key: m.key, Value: m.sent(), Headers: m.headers}, func(r *kgo.Record, err error) {
			if err != nil {
				t.Errorf("sending to %s: %v", m.topic, err)
				return
			}
			m.partition, m.offset = r.Partition, r.Offset
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.Flush(ctx); err != nil {
		t.Errorf("sending %d records: %v", len(messages), err)
	}
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// get returns the body of a page that must answer 200.
func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %s", url, response.Status, bytes.TrimSpace(body))
	}
	return body, err
}

// appendedRows is how many rows the staging tables hold, as the page counts
// them, without a scan.
func (l *local) appendedRows() int {
	l.t.Helper()
	body, err := get(l.Dashboard + "/api/pipeline")
	if err != nil {
		l.t.Fatalf("reading the pipeline's state: %v", err)
	}
	var state struct {
		StagingRows int `json:"staging_rows"`
	}
	if err := json.Unmarshal(body, &state); err != nil {
		l.t.Fatalf("reading the pipeline's state: %v", err)
	}
	return state.StagingRows
}
