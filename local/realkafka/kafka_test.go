package realkafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/kafka"
)

// The bridge's promises against Apache Kafka itself, over every listener.
func TestKafka(t *testing.T) {
	broker := Start(t)
	for _, protocol := range []string{"PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"} {
		t.Run(protocol, func(t *testing.T) {
			s := newSuite(t, broker, protocol)
			t.Run("consumes, commits and goes on", s.testRestart)
			t.Run("topic created again while running", s.testRecreatedWhileRunning)
			t.Run("topic created again while stopped", s.testRecreatedWhileStopped)
			t.Run("partitions added", s.testPartitionsAdded)
			t.Run("offset out of range", s.testOutOfRange)
			t.Run("latest with several members", s.testLatest)
			t.Run("open transaction", s.testOpenTransaction)
			t.Run("sleeps and wakes", s.testSleep)
			t.Run("the simulator goes on when a topic is made again", s.testSimulatorGoesOn)
			t.Run("broker killed under load", s.testKilled)
		})
	}
	t.Run("SCRAM-SHA-512", func(t *testing.T) {
		s := newSuite(t, broker, "SASL_SSL")
		s.mechanism = "SCRAM-SHA-512"
		t.Run("consumes, commits and goes on", s.testRestart)
	})
	t.Run("mistakes", func(t *testing.T) { testMistakes(t, broker) })
}

// name is a topic of this protocol.
func (s *suite) name(topic string) string {
	return strings.ToLower(s.protocol+s.mechanism) + "_" + topic
}

func (s *suite) testRestart(t *testing.T) {
	topic := s.name("restart")
	id := s.createTopic(t, topic)
	first := &recorder{}
	_, stop := run(t, s.config(t, topic), first)
	for p := range int32(6) {
		s.produce(t, topic, p, 1000)
	}
	for p := range int32(6) {
		first.wait(t, id, p, 0, 1000)
	}
	stop()
	for p := range int32(6) {
		if got := s.committed(t, topic, topic, p); got != 1000 {
			t.Errorf("partition %d: offset %d is committed at the end, want 1000", p, got)
		}
		s.produce(t, topic, p, 100)
	}
	second := &recorder{}
	_, stop = run(t, s.config(t, topic), second)
	for p := range int32(6) {
		second.wait(t, id, p, 1000, 1100)
	}
	stop()
	if second.records() != 600 {
		t.Errorf("after the restart %d records were read, want the 600 new ones", second.records())
	}
}

func (s *suite) testRecreatedWhileRunning(t *testing.T) {
	topic := s.name("recreated")
	old := s.createTopic(t, topic)
	transport := &recorder{}
	b, stop := run(t, s.config(t, topic, "KAFKA_START", "latest"), transport)
	eventually(t, "it has joined", func() bool { return b.Snapshot().Joined })
	s.produce(t, topic, 4, 20)
	transport.wait(t, old, 4, 0, 20)
	s.deleteTopic(t, topic)
	now := s.createTopic(t, topic)
	s.produce(t, topic, 4, 60)
	transport.wait(t, now, 4, 0, 60)
	eventually(t, "it commits", func() bool { return s.committed(t, topic, topic, 4) == 60 })
	stop()
	if transport.records() != 80 {
		t.Errorf("%d records were published, want 20 of the old topic and 60 of the new", transport.records())
	}
	for at := range transport.seen {
		if at.topicID != old && at.topicID != now || at.topicID == old && at.offset >= 20 {
			t.Errorf("%+v was published", at)
		}
	}
}

func (s *suite) testRecreatedWhileStopped(t *testing.T) {
	topic, other := s.name("again"), s.name("other")
	old := s.createTopic(t, topic)
	s.createTopic(t, other)
	c := s.config(t, topic, "KAFKA_TOPICS", topic+","+other, "KAFKA_START", "latest")
	transport := &recorder{}
	b, stop := run(t, c, transport)
	eventually(t, "it has joined", func() bool { return b.Snapshot().Joined })
	s.produce(t, topic, 4, 20)
	transport.wait(t, old, 4, 0, 20)
	stop()
	s.deleteTopic(t, topic)
	now := s.createTopic(t, topic)
	s.produce(t, topic, 4, 30)
	b, stop = run(t, c, transport)
	transport.wait(t, now, 4, 0, 30)
	eventually(t, "health is good", func() bool { return len(b.Unhealthy()) == 0 })
	stop()
	if transport.records() != 50 {
		t.Errorf("%d records were published, want 50", transport.records())
	}
}

func (s *suite) testPartitionsAdded(t *testing.T) {
	topic := s.name("grows")
	id := s.createTopic(t, topic)
	transport := &recorder{}
	b, stop := run(t, s.config(t, topic, "KAFKA_START", "latest"), transport)
	eventually(t, "it has joined", func() bool { return b.Snapshot().Joined })
	s.addPartitions(t, topic, 8)
	s.produce(t, topic, 7, 50)
	transport.wait(t, id, 7, 0, 50)
	stop()
}

