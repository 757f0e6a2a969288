package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/ledger"
)

// reported is a report of two partitions, of which the second is of a topic that
// was deleted.
func reported(first, second ledger.Account) *ledger.Report {
	first.Place = ledger.Place{Topic: "train_departures", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Partition: 4}
	first.InKafka, first.Next = true, first.Staging
	second.Place = ledger.Place{Topic: "equipment_failures", TopicID: "1a9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Partition: 5}
	second.Next = second.Staging
	return &ledger.Report{Complete: true, Partitions: []ledger.Account{first, second}}
}

// At a terminal the table is no wider than that, and shows every count that is
// not 0; elsewhere it is whole.
func TestVerify_FitsTheTerminal(t *testing.T) {
	quiet := reported(ledger.Account{Staging: 1_234_567, Lake: 1_234_567}, ledger.Account{Staging: 42, Quarantine: 3, Lake: 45})
	loud := reported(ledger.Account{Staging: 12_345_678, Quarantine: 23_456_781, Lake: 34_567_812, DeadLetters: 45, InFlight: 56_789_123, Waiting: 67_891_234, Missing: 78_912_345},
		ledger.Account{Staging: 12_345, Quarantine: 1, Lake: 2, DeadLetters: 3, InFlight: 4, Waiting: 5, Missing: 6})
	for _, c := range []struct {
		name   string
		report *ledger.Report
		width  int
		want   string // the first lines
	}{
		{"in a pipe", quiet, 0, `
                TOPIC/PARTITION    OFFSETS  STAGING  QUARANTINE     LAKE  DEAD LETTERS  IN FLIGHT  WAITING  MISSING
             train_departures/4  0-1234566  1234567           0  1234567             0          0        0        0
`},
		{"at a wide terminal", quiet, 132, `
                TOPIC/PARTITION    OFFSETS  STAGING  QUARANTINE     LAKE  DEAD LETTERS  IN FLIGHT  WAITING  MISSING
`},
		{"at a terminal", quiet, 80, `
                TOPIC/PARTITION    OFFSETS  STAGING  QUARANTINE     LAKE
             train_departures/4  0-1234566  1234567           0  1234567
equipment_failures/5 (1a9b3c52)       0-41       42           3       45
                            all             1234609           3  1234612
0 everywhere: dead letters, in flight, waiting, missing
`},
		{"with everything", loud, 80, `
TOPIC/PARTITION  OFFSETS
   STAGING  QUARANTINE      LAKE  DEAD LETTERS  IN FLIGHT   WAITING   MISSING
train_departures/4  0-12345677
  12345678    23456781  34567812            45   56789123  67891234  78912345
`},
	} {
		var out strings.Builder
		if err := printLedger(c.report, &out, c.width); err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimPrefix(c.want, "\n"), "\n")
		var lines []string
		for i, line := range strings.Split(out.String(), "\n") {
			if line = strings.TrimRight(line, " "); i < len(want)-1 {
				lines = append(lines, strings.TrimSpace(line))
			}
			if table, _, _ := strings.Cut(out.String(), "\n\n"); c.width > 0 && strings.Contains(table, line) && len(line) > c.width {
				t.Errorf("%s: %d columns: %s", c.name, len(line), line)
			}
		}
		for i := range want {
			want[i] = strings.TrimSpace(want[i])
		}
		if diff := cmp.Diff(want[:len(want)-1], lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", c.name, diff, out.String())
		}
		for _, a := range c.report.Partitions {
			if !strings.Contains(out.String(), fmt.Sprint(a.Staging)) {
				t.Errorf("%s: %v is missing", c.name, a.Staging)
			}
		}
	}
}
