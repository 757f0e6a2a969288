package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"golang.org/x/sync/errgroup"
)

// soakTables are the pipeline's, in the shape of its staging dataset.
var soakTables = []string{
	"incidents", "equipment_failures", "train_arrivals", "train_departures", "ticket_validations", "passenger_flow", "quarantine",
}

var soakSchema = bigquery.Schema{
	{Name: "id", Type: bigquery.StringFieldType},
	{Name: "station", Type: bigquery.StringFieldType},
	{Name: "timestamp", Type: bigquery.TimestampFieldType},
	{Name: "passengers", Type: bigquery.IntegerFieldType},
	{Name: "factor", Type: bigquery.FloatFieldType},
	{Name: "value", Type: bigquery.BytesFieldType},
	{Name: "kafka_topic", Type: bigquery.StringFieldType},
	{Name: "kafka_topic_id", Type: bigquery.StringFieldType},
	{Name: "kafka_partition", Type: bigquery.IntegerFieldType},
	{Name: "kafka_offset", Type: bigquery.IntegerFieldType},
	{Name: "kafka_timestamp", Type: bigquery.TimestampFieldType},
	{Name: "ingested_at", Type: bigquery.TimestampFieldType},
	{Name: "batch_id", Type: bigquery.StringFieldType},
}

// TestSoak writes to seven tables at once while statements read and rewrite others, and then counts and compares every
// row. It always runs for a fixed number of rows; with STATIONFLOW_SOAK=10m it runs for that long at 80 rows a second and
// table, and prints memory and latency each minute.
func TestSoak(t *testing.T) {
	s := soak{batches: 40, batchRows: 25}
	if text := os.Getenv("STATIONFLOW_SOAK"); text != "" {
		duration, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("STATIONFLOW_SOAK: %v: write a duration such as 10m", err)
		}
		s.pause = time.Duration(s.batchRows) * time.Second / 80
		s.batches = int(duration / s.pause)
	}
	s.run(t)
}

type soak struct {
	batches   int // to each table
	batchRows int
	pause     time.Duration // between a table's batches; 0 is as fast as it goes

	w            *Warehouse
	client       *bigquery.Client
	transactions histogram
	selects      histogram
	rounds       atomic.Int64
}

func (s *soak) run(t *testing.T) {
	s.w, _ = start(t, "")
	s.client = restClient(t, s.w)
	for _, table := range soakTables {
		createTable(t, s.client, table, soakSchema)
	}
	run(t, s.client, "create table s.hours (topic string, hour timestamp, station string, records int64, passengers int64)")
	rows := newRowType(t, soakSchema)

	writing, written := context.WithCancel(t.Context())
	var writers, readers errgroup.Group
	readers.Go(func() error { return s.query(writing, t.Context()) })
	if s.pause > 0 {
		readers.Go(func() error { return s.report(writing, t) })
	}
	for i, table := range soakTables {
		writers.Go(func() error { return s.write(t, rows, i, table) })
	}
	err := writers.Wait()
	written()
	if err != nil {
		t.Error(err)
	}
	if err := readers.Wait(); err != nil {
		t.Error(err)
	}
	s.verify(t)
	s.print(t)
}

// write appends every batch to one table, each tenth of them twice, as a redelivery would.
func (s *soak) write(t *testing.T, rows rowType, index int, table string) error {
	stream, err := writeClient(t, s.w).NewManagedStream(t.Context(),
		managedwriter.WithDestinationTable(tableName("s", table)), managedwriter.WithSchemaDescriptor(rows.schema))
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, uint64(index)))
	for batch := range s.batches {
		encoded := make([][]byte, s.batchRows)
		for i := range encoded {
			encoded[i] = soakRow(t, rows, table, batch*s.batchRows+i, rng)
		}
		for range 1 + (batch%10)/9 {
			result, err := stream.AppendRows(t.Context(), encoded)
			if err != nil {
				return fmt.Errorf("appending to %s: %w", table, err)
			}
			if _, err := result.GetResult(t.Context()); err != nil {
				return fmt.Errorf("appending to %s: %w", table, err)
			}
		}
		if s.pause > 0 {
			time.Sleep(s.pause) // the rate of the long run, not a synchronisation
		}
	}
	if err := stream.Close(); err != nil && !errors.Is(err, io.EOF) { // EOF is the client's word for closed
		return fmt.Errorf("closing the stream of %s: %w", table, err)
	}
	return nil
}

func soakRow(t *testing.T, rows rowType, table string, n int, rng *rand.Rand) []byte {
	at := time.Date(2026, 11, 22, 0, 0, n, 0, time.UTC)
	return rows.row(t, fmt.Sprintf("%s-%d", table, n), fmt.Sprintf("Station %d", rng.IntN(12)), at, n%100, float64(n)/4,
		[]byte{byte(n), 0xff, byte(n >> 8)}, table, topicID(table), n%6, n/6, at, time.Now(), fmt.Sprintf("batch-%d", n/25))
}

