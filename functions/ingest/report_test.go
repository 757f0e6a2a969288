package ingest

import (
	"bytes"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/cloudlog"
	"github.com/stationflow/stationflow/terraform"
)

// What is kept of the log of batches that were taken is less than a GiB a month
// at 100 records a second, however bad the records are.
func TestReport_LogsLittle(t *testing.T) {
	const (
		rate      = 100.0
		age       = 0.8 // of a batch of rows, in seconds
		month     = 30 * 24 * 3600
		partition = 36 / 6 // of each topic
	)
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		t.Fatal(err)
	}
	topics := float64(len(event.Topics()))
	perTopic := rate / topics
	perSecond := topics * (perTopic/(1+perTopic*age) + 1.0/60) // batches of rows and of the lake
	var log bytes.Buffer
	f := &Function{config: Config{Logger: cloudlog.New(&log), Now: time.Now}}
	longest := 0
	for _, name := range event.Topics() {
		tp, d := offline(name)
		b := sampleBatch(name, int(perTopic*age)+1, 1)
		b.Lane = batch.RowsLane
		for i := range b.Records {
			r := &b.Records[i]
			r.Partition, r.Offset = int32(i%partition), int64(1e12)+int64(i/partition)
			r.Value = append(bytes.TrimSuffix(r.Value, []byte("}")), `,"a_field_that_nobody_knows":1}`...)
			if i%2 == 0 {
				r.Timestamp = 1 << 60
				r.Value = []byte("x")
			}
		}
		e, err := b.Event(noon, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		if err != nil {
			t.Fatal(err)
		}
		decode(t, d, tp, b)
		s := summary{whereabouts: whereabouts(b), became: ingested, durable: noon, took: time.Second, duplicates: 3, aside: 2}
		s.describe(b, e, d)
		log.Reset()
		f.report(e, &s, nil)
		longest = max(longest, log.Len())
	}
	const entry = 500 // what Cloud Logging adds: resource, labels, timestamps, insertId, about
	kept := float64(longest+entry) * perSecond * month * deployment.IngestLogShare
	t.Logf("a line has up to %d bytes, %.1f come in a second: %.2f GiB a month, of which %.2f are kept", longest, perSecond,
		kept/deployment.IngestLogShare/(1<<30), kept/(1<<30))
	if kept > 1<<29 { // half of it: the rest is for everything else
		t.Errorf("%.0f bytes are kept a month", kept)
	}
}
