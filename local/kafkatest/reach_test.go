// Package kafkatest tests how Kafka is reached against brokers in process:
// every way to authenticate, and what a person is told when it fails.
package kafkatest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
)

const (
	user     = "alice"
	password = "alice-secret"
)

func newCluster(t *testing.T, options ...kfake.Opt) string {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "incidents")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

// config reads the variables, of which address is the bootstrap server.
func config(t *testing.T, address string, variables ...string) kafka.Config {
	t.Helper()
	values := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": address}
	for i := 0; i < len(variables); i += 2 {
		values[variables[i]] = variables[i+1]
	}
	r := env.NewReader(func(name string) string { return values[name] })
	c := kafka.FromEnv(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

// identify asks the brokers over the connection that bridge and simulator
// use.
func identify(c kafka.Config) error {
	client, err := sarama.NewClient(c.Brokers, c.Sarama("test"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.RefreshMetadata("incidents"); err != nil {
		return err
	}
	identity, err := kafka.Identify(client.LeastLoadedBroker(), client.Config().Version, []string{"incidents"})
	return errors.Join(err, identity.Err())
}

// Each way to authenticate lets the client in with the right secret and
// refuses it with a wrong one.
func TestReach_EveryProtocol(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.sign(t, "127.0.0.1", time.Now().Add(time.Hour))
	secure := kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}})
	tests := []struct {
		protocol, mechanism string
	}{
		{"PLAINTEXT", ""}, {"SSL", ""},
		{"SASL_PLAINTEXT", "PLAIN"}, {"SASL_SSL", "PLAIN"},
		{"SASL_PLAINTEXT", "SCRAM-SHA-256"}, {"SASL_SSL", "SCRAM-SHA-256"},
		{"SASL_PLAINTEXT", "SCRAM-SHA-512"}, {"SASL_SSL", "scram-sha-512"},
	}
	for _, test := range tests {
		t.Run(test.protocol+" "+test.mechanism, func(t *testing.T) {
			t.Parallel()
			var options []kfake.Opt
			variables := []string{"KAFKA_SECURITY_PROTOCOL", test.protocol}
			if strings.HasSuffix(test.protocol, "SSL") {
				options = append(options, secure)
				variables = append(variables, "KAFKA_CA_FILE", ca.file)
			}
			if test.mechanism != "" {
				options = append(options, kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(test.mechanism), user, password))
				variables = append(variables, "KAFKA_SASL_MECHANISM", test.mechanism, "KAFKA_SASL_USERNAME", user, "KAFKA_SASL_PASSWORD", password)
			}
			c := config(t, newCluster(t, options...), variables...)
			if err := kafka.Reach(context.Background(), c); err != nil {
				t.Error(err)
			}
			if err := identify(c); err != nil {
				t.Error(err)
			}
			if test.mechanism == "" {
				return
			}
			c.Password = "hunter2"
			// This broker hangs up; local/realkafka sees what Kafka answers.
			want(t, kafka.Reach(context.Background(), c), false, "hangs up while it checks the user", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
			if err := identify(c); err == nil {
				t.Error("a wrong password is accepted")
			}
		})
	}
}

// want checks the one sentence of a fault.
func want(t *testing.T, err error, lasting bool, parts ...string) {
	t.Helper()
	var fault *kafka.Fault
	if !errors.As(err, &fault) {
		t.Errorf("got %v (%T), want a fault with %q", err, err, parts)
		return
	}
	if fault.Lasting != lasting {
		t.Errorf("%q is lasting: %v", err, fault.Lasting)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\t") || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), password) {
		t.Errorf("%q is not one sentence without a secret", err)
	}
}

// What a person does wrong is told apart, though to a client most of it looks
// like a closed connection.
func TestReach_Mistakes(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	valid, _, _ := ca.sign(t, "127.0.0.1", time.Now().Add(time.Hour))
	elsewhere, _, _ := ca.sign(t, "kafka.example.org", time.Now().Add(time.Hour))
	expired, _, _ := ca.sign(t, "127.0.0.1", time.Now().Add(-time.Hour))
	_, clientCert, clientKey := ca.sign(t, "bridge", time.Now().Add(time.Hour))
	_, strangerCert, strangerKey := other.sign(t, "bridge", time.Now().Add(time.Hour))

	secure := func(pair tls.Certificate) kfake.Opt {
		return kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}})
	}
	mutual := newCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{valid}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()}))
	plain, encrypted := newCluster(t), newCluster(t, secure(valid))
	sasl := newCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", user, password))
	saslTLS := newCluster(t, secure(valid), kfake.EnableSASL(), kfake.Superuser("PLAIN", user, password))
	credentials := []string{"KAFKA_SASL_USERNAME", user, "KAFKA_SASL_PASSWORD", password}

	tests := []struct {
		name      string
		address   string
		variables []string
		lasting   bool
		want      []string // none: it is let in
	}{
		{"nobody listens", unused(t), nil, false,
			[]string{"no Kafka broker can be reached at 127.0.0.1:", "connection refused", "start one, or correct KAFKA_BOOTSTRAP_SERVERS"}},
		{"no such host", "kafka.invalid:9092", nil, false, []string{"kafka.invalid:9092", "KAFKA_BOOTSTRAP_SERVERS"}},
		{"another service", httpLike(t), nil, false, []string{"does not answer as Kafka does", "KAFKA_BOOTSTRAP_SERVERS"}},
		{"another service, TLS", httpLike(t), []string{"KAFKA_SECURITY_PROTOCOL", "SSL"}, false, []string{"does not speak TLS", "KAFKA_BOOTSTRAP_SERVERS"}},
		{"TLS to a plaintext port", plain, []string{"KAFKA_SECURITY_PROTOCOL", "SSL"}, true,
			[]string{"speaks no TLS: set KAFKA_SECURITY_PROTOCOL to PLAINTEXT,"}},
		{"TLS and SASL to a SASL plaintext port", sasl, append(credentials, "KAFKA_SECURITY_PROTOCOL", "SASL_SSL"), true,
			[]string{"speaks no TLS: set KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT,"}},
		{"plaintext to a TLS port", encrypted, nil, true, []string{"speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL,"}},
		{"plaintext with SASL to a TLS port", saslTLS, append(credentials, "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"), true,
			[]string{"speaks TLS: set KAFKA_SECURITY_PROTOCOL to SASL_SSL,"}},
		{"plaintext to a port of mutual TLS", mutual, nil, true, []string{"speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL,"}},
		{"unknown authority", encrypted, []string{"KAFKA_SECURITY_PROTOCOL", "SSL"}, true,
			[]string{"signed by an authority that this machine does not know: set KAFKA_CA_FILE"}},
		{"wrong authority", encrypted, []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", other.file}, true,
			[]string{"not signed by an authority in KAFKA_CA_FILE"}},
		{"another host's certificate", newCluster(t, secure(elsewhere)), []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", ca.file}, true,
			[]string{"is for another host", "KAFKA_BOOTSTRAP_SERVERS"}},
		{"expired certificate", newCluster(t, secure(expired)), []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", ca.file}, false,
			[]string{"is not valid", "expired"}},
		{"no user", sasl, nil, false, []string{"asks for a user: set KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT with KAFKA_SASL_USERNAME"}},
		{"no user, TLS", saslTLS, []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", ca.file}, false,
			[]string{"asks for a user: set KAFKA_SECURITY_PROTOCOL to SASL_SSL with"}},
		{"another mechanism", sasl, append(credentials, "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"), false,
			[]string{"KAFKA_SASL_MECHANISM"}},
		{"no client certificate", mutual, []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", ca.file}, true,
			[]string{"ends the TLS connection", "KAFKA_CERT_FILE"}},
		{"a stranger's client certificate", mutual, []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", ca.file,
			"KAFKA_CERT_FILE", strangerCert, "KAFKA_KEY_FILE", strangerKey}, true, []string{"may not accept the certificate in KAFKA_CERT_FILE"}},
		{"client certificate", mutual, []string{"KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_CA_FILE", ca.file,
			"KAFKA_CERT_FILE", clientCert, "KAFKA_KEY_FILE", clientKey}, false, nil},
		{"one of two is away", unused(t) + "," + plain, nil, false, nil},
		{"one is away, the other refuses", unused(t) + "," + encrypted, nil, true, []string{"speaks TLS"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := kafka.Reach(context.Background(), config(t, test.address, test.variables...))
			if test.want != nil {
				want(t, err, test.lasting, test.want...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that accepts connections and never answers does not hold anyone:
// not the start of the simulator, and not the end of the bridge.
func TestReach_SilentServer(t *testing.T) {
	t.Parallel()
	address := silent(t)
	for _, protocol := range []string{"PLAINTEXT", "SSL"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			c := config(t, address, "KAFKA_SECURITY_PROTOCOL", protocol)
			want(t, kafka.CreateTopics(t.Context(), c, []string{"incidents"}, 6), false, address, "KAFKA_BOOTSTRAP_SERVERS")
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := kafka.Reach(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's end", err)
			}
		})
	}
}

// No right to create: the sentence names the topic.
func TestCreateTopics_WithoutTheRight(t *testing.T) {
	t.Parallel()
	address := newCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", user, password))
	c := config(t, address, "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "KAFKA_SASL_USERNAME", user, "KAFKA_SASL_PASSWORD", password)
	want(t, kafka.CreateTopics(t.Context(), c, []string{"passenger_flow"}, 6), false, "no right to create topic passenger_flow", "KAFKA_SASL_USERNAME")
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	defer listener.Close()
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// httpLike answers whatever comes with a line of text, and hangs up.
func httpLike(t *testing.T) string {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_ = conn.Close()
	})
}

// silent accepts and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	return serve(t, func(net.Conn) {})
}

func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
			handle(conn)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}