func topicID(table string) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", len(table)) }

// query repeats what the transform does each minute, for one topic after the other, until the writers are done: it
// refreshes the hours touched by the last rows from a deduplicated read, and reads totals.
func (s *soak) query(writing, ctx context.Context) error {
	for round := 0; writing.Err() == nil || round == 0; round++ {
		table := soakTables[round%len(soakTables)]
		started := time.Now()
		if _, err := tryRun(ctx, s.client, refresh(table, round)); err != nil {
			return fmt.Errorf("transaction over %s: %w", table, err)
		}
		s.transactions.observe(time.Since(started))
		started = time.Now()
		if _, err := tryRun(ctx, s.client, "select topic, sum(records) from s.hours group by topic order by topic"); err != nil {
			return fmt.Errorf("select: %w", err)
		}
		s.selects.observe(time.Since(started))
		s.rounds.Add(1)
		if s.pause > 0 {
			time.Sleep(s.pause / 4)
		}
	}
	return nil
}

// refresh rebuilds the newest hours of one topic, or at times all of them.
func refresh(table string, round int) string {
	from := "(select timestamp_sub(timestamp_trunc(max(`timestamp`), hour), interval 10 minute) from s." + table + ")"
	if round < 2*len(soakTables) {
		from = "timestamp '2026-01-01'"
	}
	return strings.NewReplacer("TABLE", table, "FROM_HOUR", from).Replace("begin transaction;" +
		"delete from s.hours where topic = 'TABLE' and hour >= FROM_HOUR;" +
		"insert into s.hours select 'TABLE', timestamp_trunc(`timestamp`, hour), station, count(*), sum(passengers) from (" +
		" select * from s.TABLE where `timestamp` >= FROM_HOUR" +
		" qualify row_number() over (partition by kafka_topic_id, kafka_partition, kafka_offset order by ingested_at) = 1)" +
		" group by 1, 2, 3;" +
		"commit transaction")
}

// verify counts each table's rows and compares what they hold with what was sent.
func (s *soak) verify(t *testing.T) {
	t.Helper()
	distinct := int64(s.batches * s.batchRows)
	stored := distinct + int64(s.batches/10*s.batchRows)
	for _, table := range soakTables {
		got := run(t, s.client, fmt.Sprintf("select count(*), count(distinct id), countif(kafka_topic = '%[1]s' and kafka_topic_id = '%[2]s'"+
			" and starts_with(id, '%[1]s-')), countif(id = concat('%[1]s-', cast(kafka_offset * 6 + kafka_partition as string))),"+
			" countif(factor * 4 = kafka_offset * 6 + kafka_partition and passengers = mod(cast(factor * 4 as int64), 100)),"+
			" countif(timestamp_diff(`timestamp`, timestamp '2026-11-22 00:00:00', second) = cast(factor * 4 as int64)),"+
			" countif(byte_length(value) = 3 and substr(value, 2, 1) = b'\\xff') from s.%[1]s", table, topicID(table)))[0]
		want := []int64{stored, distinct, stored, stored, stored, stored, stored}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: check %d counts %v rows, want %d", table, i, got[i], want[i])
			}
		}
		if n := s.w.Appended()["s."+table].Rows; n != stored {
			t.Errorf("%s: the counter says %d rows, want %d", table, n, stored)
		}
		if _, err := tryRun(t.Context(), s.client, refresh(table, 0)); err != nil {
			t.Error(err)
		}
		if n := count(t, s.client, "select sum(records) from s.hours where topic = '"+table+"'"); n != distinct {
			t.Errorf("%s: the hours count %d records, want %d", table, n, distinct)
		}
	}
}

// report prints a line each minute.
func (s *soak) report(writing context.Context, t *testing.T) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-writing.Done():
			return nil
		case <-tick.C:
			s.print(t)
		}
	}
}

func (s *soak) print(t *testing.T) {
	t.Helper()
	stats := s.w.Stats()
	line := fmt.Sprintf("append %s | wait %s | transaction %s | select %s | rounds %d | %s",
		latencyText(stats.Append), latencyText(stats.AppendWait), latencyText(s.transactions.latency()),
		latencyText(s.selects.latency()), s.rounds.Load(), s.memory())
	t.Log(line)
	if s.pause > 0 {
		fmt.Println(time.Now().Format(time.TimeOnly), line)
	}
}

func latencyText(l Latency) string {
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("n=%d p50=%v p99=%v max=%v", l.Count, round(l.P50), round(l.P99), round(l.Max))
}

// memory says how much memory the gateway and the emulator have, and how often that was replaced.
func (s *soak) memory() string {
	return fmt.Sprintf("gateway %s, emulator %s, replaced %d times",
		resident("self"), resident(strconv.Itoa(s.w.emulator.process.Load().command.Process.Pid)), s.w.Stats().Replaced)
}

func resident(process string) string {
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(text)
		}
	}
	return "unknown"
}
