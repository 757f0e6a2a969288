package bridge

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
)

func environment(more map[string]string) func(string) string {
	return func(name string) string {
		if value, ok := more[name]; ok {
			return value
		}
		return map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:9092", "GOOGLE_CLOUD_PROJECT": "p"}[name]
	}
}

func TestFromEnv_Defaults(t *testing.T) {
	c, err := FromEnv(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Topics) != len(event.Topics()) || c.GroupID != "stationflow" || c.Start != (Start{}) || c.Addr != "127.0.0.1:8080" {
		t.Errorf("got %+v", c)
	}
	if topic := c.topicName(c.PubSubTopic); topic != "projects/p/topics/stationflow-records" {
		t.Errorf("publishes to %s", topic)
	}
	if err := c.Sarama().Validate(); err != nil {
		t.Error(err)
	}
}

func TestFromEnv_ReportsEveryFaultAtOnce(t *testing.T) {
	_, err := FromEnv(environment(map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": "", "GOOGLE_CLOUD_PROJECT": "", "KAFKA_START": "yesterday",
		"BRIDGE_TRANSPORT": "pigeon", "BRIDGE_BATCH_RECORDS": "20001", "BRIDGE_BATCH_BYTES": "8388609",
		"BRIDGE_BATCH_AGE": "soon", "BRIDGE_MEMORY_BYTES": "1",
	}))
	if err == nil {
		t.Fatal("took it")
	}
	for _, name := range []string{"KAFKA_BOOTSTRAP_SERVERS", "GOOGLE_CLOUD_PROJECT", "KAFKA_START", "BRIDGE_TRANSPORT",
		"BRIDGE_BATCH_RECORDS", "BRIDGE_BATCH_BYTES", "BRIDGE_BATCH_AGE", "BRIDGE_MEMORY_BYTES"} {
		if !strings.Contains(err.Error(), name+" is") {
			t.Errorf("%q says nothing of %s", err, name)
		}
	}
}

func TestFromEnv_Start(t *testing.T) {
	tests := map[string]Start{
		"":                     {},
		"earliest":             {},
		"latest":               {Latest: true},
		"2026-11-22T07:30:00Z": {At: time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC)},
	}
	for text, want := range tests {
		c, err := FromEnv(environment(map[string]string{"KAFKA_START": text}))
		if err != nil || c.Start != want {
			t.Errorf("%q: got %+v, %v", text, c.Start, err)
		}
	}
}

func TestFromEnv_PortOfCloudRun(t *testing.T) {
	c, err := FromEnv(environment(map[string]string{"PORT": "9000"}))
	if err != nil || c.Addr != ":9000" {
		t.Errorf("got %q, %v", c.Addr, err)
	}
}

// docs/settings.md says what share of the memory a partition has with the
// defaults.
func TestSettings_SayThePartitionsShare(t *testing.T) {
	page, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := FromEnv(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) int {
		n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	said := map[int]int{} // size by partitions
	for _, row := range regexp.MustCompile(`(?m)^\| ([\d,]+) \| ([\d,]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		said[number(row[1])] = number(row[2])
	}
	for partitions, size := range said {
		if share := c.memory(partitions).share; share != int64(size) {
			t.Errorf("with %d partitions the page says %d bytes, each has %d", partitions, size, share)
		}
	}
	if said[1] == 0 || len(said) < 3 {
		t.Errorf("the page says the share for %v partitions, not for 1 and for some others", slices.Sorted(maps.Keys(said)))
	}
}

// However many partitions there are, what is taken as there is need, the
// shares of all, and one batch of the greatest size fit the memory.
func TestConfig_BatchesFitTheMemory(t *testing.T) {
	for _, partitions := range []int{0, 1, 6, 36, 1000} {
		for _, lane := range []batch.Lane{batch.RowsLane, batch.LakeLane} {
			c := Config{MemoryBytes: 64 << 20, BatchBytes: batch.MaxEncodedBytes, Lanes: []batch.Lane{lane}}
			m := c.memory(partitions)
			if total := m.common + m.share*int64(partitions) + batch.MaxEncodedBytes; total > c.MemoryBytes || m.share < 100 {
				t.Errorf("%d partitions with %d bytes each make %d", partitions, m.share, total)
			}
		}
	}
}

// Where Cloud Run runs the bridge as a worker pool it names no port: Terraform
// says where the probes look, and that Cloud Logging reads the lines.
func TestFromEnv_WhereItRuns(t *testing.T) {
	for environment, want := range map[string]struct {
		addr  string
		cloud bool
	}{
		"":                                   {"127.0.0.1:8080", false},
		"BRIDGE_ADDR=:8080 BRIDGE_LOG=cloud": {":8080", true},
		"PORT=9000 K_SERVICE=bridge":         {":9000", true},
		"CLOUD_RUN_WORKER_POOL=bridge":       {"127.0.0.1:8080", true},
		"BRIDGE_LOG=auto":                    {"127.0.0.1:8080", false},
	} {
		values := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "GOOGLE_CLOUD_PROJECT": "p"}
		for _, variable := range strings.Fields(environment) {
			name, value, _ := strings.Cut(variable, "=")
			values[name] = value
		}
		c, err := FromEnv(func(name string) string { return values[name] })
		if err != nil || c.Addr != want.addr || c.CloudLog != want.cloud {
			t.Errorf("%s: %s, %v (%v), want %s, %v", environment, c.Addr, c.CloudLog, err, want.addr, want.cloud)
		}
	}
}

// Canaries are the bridge's alone: what watches the stations' topics does not
// know theirs.
func TestFromEnv_Canary(t *testing.T) {
	for value, want := range map[string]bool{"": false, "off": false, "on": true} {
		environment := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "GOOGLE_CLOUD_PROJECT": "p", "BRIDGE_CANARY": value}
		getenv := func(name string) string { return environment[name] }
		c, err := FromEnv(getenv)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(c.Topics, event.CanaryTopic); got != want {
			t.Errorf("BRIDGE_CANARY=%s: topics %v", value, c.Topics)
		}
		if topics := kafka.TopicsFromEnv(env.NewReader(getenv)); slices.Contains(topics, event.CanaryTopic) {
			t.Errorf("others read %v", topics)
		}
	}
}
