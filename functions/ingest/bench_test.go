package ingest

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/bigquery"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	internal "github.com/stationflow/stationflow/internal/lake"
)

const benchRecords = 5000

// offline returns what is needed of a topic to decode its events.
func offline(name string) (*topic, *decoded) {
	return newTopic(&Config{Location: time.UTC}, name, nil), newDecoded()
}

// BenchmarkStages measures what a processor does for one event, stage by
// stage, and on the whole way into the lake.
func BenchmarkStages(b *testing.B) {
	for _, name := range event.Topics() {
		b.Run(name, func(b *testing.B) { benchmarkTopic(b, name) })
	}
}

func benchmarkTopic(b *testing.B, name string) {
	t, d := offline(name)
	micro := sampleBatch(name, benchRecords, 1)
	e, err := micro.Event(noon, "")
	if err != nil {
		b.Fatal(err)
	}
	if err := d.decode(b.Context(), t, micro, noon); err != nil || len(d.rejections) > 0 {
		b.Fatal(d.rejections[0])
	}
	format, encoder := lake.NewParquet(t.table), bigquery.NewEncoder(t.table.Layout)
	var all []int
	for i := range d.good.Rows {
		all = append(all, i)
	}
	var file bytes.Buffer
	var r bigquery.Request

	read := func() {
		if micro, err = batch.FromEventIn(&d.memory, e); err != nil {
			b.Fatal(err)
		}
	}
	digest := func() { internal.Digest(micro) }
	decode := func() {
		if err := d.decode(b.Context(), t, micro, noon); err != nil {
			b.Fatal(err)
		}
	}
	parquet := func() {
		for _, h := range lake.ByHour(d.good.Rows, d.good.Own[t.table.Timestamp].Numbers) {
			file.Reset()
			if err := format.Encode(&file, d.good.Only(h.Rows), 1); err != nil {
				b.Fatal(err)
			}
		}
	}
	proto := func() { r.Fill(encoder, d.good, all, 1) }

	parquet()
	proto()
	size := 0
	for _, row := range r.Rows {
		size += len(row)
	}
	b.Logf("bytes an event: %d in the batch, %d as Parquet, %d as protocol buffers",
		len(e.Data())/benchRecords, file.Len()/benchRecords, size/len(r.Rows))
	b.Run("read", perEvent(read))
	b.Run("digest", perEvent(digest))
	b.Run("decode", perEvent(decode))
	b.Run("parquet", perEvent(parquet))
	b.Run("proto", perEvent(proto))
	b.Run("lake", perEvent(func() { read(); digest(); decode(); parquet() }))
	b.Run("lake+warehouse", perEvent(func() { read(); digest(); decode(); parquet(); proto() }))
}

// perEvent benchmarks a step that handles benchRecords events, in processor
// time, which other work on the machine disturbs less than the clock's.
func perEvent(step func()) func(*testing.B) {
	return func(b *testing.B) {
		b.ReportAllocs()
		step() // fills what is reused
		before := processorTime(b)
		for b.Loop() {
			step()
		}
		spent := processorTime(b) - before
		b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/benchRecords, "cpu-ns/event")
		b.ReportMetric(float64(b.N)*benchRecords/spent.Seconds(), "events/cpu-s")
	}
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
