package ingest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/bigquery"
)

// What is settled is left out of its own lane and topic for an hour, and the
// memory of it is bounded.
func TestSettledRuns(t *testing.T) {
	var s settledRuns
	of := func(lane batch.Lane, partitions ...int32) *batch.Batch {
		b := &batch.Batch{Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Lane: lane}
		for _, p := range partitions {
			b.Records = append(b.Records, batch.Record{Partition: p, Offset: 7}, batch.Record{Partition: p, Offset: 9})
		}
		return b
	}
	conflict := errors.New("another record is there")
	s.add(of(batch.RowsLane, 1), noon, nil)
	s.add(of(batch.RowsLane, 2), noon, conflict)

	longer := of(batch.RowsLane, 1)
	longer.Records = append(longer.Records, batch.Record{Partition: 1, Offset: 10})
	for name, test := range map[string]struct {
		b    *batch.Batch
		at   time.Time
		left int
		err  error
	}{
		"durable":         {of(batch.RowsLane, 1, 3), noon, 2, nil},
		"refused":         {of(batch.RowsLane, 3, 2), noon, 2, conflict},
		"both":            {of(batch.RowsLane, 1, 2), noon, 0, conflict},
		"the other lane":  {of(batch.LakeLane, 1, 2), noon, 4, nil},
		"a longer run":    {longer, noon, 3, nil},
		"an hour later":   {of(batch.RowsLane, 1, 2), noon.Add(time.Hour), 4, nil},
		"nothing of it":   {of(batch.RowsLane, 3), noon, 2, nil},
		"a minute before": {of(batch.RowsLane, 1), noon.Add(59 * time.Minute), 0, nil},
	} {
		if err := s.leaveOut(test.b, test.at); !errors.Is(err, test.err) || len(test.b.Records) != test.left {
			t.Errorf("%s: %d records are left and the error is %v, want %d and %v", name, len(test.b.Records), err, test.left, test.err)
		}
	}
	for p := range int32(3 * maxSettled) {
		s.add(of(batch.RowsLane, 10+p), noon, nil)
	}
	if len(s.known) != maxSettled || len(s.order) != maxSettled {
		t.Errorf("it remembers %d runs in the order of %d", len(s.known), len(s.order))
	}
	if b := of(batch.RowsLane, 1); s.leaveOut(b, noon) != nil || len(b.Records) != 2 {
		t.Error("it still remembers the first")
	}
}

// A keeper is a sink that says which records it has, by table. It takes no row
// for which refuses says so, nor what comes with it.
type keeper struct {
	lane    batch.Lane
	refuses func(table string, at coordinates) bool
	has     map[string]map[coordinates]bool
}

func (k *keeper) Lane() batch.Lane     { return k.lane }
func (*keeper) Fault(error) fault.Kind { return fault.OfBatch }
func (*keeper) Close() error           { return nil }
func (k *keeper) Store(_ context.Context, b *rows.Batch) (rows.Stored, error) {
	for partition, offset := range b.Table.Coordinates(b.Set) {
		if k.refuses(b.Table.Name, coordinates{partition, offset}) {
			return rows.Stored{}, errors.New("no")
		}
	}
	for partition, offset := range b.Table.Coordinates(b.Set) {
		if k.has[b.Table.Name] == nil {
			k.has[b.Table.Name] = make(map[coordinates]bool)
		}
		k.has[b.Table.Name][coordinates{partition, offset}] = true
	}
	return rows.Stored{}, nil
}

// keeping returns a function with that sink alone.
func keeping(t *testing.T, k *keeper, now func() time.Time) *Function {
	t.Helper()
	f, err := New(t.Context(), Config{
		Bucket: "b", Warehouse: bigquery.Config{Project: "p", StagingDataset: "d"}, AppendTimeout: time.Second, CallTimeout: time.Minute,
		StorageOptions: []option.ClientOption{option.WithoutAuthentication()}, Logger: slog.New(slog.DiscardHandler), Now: now,
		Sinks: []string{"kept"}, Known: []SinkKind{{"kept", func(context.Context, *Config, *lake.Bucket) (Sink, error) { return k, nil }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An event is too far ahead when its batch is judged, and no longer when the
// batch is stored apart, because the quarantine refuses records of another
// partition: it is not lost between the two.
func TestIngest_StoredApartARecordIsJudgedOnce(t *testing.T) {
	now, broken := noon, true
	sink := &keeper{lane: batch.RowsLane, has: make(map[string]map[coordinates]bool)}
	sink.refuses = func(table string, at coordinates) bool {
		if table == "quarantine" {
			now = noon.Add(time.Minute)
		}
		return table == "quarantine" && at.partition == 0 && broken
	}
	f := keeping(t, sink, func() time.Time { return now })
	b := sampleBatch("incidents", 1, 1)
	ahead := strings.Replace(string(b.Records[0].Value), `"timestamp":"`, `"timestamp":"`+noon.Add(24*time.Hour+time.Second).Format(time.RFC3339)+`","was":"`, 1)
	b.Lane, b.Records = batch.RowsLane, nil
	for offset := range int64(maxPoison + 1) {
		b.Records = append(b.Records, batch.Record{Offset: offset, Timestamp: -1, Value: []byte("{")})
	}
	b.Records = append(b.Records, batch.Record{Partition: 1, Timestamp: -1, Value: []byte(ahead)})
	e, err := b.Event(noon, "")
	if err != nil {
		t.Fatal(err)
	}
	if f.Ingest(t.Context(), e) == nil {
		t.Fatal("the batch is taken that the quarantine refuses")
	}
	broken = false
	if err := f.Ingest(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if at := (coordinates{1, 0}); !sink.has["incidents"][at] && !sink.has["quarantine"][at] {
		t.Errorf("the batch is taken, and a record of it is nowhere: %v", sink.has)
	}
	if n := len(sink.has["quarantine"]); n < maxPoison+1 {
		t.Errorf("%d records are in quarantine", n)
	}
}

// Without a sink of the lane rows, what the lake cannot write goes to its
// quarantine; also where only its partition alone has few enough such records,
// and the quarantine of the whole batch was done before.
func TestIngest_StoredApartTheLakesRefusalsAreQuarantined(t *testing.T) {
	sink := &keeper{lane: batch.LakeLane, has: make(map[string]map[coordinates]bool)}
	sink.refuses = func(table string, at coordinates) bool { return table == "incidents" && at.offset%10 == 3 }
	f := keeping(t, sink, func() time.Time { return noon })
	b := sampleBatch("incidents", 10*(maxPoison+2), 1)
	for i := range b.Records {
		b.Records[i].Partition = int32(i / 50)
	}
	e, err := b.Event(noon, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Ingest(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for i := range b.Records {
		at := coordinates{b.Records[i].Partition, b.Records[i].Offset}
		if poison := at.offset%10 == 3; sink.has["incidents"][at] == poison || sink.has["quarantine"][at] != poison {
			t.Errorf("the batch is taken, and of %v it is %v that it is a row, %v that it is in quarantine", at, sink.has["incidents"][at], sink.has["quarantine"][at])
		}
	}
}
