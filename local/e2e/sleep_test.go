package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/local/dashboard"
)

// check has the function look whether the bridge shall run, and returns how many
// instances there are from then on.
func (l *local) check() (instances int, err error) {
	response, err := http.Post(l.Functions+"/scale", "application/json", nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("POST /scale answered %s: %s (%v)", response.Status, body, err)
	}
	var result struct{ Instances *int }
	if err := json.Unmarshal(body, &result); err != nil || result.Instances == nil {
		return 0, fmt.Errorf("POST /scale answered %s (%v)", body, err)
	}
	return *result.Instances, nil
}

// fallAsleep has it looked until the bridge is stopped.
func (l *local) fallAsleep() {
	l.t.Helper()
	eventually(l.t, "the bridge is stopped", func() error {
		switch instances, err := l.check(); {
		case err != nil:
			return err
		case instances > 0:
			return fmt.Errorf("there are %d instances", instances)
		}
		return nil
	})
	l.awaitStatus("the page says that the bridge is asleep", func(s dashboard.Status) bool {
		bridge := s.Hops[1]
		return bridge.State == dashboard.Idle && strings.HasPrefix(bridge.Note, "Asleep since ") &&
			strings.HasSuffix(bridge.Note, ", wakes when a record comes.")
	})
}

// With --idle stop the bridge ends while nothing comes, wakes for a record, and
// what came meanwhile arrives, each time.
func TestSleep(t *testing.T) {
	t.Parallel()
	system := up(t, []string{"SCALE_IDLE_AFTER=1s", "SCALE_DAILY_RUN=0s"}, "--idle", "stop")
	client := producer(t, system.Kafka)
	sent, reasons := mix(t, goodEvents(t, 40), 0)
	for i, part := range [][]message{sent[:20], sent[20:]} {
		system.fallAsleep()
		send(t, client, part)
		if instances, err := system.check(); err != nil || instances != 1 {
			t.Fatalf("records wait, and the check answers %d instances (%v)", instances, err)
		}
		system.awaitRecords(20 * (i + 1))
	}
	system.checkLedger(len(sent))
	system.checkStaging(sent, reasons)
	system.fallAsleep()
	system.stop()
}
