package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stationflow/stationflow/local/realkafka"
)

// The figures agree against Apache Kafka itself, however the bridge reaches it
// and however its batches travel on. It is skipped where no command that runs
// a broker is named: see package realkafka.
func TestRealKafka_Figures(t *testing.T) {
	for _, transport := range []string{"pubsub", "http"} {
		for _, protocol := range []string{"PLAINTEXT", "SASL_SSL"} {
			t.Run(transport+"/"+protocol, func(t *testing.T) {
				system, broker := upWithKafka(t, protocol, transport)
				system.checkFigures(producer(t, broker.Address("PLAINTEXT")))
				system.stop()
			})
		}
	}
}

// upWithKafka starts the local system on a broker of its own.
func upWithKafka(t *testing.T, protocol, transport string) (*local, *realkafka.Broker) {
	t.Helper()
	broker := realkafka.Start(t)
	var environment []string
	for name, value := range broker.Environment(protocol) {
		environment = append(environment, name+"="+value)
	}
	return up(t, environment, "--kafka", broker.Address(protocol), "--transport", transport), broker
}

// A broker that is killed and started again under load costs nothing but
// time: every record that it had acknowledged arrives, once after dedup.
func TestRealKafka_KilledBroker(t *testing.T) {
	for _, transport := range []string{"pubsub", "http"} {
		t.Run(transport, func(t *testing.T) {
			system, broker := upWithKafka(t, "SASL_SSL", transport)
			client := producer(t, broker.Address("PLAINTEXT"))
			sent := goodEvents(t, 12_000)
			const kills = 3
			for k := range kills {
				part := sent[k*len(sent)/kills : (k+1)*len(sent)/kills]
				before := system.appendedRows()
				send(t, client, part[:len(part)/2])
				var sending sync.WaitGroup
				sending.Go(func() { send(t, client, part[len(part)/2:]) })
				eventually(t, "rows of this part arrive", func() error {
					if now := system.appendedRows(); now < before+len(part)/10 {
						return fmt.Errorf("%d rows, %d before", now, before)
					}
					return nil
				})
				broker.Kill()
				broker.Restart(t)
				sending.Wait()
			}
			system.awaitRecords(len(sent))
			system.checkStaging(sent, nil)
			system.checkLedger(len(sent))
			system.stop()
		})
	}
}
