package bridge

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
)

// largestValue is the size of the largest value that a batch of one record
// can hold.
func largestValue(m *sarama.ConsumerMessage) int {
	return sort.Search(batch.MaxEncodedBytes, func(size int) bool {
		r := batch.Record{Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli(), Key: m.Key, Value: make([]byte, size)}
		return !new(batch.Encoder).Fits(&r)
	}) - 1
}

// Records at the limits travel as they are, with memory within its bounds.
func TestGatherer_RecordsAtTheLimits(t *testing.T) {
	at := time.UnixMilli(1_795_000_000_000)
	header := &sarama.RecordHeader{Key: []byte("k"), Value: []byte("v")}
	largest := &sarama.ConsumerMessage{Offset: 0, Timestamp: at, Key: bytes.Repeat([]byte("k"), 10<<10)}
	largest.Value = make([]byte, largestValue(largest))
	headers := &sarama.ConsumerMessage{Timestamp: at, Headers: slices.Repeat([]*sarama.RecordHeader{header}, batch.MaxHeaders)}
	repeat := func(m *sarama.ConsumerMessage, count int) (all []*sarama.ConsumerMessage) {
		for i := range count {
			one := *m
			one.Offset = int64(i)
			all = append(all, &one)
		}
		return all
	}
	tests := []struct {
		name     string
		messages []*sarama.ConsumerMessage
		want     []int // records of each batch
	}{
		{"null values", repeat(&sarama.ConsumerMessage{Timestamp: at}, batch.MaxRecords+1), []int{batch.MaxRecords, 1}},
		{"values of 0 bytes", repeat(&sarama.ConsumerMessage{Timestamp: at, Key: []byte{}, Value: []byte{}}, batch.MaxRecords), []int{batch.MaxRecords}},
		{"tiny values that are no event", repeat(&sarama.ConsumerMessage{Timestamp: at, Value: []byte("x")}, 2*batch.MaxRecords), []int{batch.MaxRecords, batch.MaxRecords}},
		{"the largest value, with a key of 10 KB", repeat(largest, 1), []int{1}},
		{"two of these", repeat(largest, 2), []int{1, 1}},
		{"keys of 10 KB", repeat(&sarama.ConsumerMessage{Timestamp: at, Key: bytes.Repeat([]byte("k"), 10<<10), Value: []byte("{}")}, 100), []int{100}},
		{"as many headers as a batch may have", repeat(headers, 3), []int{1, 1, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var mu sync.Mutex
			var got []int
			c := testClaim(t, func(c *Config) { c.BatchRecords, c.InFlight, c.Transport = batch.MaxRecords, 1, "" }, sink(func(e cloudevents.Event) error {
				b, err := batch.FromEvent(e.Clone())
				if err != nil {
					t.Error(err)
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range b.Records {
					m := test.messages[b.Records[i].Offset]
					if r := b.Records[i]; (r.Value == nil) != (m.Value == nil) || !bytes.Equal(r.Value, m.Value) || !bytes.Equal(r.Key, m.Key) || len(r.Headers) != len(m.Headers) {
						t.Fatalf("record %d travels as another", r.Offset)
					}
				}
				got = append(got, len(b.Records))
				return nil
			}))
			most := int64(0)
			for _, m := range test.messages {
				c.add(m)
				if !c.gatherer.open.empty() {
					most = max(most, int64(c.gatherer.open.encoder.Room()))
				}
			}
			c.drain()
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("batches of %v, want %v", got, test.want)
			}
			if most > int64(c.bridge.config.BatchBytes) {
				t.Errorf("an open batch had memory for %d bytes, its limit is %d", most, c.bridge.config.BatchBytes)
			}
			if position := c.committable(); position != int64(len(test.messages)) || len(c.bridge.large) != 0 {
				t.Errorf("%d are committable; the place for large batches is taken %d times", position, len(c.bridge.large))
			}
		})
	}
}

// Whatever the environment holds, reading it does not crash, and every line
// of the error names a variable; the password is in none.
func FuzzFromEnv(f *testing.F) {
	names := []string{"KAFKA_TOPICS", "KAFKA_GROUP_ID", "KAFKA_START", "BRIDGE_TRANSPORT", "BRIDGE_PUBSUB_TOPIC", "BRIDGE_BATCH_RECORDS",
		"BRIDGE_BATCH_BYTES", "BRIDGE_BATCH_AGE", "BRIDGE_MEMORY_BYTES", "BRIDGE_ADDR", "PORT", "KAFKA_SASL_MECHANISM"}
	f.Add("", "")
	f.Add("incidents,incidents\ng\nlatest\npubsub\nt\n1\n4096\n1ms\n16777216\n:0\n8080\nPLAIN", "p")
	f.Add(",\n\n2026-11-22\npigeon\na/b\n-1\n0x10\n1000000h\n9223372036854775808\n\x00\n\nOAUTHBEARER", "")
	f.Add("a b\n\xff\n0000-00-00T00:00:00Z\n\n\n20001\n8388609\n-1s\n1\nx\ny\nscram-sha-256", "\u00a0")
	f.Fuzz(func(t *testing.T, text, password string) {
		if strings.Contains(text, "hunter2") {
			t.Skip("the secret is in another variable")
		}
		values := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:9092", "GOOGLE_CLOUD_PROJECT": "p", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
			"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "hunter2" + password + "hunter2"}
		for i, value := range strings.SplitN(text, "\n", len(names)) {
			values[names[i]] = value
		}
		c, err := FromEnv(func(name string) string { return values[name] })
		if err == nil {
			if err := c.validate(); err != nil {
				t.Errorf("what was read is refused: %v", err)
			}
			if err := c.Sarama().Validate(); err != nil {
				t.Errorf("the library refuses it: %v", err)
			}
			return
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q tells the password", err)
		}
		for line := range strings.SplitSeq(strings.TrimPrefix(err.Error(), "configuring the bridge: "), "\n") {
			if !strings.HasPrefix(line, "KAFKA_") && !strings.HasPrefix(line, "BRIDGE_") && !strings.HasPrefix(line, "PORT") {
				t.Errorf("%q names no variable", line)
			}
		}
	})
}
