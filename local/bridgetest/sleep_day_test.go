package bridgetest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/simulator"
)

// A day of the stations' traffic by a clock of its own, with a check each minute:
// the bridge is up from the first train until 15 minutes after the last, and for
// its daily run, and sleeps all night; a record waits for a minute at most until
// the check wakes the bridge; and every record is published.
func TestSleepLong_ADayOfStations(t *testing.T) {
	cluster := newCluster(t)
	c := config(cluster)
	c.CommitInterval = 10 * time.Millisecond
	c.Start = bridge.Start{Latest: true}
	s := newSleeper(t, cluster, c, newRecorder(nil), nil)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)

	s.check(t, 1)
	s.settle(t)
	begin := noon.Truncate(24 * time.Hour)
	network := simulator.New(simulator.Config{Seed: 7, Start: begin})
	random := rand.New(rand.NewPCG(1, 2))
	var coming []time.Time // of the records of the step that is played
	var last time.Time     // of the last record
	sent, minutesUp := 0, 0
	for now := begin.Add(time.Minute); now.Before(begin.Add(24 * time.Hour)); now = now.Add(time.Minute) {
		for len(coming) == 0 && network.Now().Before(now) {
			for _, e := range network.Step() {
				coming = append(coming, e.Time)
			}
		}
		var records []*kgo.Record
		for len(coming) > 0 && coming[0].Before(now) {
			records = append(records, recordAt(random.Int32N(6), coming[0]))
			last, coming = coming[0], coming[1:]
		}
		if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		sent += len(records)
		s.at(now)
		up := int64(0)
		if !last.IsZero() && now.Sub(last) <= 15*time.Minute || now.Sub(begin) < 10*time.Minute {
			up = 1
		}
		s.check(t, up)
		minutesUp += int(up)
		s.settle(t)
	}
	s.transport.wait(t, sent)
	if got := s.started.Load(); got != 2 {
		t.Errorf("%d instances were started, want one for the daily run and one for the day", got)
	}
	t.Logf("%d records; the bridge was up for %d of 1,440 minutes", sent, minutesUp)
}

// Bursts that are far apart: each wakes the bridge, and between them it sleeps.
func TestSleep_Bursts(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s := newSleeper(t, cluster, config(cluster), newRecorder(nil), nil)
	s.check(t, 1)
	s.settle(t)
	sent := 0
	for burst := range 4 {
		s.after(2 * time.Hour)
		s.check(t, 0)
		s.settle(t)
		var records []*kgo.Record
		for i := range 1000 {
			records = append(records, recordAt(int32(i%6), s.clock()))
		}
		produceRecords(t, cluster, records...)
		sent += len(records)
		s.after(time.Minute)
		s.check(t, 1)
		s.transport.wait(t, sent)
		s.settle(t)
		if got := s.started.Load(); got != int64(burst+2) {
			t.Errorf("%d instances were started by burst %d", got, burst)
		}
	}
	for p := range int32(6) {
		s.transport.check(t, cluster, topic, p, 0, cluster.PartitionInfo(topic, p).HighWatermark)
	}
}