func (s *suite) testOutOfRange(t *testing.T) {
	topic := s.name("expires")
	id := s.createTopic(t, topic)
	transport := &recorder{}
	_, stop := run(t, s.config(t, topic), transport)
	s.produce(t, topic, 3, 100)
	transport.wait(t, id, 3, 0, 100)
	stop()
	s.produce(t, topic, 3, 100)
	s.deleteRecords(t, topic, 3, 150)
	b, stop := run(t, s.config(t, topic), transport)
	s.produce(t, topic, 0, 10)
	transport.wait(t, id, 0, 0, 10)
	eventually(t, "health says so", func() bool {
		reasons := b.Unhealthy()
		return len(reasons) == 1 && strings.Contains(reasons[0], fmt.Sprintf("offset 100 of %s/3 is out of range: Kafka holds 150 to 200", topic))
	})
	stop()
	if got := s.committed(t, topic, topic, 3); got != 100 {
		t.Errorf("it moved to %d", got)
	}
}

func (s *suite) testLatest(t *testing.T) {
	topic := s.name("latest")
	id := s.createTopic(t, topic)
	for p := range int32(6) {
		s.produce(t, topic, p, 10)
	}
	c := s.config(t, topic, "KAFKA_START", "latest")
	transport := &recorder{}
	var all []*bridge.Bridge
	var stops []func()
	for range 3 {
		b, stop := run(t, c, transport)
		all, stops = append(all, b), append(stops, stop)
	}
	eventually(t, "each holds two partitions", func() bool {
		for _, b := range all {
			if len(b.Snapshot().Partitions) != 2 {
				return false
			}
		}
		return true
	})
	for p := range int32(6) {
		s.produce(t, topic, p, 10)
	}
	for p := range int32(6) {
		transport.wait(t, id, p, 10, 20)
	}
	for _, stop := range stops {
		stop()
	}
	if transport.records() != 60 {
		t.Errorf("%d records were read, want the 60 from the latest on", transport.records())
	}
}

// The broker dies while records are produced and read. Whatever a stock
// client finds in Kafka afterwards was published.
func (s *suite) testKilled(t *testing.T) {
	topic := s.name("killed")
	id := s.createTopic(t, topic)
	transport := &recorder{}
	_, stop := run(t, s.config(t, topic), transport)
	const each = 20_000
	produced := make(chan error, 6*each)
	for i := range 6 * each {
		s.client.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: int32(i % 6), Value: fmt.Appendf(nil, `{"id":"%0100d"}`, i)},
			func(_ *kgo.Record, err error) { produced <- err })
		if i == 3*each {
			eventually(t, "some are published", func() bool { return transport.records() > 1000 })
			s.Kill()
			s.Restart(t)
		}
	}
	for range 6 * each {
		if err := <-produced; err != nil {
			t.Fatal(err)
		}
	}
	for p := range int32(6) {
		transport.wait(t, id, p, 0, each)
		eventually(t, "the end is committed", func() bool { return s.committed(t, topic, topic, p) == each })
	}
	stop()
	if transport.records() != 6*each {
		t.Errorf("%d different records were published, want %d", transport.records(), 6*each)
	}
}

// What Kafka answers to a person's mistakes.
func testMistakes(t *testing.T, broker *Broker) {
	tests := []struct {
		name    string
		change  func(*kafka.Config)
		lasting bool
		want    string
	}{
		{"none", nil, false, ""},
		{"wrong password", func(c *kafka.Config) { c.Password = "hunter2" }, true, "Kafka refuses the user (authentication failed): correct KAFKA_SASL_USERNAME"},
		{"unknown user", func(c *kafka.Config) { c.Username = "bob" }, true, "Kafka refuses the user"},
		{"another mechanism", func(c *kafka.Config) { c.SASLMechanism = "SCRAM-SHA-256" }, true, "does not offer SCRAM-SHA-256: set KAFKA_SASL_MECHANISM"},
		{"the plaintext port", func(c *kafka.Config) { c.Brokers = []string{broker.Address("PLAINTEXT")} }, true, "speaks no TLS"},
		{"the SASL port without TLS", func(c *kafka.Config) { c.Brokers = []string{broker.Address("SASL_PLAINTEXT")} }, true, "speaks no TLS: set KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT"},
		{"no TLS", func(c *kafka.Config) { c.SecurityProtocol = "SASL_PLAINTEXT" }, true, "speaks TLS: set KAFKA_SECURITY_PROTOCOL to SASL_SSL"},
		{"no user", func(c *kafka.Config) { c.SecurityProtocol = "SSL" }, false, "asks for a user: set KAFKA_SECURITY_PROTOCOL to SASL_SSL"},
		{"a user where none is asked for", func(c *kafka.Config) {
			c.SecurityProtocol, c.Brokers = "SASL_PLAINTEXT", []string{broker.Address("PLAINTEXT")}
		}, true, "asks for no user: set KAFKA_SECURITY_PROTOCOL to PLAINTEXT"},
		{"no authority", func(c *kafka.Config) { c.RootCAs = nil }, true, "set KAFKA_CA_FILE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := broker.Config("SASL_SSL")
			if test.change != nil {
				test.change(&c)
			}
			err := kafka.Reach(context.Background(), c)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var fault *kafka.Fault
			if !errors.As(err, &fault) || fault.Lasting != test.lasting || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want one that says %q", err, test.want)
			}
		})
	}
	t.Run("the bridge ends", func(t *testing.T) {
		s := &suite{Broker: broker, protocol: "SASL_SSL"}
		c := s.config(t, "any", "KAFKA_SASL_PASSWORD", "hunter2")
		b, err := bridge.New(c, bridge.Dependencies{Transport: &recorder{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Run(context.Background()); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			t.Errorf("Run returned %v", err)
		}
	})
}
