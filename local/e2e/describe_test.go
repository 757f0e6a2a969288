package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stationflow/stationflow/local/realkafka"
)

// Java's Admin, and with it Kafka's own consoles, describes the topics of the
// broker in process.
func TestRealKafka_AdminDescribesTheLocalBroker(t *testing.T) {
	command := os.Getenv(realkafka.Variable)
	if command == "" {
		t.Skipf("set %s to scripts/kafka.sh, which has Kafka's Java clients", realkafka.Variable)
	}
	system := up(t, nil)
	answer, err := exec.CommandContext(t.Context(), command, "--java", "testdata/Describe.java", system.Kafka, "incidents", "passenger_flow").Output()
	if err != nil {
		if failed, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v\n%s", err, failed.Stderr)
		}
		t.Fatal(err)
	}
	if want := "incidents 6\npassenger_flow 6\n"; string(answer) != want {
		t.Errorf("Admin described %q, want %q", answer, want)
	}
	system.stop()
}
