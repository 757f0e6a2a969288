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
		{"scram", map[string]string{"KAFKA_BOOTSTRAP_SERVERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
			"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p"}, []string{"SCRAM-SHA-256, which is not supported yet"}},
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
