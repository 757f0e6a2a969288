package realkafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
)

// A suite is one broker, one protocol, and a stock client besides ours.
type suite struct {
	*Broker
	protocol  string
	mechanism string // PLAIN unless set
	client    *kgo.Client
}

func newSuite(t *testing.T, b *Broker, protocol string) *suite {
	t.Helper()
	options := []kgo.Opt{kgo.SeedBrokers(b.Address(protocol)), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(1 << 20)}
	if c := b.Config(protocol); c.Username != "" {
		options = append(options, kgo.SASL(plain.Auth{User: c.Username, Pass: c.Password.Reveal()}.AsMechanism()))
		if c.RootCAs != nil {
			options = append(options, kgo.DialTLSConfig(&tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12}))
		}
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &suite{Broker: b, protocol: protocol, client: client}
}

// within bounds every call to the broker.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func ok(t testing.TB, err error, code int16) {
	t.Helper()
	if err == nil {
		err = kerr.ErrorForCode(code)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// createTopic returns the topic's id when the broker knows the topic.
func (s *suite) createTopic(t testing.TB, topic string) (id string) {
	t.Helper()
	request := kmsg.NewPtrCreateTopicsRequest()
	asked := kmsg.NewCreateTopicsRequestTopic()
	asked.Topic, asked.NumPartitions, asked.ReplicationFactor = topic, 6, 1
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(within(t), s.client)
	ok(t, err, 0)
	ok(t, nil, response.Topics[0].ErrorCode)
	id = canonical(response.Topics[0].TopicID)
	eventually(t, "the broker knows the topic", func() bool { return s.topicID(t, topic) == id })
	return id
}

func (s *suite) deleteTopic(t testing.TB, topic string) {
	t.Helper()
	request := kmsg.NewPtrDeleteTopicsRequest()
	asked := kmsg.NewDeleteTopicsRequestTopic()
	asked.Topic = kmsg.StringPtr(topic)
	request.Topics, request.TopicNames = append(request.Topics, asked), []string{topic}
	response, err := request.RequestWith(within(t), s.client)
	ok(t, err, 0)
	ok(t, nil, response.Topics[0].ErrorCode)
	s.client.PurgeTopicsFromProducing(topic)
}

func (s *suite) addPartitions(t testing.TB, topic string, count int32) {
	t.Helper()
	request := kmsg.NewPtrCreatePartitionsRequest()
	asked := kmsg.NewCreatePartitionsRequestTopic()
	asked.Topic, asked.Count = topic, count
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(within(t), s.client)
	ok(t, err, 0)
	ok(t, nil, response.Topics[0].ErrorCode)
	eventually(t, "the broker tells of the new partitions", func() bool {
		request, named := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
		named.Topic = &topic
		request.Topics = append(request.Topics, named)
		response, err := request.RequestWith(within(t), s.client)
		return err == nil && len(response.Topics) == 1 && len(response.Topics[0].Partitions) == int(count)
	})
	s.client.ForceMetadataRefresh()
}

func (s *suite) deleteRecords(t testing.TB, topic string, partition int32, before int64) {
	t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	asked, where := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	where.Partition, where.Offset = partition, before
	asked.Topic, asked.Partitions = topic, append(asked.Partitions, where)
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(within(t), s.client)
	ok(t, err, 0)
	ok(t, nil, response.Topics[0].Partitions[0].ErrorCode)
}

// topicID is what the broker calls the topic now, with or without an error.
func (s *suite) topicID(t testing.TB, topic string) string {
	t.Helper()
	request := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(within(t), s.client)
	ok(t, err, 0)
	return canonical(response.Topics[0].TopicID)
}

func canonical(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// committed is the group's offset as a stock client reads it, or -1.
func (s *suite) committed(t testing.TB, group, topic string, partition int32) int64 {
	t.Helper()
	request := kmsg.NewPtrOffsetFetchRequest()
	request.Group = group
	asked := kmsg.NewOffsetFetchRequestTopic()
	asked.Topic, asked.Partitions = topic, []int32{partition}
	request.Topics = append(request.Topics, asked)
	within8 := kmsg.NewOffsetFetchRequestGroup() // since version 8
	where := kmsg.NewOffsetFetchRequestGroupTopic()
	where.Topic, where.Partitions = topic, []int32{partition}
	within8.Group, within8.Topics = group, append(within8.Topics, where)
	request.Groups = append(request.Groups, within8)
	response, err := request.RequestWith(within(t), s.client)
	ok(t, err, response.ErrorCode)
	if len(response.Groups) > 0 {
		return response.Groups[0].Topics[0].Partitions[0].Offset
	}
	return response.Topics[0].Partitions[0].Offset
}

// produce writes records to one partition and returns when Kafka has them.
func (s *suite) produce(t testing.TB, topic string, partition int32, count int) {
	t.Helper()
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, `{"id":"%0180d"}`, i)}
	}
	if err := s.client.ProduceSync(within(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// config is one of fast reactions. The group is named as the topic.
func (s *suite) config(t testing.TB, topic string, more ...string) bridge.Config {
	t.Helper()
	variables := s.Environment(s.protocol)
	variables["KAFKA_SASL_MECHANISM"] = s.mechanism
	for name, value := range map[string]string{
		"GOOGLE_CLOUD_PROJECT":   "test",
		"KAFKA_TOPICS":           topic,
		"KAFKA_GROUP_ID":         topic,
		"BRIDGE_BATCH_RECORDS":   "500",
		"BRIDGE_BATCH_AGE":       "20ms",
		"BRIDGE_LAKE_AGE":        "50ms",
		"BRIDGE_COMMIT_INTERVAL": "50ms",
		"BRIDGE_RETRY_MAX":       "500ms",
		"BRIDGE_DRAIN_TIMEOUT":   "4s",
	} {
		variables[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		variables[more[i]] = more[i+1]
	}
	c, err := bridge.FromEnv(func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	c.Addr = ""
	return c
}

// run runs a bridge until stop is called, or the test ends.
func run(t testing.TB, c bridge.Config, transport bridge.Transport) (b *bridge.Bridge, stop func()) {
	t.Helper()
	b, err := bridge.New(c, bridge.Dependencies{Transport: transport, Logger: log(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return b, stop
}

func log(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(testWriter{t}, nil)) }

type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Logf("%s", line)
	return len(line), nil
}

type coordinate struct {
	topicID   string
	partition int32
	offset    int64
}

// A recorder is a Transport that keeps how often it was given each record.
type recorder struct {
	mu   sync.Mutex
	seen map[coordinate]int
}

func (r *recorder) Publish(_ context.Context, e cloudevents.Event) error {
	b, err := batch.FromEvent(e)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[coordinate]int{}
	}
	for i := range b.Records {
		r.seen[coordinate{b.TopicID, b.Records[i].Partition, b.Records[i].Offset}]++
	}
	return nil
}

func (r *recorder) records() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// wait returns once every record of the range was published.
func (r *recorder) wait(t testing.TB, topicID string, partition int32, from, next int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("records %d to %d of partition %d are published", from, next, partition), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for offset := from; offset < next; offset++ {
			if r.seen[coordinate{topicID, partition, offset}] == 0 {
				return false
			}
		}
		return true
	})
}

// eventually waits for a condition that nothing tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
	}
}
