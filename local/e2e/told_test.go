package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/local/dashboard"
)

// The last line of a run counts what can be read, topic id by topic id:
// markers of transactions are no loss, and what arrived of a topic that was
// deleted makes up for nothing of the new one. Meanwhile the page says that
// the topic is gone, and not the broker.
func TestClosingSum(t *testing.T) {
	t.Parallel()
	system := up(t, nil)
	client := producer(t, system.Kafka)
	transactional := producer(t, system.Kafka, kgo.TransactionalID("closing"))
	events := goodEvents(t, 600)
	for _, part := range [][]message{events[:100], events[100:200]} {
		if err := transactional.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		send(t, transactional, part)
		if err := transactional.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	system.awaitRows(200)
	remade := events[0].topic
	system.remake(t, remade)
	system.awaitHop(dashboard.Kafka, dashboard.Flowing, "", dashboard.Idle)
	send(t, client, events[200:])
	system.awaitRows(600)
	system.stop()

	old := 0
	for _, m := range events[:200] {
		if m.topic == remade {
			old++
		}
	}
	want := fmt.Sprintf("accounted for %d of %d records in Kafka, and %d that Kafka no longer holds: 600 in staging, 0 in quarantine", 600-old, 600-old, old)
	if got := system.output(); !strings.Contains(got, want) || strings.Contains(got, "warning:") {
		t.Errorf("the last lines are\n%s\nwant %q", got[max(len(got)-400, 0):], want)
	}
}

// remake deletes a topic and makes it again, once the page has said that it is
// gone.
func (l *local) remake(t *testing.T, topic string) {
	t.Helper()
	config := kafka.Config{Brokers: []string{l.Kafka}}
	settings := config.Sarama("test")
	settings.Metadata.Full = true // the admin client asks for all topics
	admin, err := sarama.NewClusterAdmin(config.Brokers, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	h := l.awaitHop(dashboard.Kafka, dashboard.Failing, "There is no topic "+topic)
	if !strings.HasPrefix(h.Remedy, "Create it again") {
		t.Errorf("the remedy is %q", h.Remedy)
	}
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: kafka.Partitions, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
}

// awaitRows waits until so many rows were appended, as the page counts them.
func (l *local) awaitRows(n int) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d rows are in staging", n), func() error {
		if rows := l.appendedRows(); rows != n {
			return fmt.Errorf("%d are", rows)
		}
		return nil
	})
}

// awaitHop waits until the page has a hop in one of the states, with a note
// that has the text.
func (l *local) awaitHop(hop dashboard.Hop, state dashboard.State, note string, or ...dashboard.State) (found dashboard.Health) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%s is %s", hop, state), func() error {
		body, err := get(l.Dashboard + "/api/pipeline")
		if err != nil {
			return err
		}
		var status dashboard.Status
		if err := json.Unmarshal(body, &status); err != nil {
			return err
		}
		for _, one := range status.Hops {
			for _, want := range append(or, state) {
				if one.Hop == hop && one.State == want && strings.Contains(one.Note, note) {
					found = one.Health
					return nil
				}
			}
			if one.Hop == hop {
				err = fmt.Errorf("it is %+v", one.Health)
			}
		}
		return err
	})
	return found
}

// A program that is frozen is not to be started, one that is gone is; the page
// tells them apart, although nothing comes.
func TestFrozenOrKilled(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	system := up(t, nil, "--without", "bridge", "--without", "functions", "--functions", "http://"+address)
	host, port, _ := net.SplitHostPort(address)
	functions := start(t, system.environment("PORT="+port, "FUNCTION_HOST="+host), "functions")
	bridge := start(t, system.environment("BRIDGE_ADDR="+strings.TrimPrefix(system.Bridge, "http://")), "bridge")
	send(t, producer(t, system.Kafka), goodEvents(t, 100))
	system.awaitRows(100)
	for _, one := range []struct {
		hop dashboard.Hop
		*process
	}{{dashboard.Bridge, bridge}, {dashboard.Ingest, functions}} {
		one.signal(syscall.SIGSTOP)
		if h := system.awaitHop(one.hop, dashboard.Failing, "none within 2s"); !strings.Contains(h.Remedy, "need not be started") {
			t.Errorf("%s is frozen: the remedy is %q", one.hop, h.Remedy)
		}
		one.signal(syscall.SIGCONT)
		system.awaitHop(one.hop, dashboard.Flowing, "", dashboard.Idle)
		one.kill()
		if h := system.awaitHop(one.hop, dashboard.Failing, "connection refused"); !strings.Contains(strings.ToLower(h.Remedy), "start") || strings.Contains(h.Remedy, "need not be started") {
			t.Errorf("%s is gone: the remedy is %q", one.hop, h.Remedy)
		}
	}
	system.stop()
}

// A broker that is frozen is not to be started either, and it keeps nobody
// from ending the system in time.
func TestFrozenKafka(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	thaw := make(chan struct{})
	t.Cleanup(func() { close(thaw) }) // before the cluster is closed
	system := up(t, nil, "--kafka", cluster.ListenAddrs()[0])
	send(t, producer(t, cluster.ListenAddrs()[0]), goodEvents(t, 100))
	system.awaitRows(100)
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		<-thaw // and nothing else is answered
		return nil, nil, false
	})
	if h := system.awaitHop(dashboard.Kafka, dashboard.Failing, "Kafka does not answer"); strings.Contains(h.Remedy, "Start the broker") {
		t.Errorf("the remedy is %q", h.Remedy)
	}
	system.stop()
}

// A warehouse that does not answer is not idle because nothing comes.
func TestFrozenWarehouse(t *testing.T) {
	t.Parallel()
	system := up(t, nil)
	system.awaitHop(dashboard.Staging, dashboard.NothingYet, "")
	for _, child := range engines(t, system.cmd.Process.Pid) {
		if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGCONT) })
	}
	if h := system.awaitHop(dashboard.Staging, dashboard.Failing, "BigQuery does not answer"); h.Remedy == "" {
		t.Error("there is no remedy")
	}
	system.kill()
}

// engines are the children of a process, which has started them from any of
// its threads.
func engines(t *testing.T, pid int) (children []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may have ended
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	if len(children) == 0 {
		t.Skip("the children of a process are not told here")
	}
	return children
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("sending %v to %s: %v", s, p.name, err)
	}
}
