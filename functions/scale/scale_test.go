package scale

import (
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
)

func TestFromEnv_Mistakes(t *testing.T) {
	for name, c := range map[string]struct{ variable, value, want string }{
		"no pool":       {"SCALE_POOL", "", "SCALE_POOL is not set: set it to the bridge's"},
		"short pool":    {"SCALE_POOL", "stationflow-bridge", `SCALE_POOL is "stationflow-bridge": set it to`},
		"idle":          {"SCALE_IDLE", "never", "set it to one of stop, stay"},
		"least":         {"SCALE_MIN_INSTANCES", "0", "SCALE_MIN_INSTANCES"},
		"more than all": {"SCALE_MIN_INSTANCES", "3", "more than SCALE_MAX_INSTANCES, 2"},
		"most":          {"SCALE_MAX_INSTANCES", "0", "SCALE_MAX_INSTANCES"},
		"pause":         {"SCALE_IDLE_AFTER", "15", "SCALE_IDLE_AFTER"},
		"daily run":     {"SCALE_DAILY_RUN", "-1s", "SCALE_DAILY_RUN"},
		"lag":           {"SCALE_LAG", "0s", "SCALE_LAG"},
		"lag of lake":   {"SCALE_LAG", "1m", "SCALE_LAG is 1m0s, not longer than BRIDGE_LAKE_AGE, 1m0s: "},
		"older lake":    {"BRIDGE_LAKE_AGE", "3m", "SCALE_LAG is 2m0s, not longer than BRIDGE_LAKE_AGE, 3m0s: "},
		"odd lake":      {"BRIDGE_LAKE_AGE", "long", "BRIDGE_LAKE_AGE"},
		"Kafka":         {"KAFKA_BOOTSTRAP_SERVERS", "", "KAFKA_BOOTSTRAP_SERVERS is not set"},
		"topics":        {"KAFKA_TOPICS", "a b", "KAFKA_TOPICS"},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[string]string{
				"SCALE_POOL": "projects/p/locations/l/workerPools/w", "KAFKA_BOOTSTRAP_SERVERS": "k:9092",
			}
			if _, err := FromEnv(func(name string) string { return environment[name] }); err != nil {
				t.Fatal(err)
			}
			environment[c.variable] = c.value
			_, err := FromEnv(func(name string) string { return environment[name] })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	partitions := func(n int32) (list []kafka.Partition) {
		for p := range n {
			list = append(list, kafka.Partition{Topic: "incidents", Number: p})
		}
		return list
	}
	stop := Config{
		MinInstances: 1, MaxInstances: 8,
		IdleAfter: 15 * time.Minute, LagPerInstance: 2 * time.Minute, RatePerInstance: 1000, DailyRun: 10 * time.Minute,
	}
	stay, three := stop, stop
	stay.Stays, three.MinInstances = true, 3
	for name, c := range map[string]struct {
		config Config
		found  standing
		set    int64
		at     time.Time
		want   int64
	}{
		"nothing":                        {stop, standing{}, 1, noon, 0},
		"nothing, asleep":                {stop, standing{}, 0, noon, 0},
		"nothing, to stay":               {stay, standing{}, 1, noon, 1},
		"nothing, three that may stop":   {three, standing{}, 3, noon, 0},
		"a record waits":                 {stop, standing{waiting: partitions(1)}, 0, noon, 1},
		"a record waits for three":       {three, standing{waiting: partitions(1)}, 0, noon, 3},
		"nothing is committed":           {stop, standing{unsettled: partitions(6)}, 0, noon, 1},
		"recent":                         {stop, standing{recent: true}, 1, noon, 1},
		"recent, more than needed":       {stop, standing{recent: true}, 5, noon, 1},
		"a topic cannot be read":         {stop, standing{withheld: []string{"no"}}, 0, noon, 1},
		"midnight":                       {stop, standing{}, 0, noon.Add(12 * time.Hour), 1},
		"midnight elsewhere":             {stop, standing{}, 0, noon.Add(12 * time.Hour).In(time.FixedZone("", 5*3600)), 1},
		"after the daily run":            {stop, standing{}, 1, noon.Add(12*time.Hour + 10*time.Minute), 0},
		"some lag":                       {stop, standing{waiting: partitions(6), lag: 4 * time.Minute}, 1, noon, 3},
		"much lag":                       {stop, standing{waiting: partitions(36), lag: 14 * time.Minute}, 1, noon, 8},
		"lag of few partitions":          {stop, standing{waiting: partitions(2), lag: 14 * time.Minute}, 1, noon, 2},
		"less lag takes none away":       {stop, standing{waiting: partitions(6), lag: 2 * time.Minute}, 5, noon, 5},
		"but not more than the most":     {stop, standing{waiting: partitions(6), lag: 2 * time.Minute}, 50, noon, 8},
		"what waits is young again":      {stop, standing{waiting: partitions(6)}, 5, noon, 1},
		"much comes":                     {stop, standing{recent: true, rate: 3500, partitions: 6}, 1, noon, 4},
		"much comes to few partitions":   {stop, standing{recent: true, rate: 3500, partitions: 2}, 1, noon, 2},
		"less comes":                     {stop, standing{recent: true, rate: 1900, partitions: 6}, 5, noon, 2},
		"more waits than comes":          {stop, standing{waiting: partitions(6), lag: 4 * time.Minute, recent: true, rate: 1500, partitions: 6}, 1, noon, 3},
		"more comes than waits":          {stop, standing{waiting: partitions(6), lag: 2 * time.Minute, recent: true, rate: 3500, partitions: 6}, 1, noon, 4},
		"lag of one partition stays one": {stop, standing{waiting: partitions(1), lag: 14 * time.Minute}, 4, noon, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, why := c.config.decide(c.found, c.set, c.at)
			if got != c.want || why == "" {
				t.Errorf("%d instances because %q, want %d", got, why, c.want)
			}
			if again, _ := c.config.decide(c.found, got, c.at); again != got {
				t.Errorf("the next check makes %d of them", again)
			}
		})
	}
}
