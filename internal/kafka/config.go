// Package kafka says how Kafka is reached, the same for the bridge and the
// simulator: the KAFKA_ variables become a sarama configuration without the
// library defaults that lose data.
package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/env"
)

// Config names the brokers and what they ask of a client.
type Config struct {
	Brokers          []string // bootstrap servers, each host:port
	SecurityProtocol string   // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; "" is PLAINTEXT
	SASLMechanism    string   // PLAIN
	Username         string
	Password         env.Secret
	RootCAs          *x509.CertPool // nil for the system's
}

// FromEnv reads KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL,
// KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and
// KAFKA_CA_FILE. Its faults are recorded in r.
func FromEnv(r *env.Reader) Config {
	c := Config{
		Brokers:          brokers(r),
		SecurityProtocol: r.OneOf("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
	}
	if c.sasl() {
		c.SASLMechanism = mechanism(r)
		c.Username = r.Required("KAFKA_SASL_USERNAME", "set it to the API key, which "+c.SecurityProtocol+" needs")
		c.Password = env.Secret(r.Required("KAFKA_SASL_PASSWORD", "set it to the API secret, which "+c.SecurityProtocol+" needs"))
	}
	if path := r.String("KAFKA_CA_FILE", ""); path != "" {
		c.RootCAs = rootCAs(r, path)
		if !c.tls() {
			r.Fault("KAFKA_CA_FILE", "is set, but KAFKA_SECURITY_PROTOCOL is %s: set that to SSL or SASL_SSL, or leave the file out", c.SecurityProtocol)
		}
	}
	return c
}

func brokers(r *env.Reader) []string {
	const name, remedy = "KAFKA_BOOTSTRAP_SERVERS", "set it to host:port of one broker or more, separated by commas"
	list := r.List(name)
	if len(list) == 0 {
		r.Fault(name, "is not set: %s", remedy)
	}
	for _, broker := range list {
		if host, port, err := net.SplitHostPort(broker); err != nil || host == "" || port == "" {
			r.Fault(name, "names %q: %s", broker, remedy)
		}
	}
	return list
}

func mechanism(r *env.Reader) string {
	const name = "KAFKA_SASL_MECHANISM"
	switch m := strings.ToUpper(r.String(name, sarama.SASLTypePlaintext)); m {
	case sarama.SASLTypePlaintext:
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512, sarama.SASLTypeOAuth:
		r.Fault(name, "is %s, which is not supported yet: set it to PLAIN, and give the user a PLAIN password", m)
	default:
		r.Fault(name, "is %q: set it to PLAIN", m)
	}
	return sarama.SASLTypePlaintext
}

func rootCAs(r *env.Reader, path string) *x509.CertPool {
	pem, err := os.ReadFile(path)
	if err != nil {
		r.Fault("KAFKA_CA_FILE", "cannot be read (%v): set it to a file of PEM certificates", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		r.Fault("KAFKA_CA_FILE", "is %s, which holds no PEM certificate: set it to a file of the broker's authorities", path)
	}
	return pool
}

func (c Config) sasl() bool { return strings.HasPrefix(c.SecurityProtocol, "SASL_") }
func (c Config) tls() bool  { return strings.HasSuffix(c.SecurityProtocol, "SSL") }

// Sarama returns the library's configuration for the client clientID. What it
// sets beside the connection protects data: nothing creates a topic because
// it was asked for, no offset is committed or reset behind the caller's back.
func (c Config) Sarama(clientID string) *sarama.Config {
	s := sarama.NewConfig()
	s.ClientID = clientID
	s.Version = sarama.V2_8_0_0 // the first with topic ids

	s.Net.DialTimeout = 5 * time.Second
	s.Metadata.AllowAutoTopicCreation = false
	s.Metadata.Full = false // only the topics that are used
	s.Metadata.RefreshFrequency = 30 * time.Second

	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Offsets.AutoCommit.Enable = false
	s.Consumer.Group.ResetInvalidOffsets = false
	s.Consumer.IsolationLevel = sarama.ReadCommitted
	s.Consumer.Return.Errors = true

	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Idempotent = true
	s.Net.MaxOpenRequests = 1 // an idempotent producer of this library needs it
	s.Producer.Return.Successes = true

	if c.tls() {
		s.Net.TLS.Enable = true
		s.Net.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}
	}
	if c.sasl() {
		s.Net.SASL.Enable = true
		s.Net.SASL.Mechanism = sarama.SASLMechanism(c.SASLMechanism)
		s.Net.SASL.User = c.Username
		s.Net.SASL.Password = c.Password.Reveal()
	}
	return s
}
