// Package kafka says how Kafka is reached, the same for the bridge and the
// simulator: the KAFKA_ variables become a sarama configuration without the
// library defaults that lose data, and what goes wrong on the way to a broker
// becomes one sentence that names the variable and the remedy.
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
	Brokers          []string         // bootstrap servers, each host:port
	SecurityProtocol string           // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; "" is PLAINTEXT
	SASLMechanism    string           // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; "" without SASL
	Username         string           // the client id with OAUTHBEARER
	Password         env.Secret       // the client secret with OAUTHBEARER
	OAuth            OAuth            // of OAUTHBEARER
	RootCAs          *x509.CertPool   // nil for the system's
	Certificate      *tls.Certificate // the client's own; nil for none
}

// FromEnv reads KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL,
// KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD,
// KAFKA_CA_FILE, KAFKA_CERT_FILE with KAFKA_KEY_FILE, and the KAFKA_OAUTH_
// variables. Its faults are recorded in r; none of them holds a secret.
func FromEnv(r *env.Reader) Config {
	c := Config{
		Brokers:          brokers(r),
		SecurityProtocol: r.OneOf("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
	}
	c.readSASL(r)
	c.readTLS(r)
	return c
}

func brokers(r *env.Reader) []string {
	const name, remedy = "KAFKA_BOOTSTRAP_SERVERS", "set it to host:port of one broker or more, separated by commas"
	list := r.List(name)
	if len(list) == 0 {
		r.Fault(name, "is not set: %s", remedy)
	}
	for _, broker := range list {
		if strings.Contains(broker, "@") {
			r.Fault(name, "holds a user or a password: set it to host:port alone, the user belongs to KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
			continue
		}
		if scheme, address, ok := strings.Cut(broker, "://"); ok {
			r.Fault(name, "names %q: leave out %s:// and write %s, the protocol belongs to KAFKA_SECURITY_PROTOCOL",
				broker, scheme, address)
			continue
		}
		if host, port, err := net.SplitHostPort(broker); err != nil || host == "" || port == "" {
			r.Fault(name, "names %q: %s", broker, remedy)
		}
	}
	return list
}

func (c *Config) readTLS(r *env.Reader) {
	files := map[string]string{}
	for _, name := range []string{"KAFKA_CA_FILE", "KAFKA_CERT_FILE", "KAFKA_KEY_FILE"} {
		files[name] = r.String(name, "")
		if files[name] != "" && !c.tls() {
			r.Fault(name, "is set, but KAFKA_SECURITY_PROTOCOL is %s: set that to SSL or SASL_SSL, or leave the file out", c.SecurityProtocol)
		}
	}
	if path := files["KAFKA_CA_FILE"]; path != "" {
		c.RootCAs = rootCAs(r, path)
	}
	switch cert, key := files["KAFKA_CERT_FILE"], files["KAFKA_KEY_FILE"]; {
	case cert == "" && key == "":
	case key == "":
		r.Fault("KAFKA_KEY_FILE", "is not set: set it to the PEM file of the key of KAFKA_CERT_FILE")
	case cert == "":
		r.Fault("KAFKA_CERT_FILE", "is not set: set it to the PEM file of the certificate of KAFKA_KEY_FILE")
	default:
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			r.Fault("KAFKA_CERT_FILE", "and KAFKA_KEY_FILE cannot be used (%v): set them to PEM files of a certificate and its key", err)
			return
		}
		c.Certificate = &pair
	}
}

func rootCAs(r *env.Reader, path string) *x509.CertPool {
	pem, err := os.ReadFile(path)
	if err != nil {
		r.Fault("KAFKA_CA_FILE", "cannot be read (%v): set it to a file of PEM certificates", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		r.Fault("KAFKA_CA_FILE", "is %s, which holds no PEM certificate: set it to a file of the broker's authorities",
			path)
	}
	return pool
}

func (c Config) sasl() bool { return strings.HasPrefix(c.SecurityProtocol, "SASL_") }
func (c Config) tls() bool  { return strings.HasSuffix(c.SecurityProtocol, "SSL") }

// tlsConfig is for a connection to host.
func (c Config) tlsConfig(host string) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs, ServerName: host}
	if c.Certificate != nil {
		t.Certificates = []tls.Certificate{*c.Certificate}
	}
	return t
}

// Sarama returns the library's configuration for the client clientID. What it
// sets besides the connection protects data: nothing creates a topic because
// it was asked for, no offset is committed or reset behind the caller's back.
// A broker that accepts connections and never answers is given up after
// seconds.
func (c Config) Sarama(clientID string) *sarama.Config {
	s := sarama.NewConfig()
	s.ClientID = clientID
	s.Version = sarama.V2_8_0_0 // the first with topic ids

	s.Net.DialTimeout = 5 * time.Second
	s.Net.ReadTimeout = 10 * time.Second
	s.Net.WriteTimeout = 10 * time.Second
	s.Metadata.Timeout = 15 * time.Second
	s.Metadata.AllowAutoTopicCreation = false
	s.Metadata.Full = false // only the topics that are used
	s.Metadata.RefreshFrequency = 30 * time.Second
	s.Admin.Timeout = 10 * time.Second

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
		s.Net.TLS.Config = c.tlsConfig("") // the library fills in the host
	}
	if c.sasl() {
		c.useSASL(s)
	}
	return s
}
