package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/batch"
)

// BenchmarkFreshness measures how long a record takes from the append to Kafka
// until it is visible in staging, over each transport: 1,000 events a second
// for 60 s into an empty warehouse, with the scheduler running. Run it alone on
// the machine:
//
//	go test ./e2e -run '^$' -bench Freshness -benchtime 1x
func BenchmarkFreshness(b *testing.B) {
	for _, transport := range []string{"pubsub", "http"} {
		b.Run(transport, func(b *testing.B) { benchmarkFreshness(b, transport) })
	}
}

func benchmarkFreshness(b *testing.B, transport string) {
	const perSecond, seconds, tick = 1000, 60, 10 * time.Millisecond
	for b.Loop() {
		folder := b.TempDir()
		system := up(b, nil, "--data", folder, "--transport", transport)
		events := goodEvents(b, perSecond*seconds)
		produced := sendPaced(b, producer(b, system.Kafka, kgo.ProducerLinger(0)), events, perSecond/int(time.Second/tick), tick)
		system.awaitRecords(len(events))
		latencies := visible(b, filepath.Join(folder, "stationflow.log"), produced)
		system.stop()

		slices.Sort(latencies)
		at := func(q float64) float64 { return float64(latencies[int(q*float64(len(latencies)-1))].Milliseconds()) }
		b.ReportMetric(float64(len(latencies)), "records")
		b.ReportMetric(at(0.50), "p50-ms")
		b.ReportMetric(at(0.99), "p99-ms")
		b.ReportMetric(at(1), "max-ms")
	}
}

// sendPaced sends n messages every tick and returns when Kafka acknowledged
// each, by coordinate.
func sendPaced(b *testing.B, client *kgo.Client, messages []message, n int, tick time.Duration) map[coordinate]time.Time {
	b.Helper()
	var mu sync.Mutex
	appended := make(map[coordinate]time.Time, len(messages))
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for len(messages) > 0 {
		<-ticker.C
		for _, m := range messages[:min(n, len(messages))] {
			client.Produce(context.Background(), &kgo.Record{Topic: m.topic, Key: m.key, Value: m.value}, func(r *kgo.Record, err error) {
				now := time.Now()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					b.Errorf("sending to %s: %v", r.Topic, err)
				}
				appended[coordinate{r.Topic, int64(r.Partition), r.Offset}] = now
			})
		}
		messages = messages[min(n, len(messages)):]
	}
	if err := client.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	return appended
}

// visible reads from the function's log when each batch was durable, and
// returns how long that was after the append of each of its records.
func visible(b *testing.B, log string, appended map[coordinate]time.Time) []time.Duration {
	b.Helper()
	file, err := os.Open(log)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	var latencies []time.Duration
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Msg       string `json:"msg"`
			Topic     string `json:"topic"`
			Ranges    string `json:"ranges"`
			DurableMS int64  `json:"durable_ms"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			b.Fatalf("reading the log: %v", err)
		}
		if line.Msg != "batch ingested" {
			continue
		}
		ranges, err := batch.ParseRanges(line.Ranges)
		if err != nil {
			b.Fatalf("reading the log: %v", err)
		}
		for _, of := range ranges {
			for offset := of.First; offset <= of.Last; offset++ {
				at := coordinate{line.Topic, int64(of.Partition), offset}
				if since, waiting := appended[at]; waiting {
					latencies = append(latencies, time.UnixMilli(line.DurableMS).Sub(since))
					delete(appended, at)
				}
			}
		}
	}
	if len(appended) > 0 {
		b.Fatalf("%d records never became visible", len(appended))
	}
	return latencies
}
