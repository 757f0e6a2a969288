package e2e

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// A bridge that is killed again and again at load loses nothing and doubles
// nothing: the next one goes on from the last commit.
func TestKilledBridge(t *testing.T) {
	system := up(t, nil, "--without", "bridge")
	environment := system.environment("BRIDGE_ADDR=" + freeAddress(t))
	system.survives(t, func() *process { return start(t, environment, "bridge") })
}

// A function that is killed in mid-call loses nothing and doubles nothing:
// what it had not acknowledged is delivered again.
func TestKilledFunction(t *testing.T) {
	address := freeAddress(t)
	system := up(t, nil, "--without", "functions", "--functions", "http://"+address)
	host, port, _ := net.SplitHostPort(address)
	environment := system.environment("PORT="+port, "FUNCTION_HOST="+host)
	system.survives(t, func() *process { return start(t, environment, "functions") })
}

// survives sends events while the program is killed and started again, and
// checks that each is in staging once.
func (l *local) survives(t *testing.T, run func() *process) {
	t.Helper()
	const kills = 4
	sent := goodEvents(t, 12_000)
	client := producer(t, l.Kafka)
	p := run()
	var sending sync.WaitGroup
	for k := range kills {
		part := sent[k*len(sent)/kills : (k+1)*len(sent)/kills]
		before := l.appendedRows()
		sending.Go(func() { send(t, client, part) })
		eventually(t, "rows of this part arrive", func() error {
			if now := l.appendedRows(); now < before+len(part)/10 {
				return fmt.Errorf("%d rows, %d before", now, before)
			}
			return nil
		})
		p.kill()
		sending.Wait()
		p = run()
	}
	l.awaitRecords(len(sent))
	l.checkStaging(sent, nil)
	l.checkLedger(len(sent))
	p.stop()
	l.stop()
}
