package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"github.com/stationflow/stationflow/internal/env"
)

func read(t *testing.T, variables map[string]string) (Config, error) {
	t.Helper()
	r := env.NewReader(func(name string) string { return variables[name] })
	c := FromEnv(r)
	return c, r.Err()
}

// sasl is a configuration without fault.
func sasl(mechanism string) map[string]string {
	return map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": mechanism,
		"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "hunter2"}
}

func with(variables map[string]string, more ...string) map[string]string {
	for i := 0; i < len(more); i += 2 {
		variables[more[i]] = more[i+1]
	}
	return variables
}

func TestFromEnv_ReportsEveryFaultWithItsRemedy(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		variables map[string]string
		want      []string // parts of the error, "" for none
	}{
		{"the least", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:9092, b:9092"}, nil},
		{"nothing", nil, []string{"KAFKA_BOOTSTRAP_SERVERS is not set"}},
		{"no port", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a"}, []string{`KAFKA_BOOTSTRAP_SERVERS names "a"`}},
		{"unknown protocol", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "TLS"},
			[]string{`KAFKA_SECURITY_PROTOCOL is "TLS"`, "SASL_SSL"}},
		{"everything at once", map[string]string{"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "GSSAPI", "KAFKA_CA_FILE": "/no/such"},
			[]string{"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_CA_FILE"}},
		{"scram", sasl("SCRAM-SHA-256"), nil},
		{"a password that scram cannot carry", with(sasl("SCRAM-SHA-512"), "KAFKA_SASL_PASSWORD", "hunter2\u00a0\u0007"), []string{"KAFKA_SASL_PASSWORD holds characters that SCRAM does not allow"}},
		{"oauth", with(sasl("OAUTHBEARER"), "KAFKA_OAUTH_TOKEN_URL", "https://idp.example.org/token", "KAFKA_OAUTH_EXTENSIONS", "logicalCluster=lkc-1,identityPoolId=pool-1"), nil},
		{"oauth without an endpoint", sasl("OAUTHBEARER"), []string{"KAFKA_OAUTH_TOKEN_URL is not set"}},
		{"oauth in the clear", with(sasl("OAUTHBEARER"), "KAFKA_OAUTH_TOKEN_URL", "http://idp.example.org/token", "KAFKA_OAUTH_EXTENSIONS", "auth=x"),
			[]string{"KAFKA_OAUTH_TOKEN_URL is not the address of a token endpoint", "KAFKA_OAUTH_EXTENSIONS cannot be read"}},
		{"a scheme", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "SASL_SSL://pkc-1.confluent.cloud:9092"}, []string{"leave out SASL_SSL:// and write pkc-1.confluent.cloud:9092"}},
		{"a user in the address", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "u:hunter2@a:1"}, []string{"KAFKA_BOOTSTRAP_SERVERS holds a user"}},
		{"a user without SASL", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "hunter2"},
			[]string{"KAFKA_SASL_USERNAME is set, but KAFKA_SECURITY_PROTOCOL is PLAINTEXT", "KAFKA_SASL_PASSWORD is set"}},
		{"a certificate without its key", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": empty},
			[]string{"KAFKA_KEY_FILE is not set"}},
		{"a key without its certificate", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_KEY_FILE": empty},
			[]string{"KAFKA_CERT_FILE is not set"}},
		{"neither certificate nor key", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": empty, "KAFKA_KEY_FILE": empty},
			[]string{"KAFKA_CERT_FILE and KAFKA_KEY_FILE cannot be used"}},
		{"no certificate", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": empty},
			[]string{"holds no PEM certificate"}},
		{"a file without TLS", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_CA_FILE": empty}, []string{"KAFKA_SECURITY_PROTOCOL is PLAINTEXT"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(t, test.variables)
			if (err == nil) != (len(test.want) == 0) {
				t.Fatalf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q tells the password", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestFromEnv_NeverPrintsThePassword(t *testing.T) {
	c, err := read(t, map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
		"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints it: %s", verb, text)
		}
	}
	if s := c.Sarama("x"); s.Net.SASL.Password != "hunter2" || !s.Net.SASL.Enable || !s.Net.TLS.Enable {
		t.Error("the connection does not use it")
	}
}

// Each of these defaults of the library loses or makes up data.
func TestSarama_OverridesDefaultsThatLoseData(t *testing.T) {
	s := Config{Brokers: []string{"a:1"}}.Sarama("x")
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	for fault, found := range map[string]bool{
		"starts at the newest record":             s.Consumer.Offsets.Initial != sarama.OffsetOldest,
		"commits what was not published":          s.Consumer.Offsets.AutoCommit.Enable,
		"jumps when an offset is out of range":    s.Consumer.Group.ResetInvalidOffsets,
		"creates topics by asking for them":       s.Metadata.AllowAutoTopicCreation,
		"hides errors":                            !s.Consumer.Return.Errors,
		"reads aborted transactions":              s.Consumer.IsolationLevel != sarama.ReadCommitted,
		"skips records larger than a fetch limit": s.Consumer.Fetch.Max != 0,
		"knows no topic ids":                      !s.Version.IsAtLeast(sarama.V2_8_0_0),
		"acknowledges before replicas have it":    s.Producer.RequiredAcks != sarama.WaitForAll,
	} {
		if found {
			t.Error("the configuration", fault)
		}
	}
}

// Whatever the variables hold, reading them does not crash, names one of them
// for each fault, and never tells the password.
func FuzzFromEnv(f *testing.F) {
	f.Add("a:9092,b:9092", "SASL_SSL", "SCRAM-SHA-256", "user", "", "", "")
	f.Add("SASL_SSL://a:9092", "SASL_PLAINTEXT", "OAUTHBEARER", "user", "\u00a0", "https://idp/token?x=1", "logicalCluster=lkc-1,identityPoolId=p")
	f.Add("a@b:c", "SSL", "", "", "\x00\xff", "http://[::1", "=,auth=1")
	f.Add("", "PLAINTEXT", "GSSAPI", "u", "%s%n", ":", "a=\n")
	f.Fuzz(func(t *testing.T, servers, protocol, mechanism, user, password, tokenURL, extensions string) {
		// The marks make the secret recognisable wherever it might show up.
		secret := "hunter2" + password + "hunter2"
		values := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": servers, "KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_SASL_MECHANISM": mechanism,
			"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": secret, "KAFKA_OAUTH_TOKEN_URL": tokenURL, "KAFKA_OAUTH_EXTENSIONS": extensions}
		for name, value := range values {
			if name != "KAFKA_SASL_PASSWORD" && strings.Contains(value, "hunter2") {
				t.Skip("the secret is in another variable")
			}
		}
		r := env.NewReader(func(name string) string { return values[name] })
		c := FromEnv(r)
		if err := r.Err(); err != nil {
			if !strings.HasPrefix(err.Error(), "KAFKA_") {
				t.Errorf("%q does not begin with a variable", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q tells the password", err)
			}
			return
		}
		if err := c.Sarama("fuzz").Validate(); err != nil {
			t.Errorf("the library refuses what was accepted: %v", err)
		}
		if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "hunter2") {
			t.Errorf("%s tells the password", text)
		}
	})
}
