package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// patience is how long a broker may take for each step until its first
// answer.
const patience = 7 * time.Second

// Reach asks the bootstrap servers until one lets this client in, and returns
// nil then. Otherwise it returns a *Fault, a lasting one if there is any,
// within half a minute, or ctx's error.
//
// The library's own errors do not tell a broker that is away from one that
// speaks TLS or asks for a user: all of them end in a closed connection.
func Reach(ctx context.Context, c Config) error {
	asking, done := context.WithCancel(ctx)
	defer done()
	results := make([]error, len(c.Brokers))
	var asked sync.WaitGroup
	for i, address := range c.Brokers {
		asked.Go(func() {
			if results[i] = c.reach(asking, address); results[i] == nil {
				done()
			}
		})
	}
	asked.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var worst error
	for _, err := range results {
		var fault *Fault
		switch {
		case err == nil:
			return nil
		case worst == nil, errors.As(err, &fault) && fault.Lasting:
			worst = err
		}
	}
	return worst
}

// reach takes one server through TCP, TLS, the protocol and the user's rights
// to ask anything, and explains the step that fails.
func (c Config) reach(ctx context.Context, address string) error {
	conn, err := dial(ctx, address, patience)
	if err != nil {
		return unreachable(address, err)
	}
	defer conn.Close()
	if c.tls() {
		secure, err := handshake(ctx, conn, c.tlsConfig(host(address)))
		if err != nil {
			return c.insecure(ctx, address, err)
		}
		conn = secure
	}
	if err := askVersions(conn); err != nil {
		return c.mute(ctx, address, err)
	}
	return c.admitted(ctx, address)
}

// insecure explains a failed TLS handshake.
func (c Config) insecure(ctx context.Context, address string, err error) error {
	if fault := c.untrusted(address, err); fault != nil {
		return fault
	}
	if fault := c.alerted(address, err); fault != nil {
		return fault
	}
	if plain, e := dial(ctx, address, patience); e == nil {
		defer plain.Close()
		if askVersions(plain) == nil {
			return lasting(err, "Kafka at %s speaks no TLS: set KAFKA_SECURITY_PROTOCOL to %s, or KAFKA_BOOTSTRAP_SERVERS to its TLS port", address, c.without("TLS"))
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return passing(err, "the server at %s does not finish a TLS handshake within %v: wait if the broker is starting or busy, or correct KAFKA_BOOTSTRAP_SERVERS or KAFKA_SECURITY_PROTOCOL", address, patience)
	}
	return passing(err, "the server at %s does not speak TLS (%v): correct KAFKA_BOOTSTRAP_SERVERS or KAFKA_SECURITY_PROTOCOL", address, innermost(err))
}

// mute explains a server that does not answer Kafka's first question.
func (c Config) mute(ctx context.Context, address string, err error) error {
	if c.tls() {
		if fault := c.alerted(address, err); fault != nil {
			return fault
		}
	} else if conn, e := dial(ctx, address, patience); e == nil {
		defer conn.Close()
		if _, e := handshake(ctx, conn, &tls.Config{InsecureSkipVerify: true}); e == nil || asksForCertificate(e) { // to hear whether it speaks TLS; nothing is sent
			protocol := "SSL"
			if c.sasl() {
				protocol = "SASL_SSL"
			}
			return lasting(err, "Kafka at %s speaks TLS: set KAFKA_SECURITY_PROTOCOL to %s, or KAFKA_BOOTSTRAP_SERVERS to its port without TLS", address, protocol)
		}
	}
	return passing(err, "the server at %s does not answer as Kafka does (%v): correct KAFKA_BOOTSTRAP_SERVERS, or wait if the broker is starting", address, innermost(err))
}

func asksForCertificate(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}

// admitted authenticates and asks a first question.
func (c Config) admitted(ctx context.Context, address string) error {
	settings := c.Sarama("stationflow-probe")
	settings.Net.ReadTimeout, settings.Net.WriteTimeout = patience, patience
	settings.Net.DialTimeout = patience
	c.endWith(ctx, settings)
	broker := sarama.NewBroker(address)
	if err := broker.Open(settings); err != nil {
		return fmt.Errorf("connecting to Kafka at %s: %w", address, err)
	}
	defer broker.Close() // it is only read from
	_, err := broker.Connected()
	if err == nil {
		// A topic that cannot exist: the answer is short.
		_, err = broker.GetMetadata(sarama.NewMetadataRequest(settings.Version, []string{"."}))
	}
	switch fault := c.unauthenticated(address, err); {
	case err == nil:
		return nil
	case fault != nil:
		return fault
	case errors.Is(err, io.EOF) && !c.sasl(): // or a broker that is ending, which looks the same
		return passing(err, "Kafka at %s hangs up, as one does that asks for a user: set KAFKA_SECURITY_PROTOCOL to SASL_%s with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or KAFKA_BOOTSTRAP_SERVERS to the port that asks for none", address, c.without("SASL_"))
	case errors.Is(err, io.EOF): // brokers since Kafka 1.0 answer a wrong password; this may be a proxy, or a broker that is ending
		return passing(err, "Kafka at %s hangs up while it checks the user: correct KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD or KAFKA_SASL_MECHANISM", address)
	default:
		return passing(err, "Kafka at %s answers, but does not let this client in (%v): look at the broker's log, and at the KAFKA_ variables", address, innermost(err))
	}
}

func host(address string) string {
	name, _, _ := net.SplitHostPort(address)
	return name
}

func handshake(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	secure := tls.Client(conn, config)
	return secure, secure.HandshakeContext(ctx)
}

// askVersions sends Kafka's ApiVersions request, which every broker answers
// before it knows the client, and returns nil if the answer can be Kafka's
// (https://kafka.apache.org/protocol#The_Messages_ApiVersions).
func askVersions(conn net.Conn) error {
	const correlation = 0x73746174
	request := binary.BigEndian.AppendUint32(nil, 10)             // bytes that follow
	request = append(request, 0, 18, 0, 0)                        // ApiVersions, version 0
	request = binary.BigEndian.AppendUint32(request, correlation) // comes back
	request = append(request, 0xff, 0xff)                         // no client id
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var header [8]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(header[4:]) != correlation {
		return errors.New("the answer is not Kafka's")
	}
	return nil
}
