package e2e

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// A bridge that is killed again and again, with batches on their way to
// Pub/Sub, loses nothing and doubles nothing: the next one goes on from the
// last commit.
func TestKilledBridge(t *testing.T) {
	t.Parallel()
	system := up(t, nil, "--without", "bridge")
	way := newValve(t, system.PubSub)
	environment := system.environment("BRIDGE_ADDR="+freeAddress(t), "BRIDGE_COMMIT_INTERVAL=10ms", "PUBSUB_EMULATOR_HOST="+way.address())
	system.survives(t, way, func() *process { return start(t, environment, "bridge") })
}

// A function that is killed in mid-call, with rows on their way to BigQuery,
// loses nothing and doubles nothing: what it had not acknowledged is
// delivered again.
func TestKilledFunction(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	system := up(t, nil, "--without", "functions", "--functions", "http://"+address)
	way := newValve(t, system.BigQueryGRPC)
	host, port, _ := net.SplitHostPort(address)
	environment := system.environment("PORT="+port, "FUNCTION_HOST="+host, "BIGQUERY_STORAGE_EMULATOR_HOST="+way.address())
	system.survives(t, way, func() *process { return start(t, environment, "functions") })
}

// survives sends events while the program is killed and started again, each
// time with something of it held on its way, and checks that each event is in
// staging once.
func (l *local) survives(t *testing.T, way *valve, run func() *process) {
	t.Helper()
	const kills = 4
	sent := goodEvents(t, 12_000)
	client := producer(t, l.Kafka)
	p := run()
	var sending sync.WaitGroup
	for k := range kills {
		part := sent[k*len(sent)/kills : (k+1)*len(sent)/kills]
		before := l.appendedRows()
		sending.Go(func() { send(t, client, part[:len(part)/2]) })
		eventually(t, "rows of this part arrive", func() error {
			if now := l.appendedRows(); now < before+len(part)/10 {
				return fmt.Errorf("%d rows, %d before", now, before)
			}
			return nil
		})
		way.shut()
		sending.Go(func() { send(t, client, part[len(part)/2:]) })
		eventually(t, "something is held on its way", func() error {
			if way.heldBytes() < 1000 {
				return errors.New("nothing is")
			}
			return nil
		})
		time.Sleep(300 * time.Millisecond) // for a wrong program to commit or acknowledge what is held
		p.kill()
		way.open()
		sending.Wait()
		p = run()
	}
	l.awaitRecords(len(sent))
	l.checkStaging(sent, nil)
	l.checkLedger(len(sent))
	p.stop()
	l.stop()
}
