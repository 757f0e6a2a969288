package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/local/realkafka"
)

// The figures agree against Apache Kafka itself, however the bridge reaches it
// and however its batches travel on. It is skipped where no command that runs
// a broker is named: see package realkafka.
func TestRealKafka_Figures(t *testing.T) {
	for _, transport := range []string{"pubsub", "http"} {
		for _, protocol := range []string{"PLAINTEXT", "SASL_SSL"} {
			t.Run(transport+"/"+protocol, func(t *testing.T) {
				t.Parallel()
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
			t.Parallel()
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

// Proof and repair hold against Apache Kafka: markers and aborted records of
// transactions are told from records, what is gone is named, and a replay by time
// and by offsets puts it back. A canary comes through.
func TestRealKafka_ProofAndRepair(t *testing.T) {
	t.Setenv("KAFKA_GROUP_ID", "proof") // the tools read it, too
	broker := realkafka.Start(t)
	system := up(t, []string{"BRIDGE_LAKE_AGE=1s"}, "--kafka", broker.Address("PLAINTEXT"), "--canary")
	began := time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04")
	sent := goodEvents(t, 2000)
	send(t, producer(t, broker.Address("PLAINTEXT")), sent)
	writer := producer(t, broker.Address("PLAINTEXT"), kgo.TransactionalID("proof"))
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			m := sent[3*i+j]
			if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: m.topic, Key: m.key, Value: m.value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.EndTransaction(context.Background(), end); err != nil {
			t.Fatal(err)
		}
	}
	records := len(sent) + 6
	system.awaitComplete(records)
	if report := system.verify("--values"); !report.Complete {
		t.Errorf("verify says %v", report.Problems)
	}

	system.change("delete from staging_data.train_arrivals where mod(kafka_offset, 3) = 1")
	lost := int64(0)
	for _, f := range system.verify().Problems {
		if f.Kind != ledger.OnlyInLake || f.Topic != "train_arrivals" {
			t.Errorf("verify says %v", f)
		}
		lost += f.Records
	}
	if lost == 0 {
		t.Error("verify misses nothing")
	}
	if said := system.says("replay kafka --dry-run --from " + began); !strings.Contains(said, fmt.Sprintf("%d records would be replayed", records)) {
		t.Errorf("the dry run says %s", said)
	}
	system.says("replay kafka --topic train_arrivals --partition 0 --offsets 0-9")
	system.says("replay kafka --topic train_arrivals --from " + began)
	system.awaitComplete(records)
	eventually(t, "a canary is in staging", func() error {
		n, err := system.count("select count(*) from staging_data.stationflow_canary")
		if err == nil && n == 0 {
			err = fmt.Errorf("none is there")
		}
		return err
	})
	system.stop()
}
