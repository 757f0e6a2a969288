package ingesttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/batch/batchtest"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/lake"
)

// spread returns a batch of n incidents whose records come from so many
// partitions by turns, each with offsets from 100; every tenth record is bad.
func spread(n, partitions int) *batch.Batch {
	b := batchOf(incidents(n)...)
	for i := range b.Records {
		r := &b.Records[i]
		r.Partition, r.Offset = int32(i%partitions), int64(100+i/partitions)
		if i%10 == 9 {
			r.Value = []byte("{")
		}
	}
	return b
}

type place struct{ partition, offset int64 }

func places(rows []row) map[place]int {
	seen := make(map[place]int)
	for _, r := range rows {
		seen[place{r["kafka_partition"].(int64), r["kafka_offset"].(int64)}]++
	}
	return seen
}

// filed returns where the Parquet rows under the prefix come from.
func (l *lab) filed(t *testing.T, prefix string) map[place]int {
	t.Helper()
	var all []row
	for _, name := range l.lake.objects(t, prefix) {
		_, rows := readParquet(t, l.lake.read(t, name))
		all = append(all, rows...)
	}
	return places(all)
}

// Each sink takes its lane; the quarantine goes with the lane rows, or with the
// lane lake where no sink takes the other.
func TestIngest_LanesGoToTheirSinks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sinks                    string
		lane                     batch.Lane
		staged, refused          int // rows in the warehouse
		filed, filedAside, count int // rows in the lake, and records counted
		message                  string
	}{
		{"lake,warehouse", batch.RowsLane, 54, 6, 0, 0, 60, "batch ingested"},
		{"lake,warehouse", batch.LakeLane, 0, 0, 54, 0, 0, "batch archived"},
		{"lake,warehouse", batch.BothLanes, 54, 6, 54, 0, 60, "batch ingested"},
		{"lake", batch.LakeLane, 0, 0, 54, 6, 60, "batch ingested"},
		{"lake", batch.BothLanes, 0, 0, 54, 6, 60, "batch ingested"},
		{"lake", batch.RowsLane, 0, 0, 0, 0, 0, "batch passed over"},
		{"warehouse", batch.RowsLane, 54, 6, 0, 0, 60, "batch ingested"},
		{"warehouse", batch.LakeLane, 0, 0, 0, 0, 0, "batch passed over"},
	} {
		t.Run(test.sinks+"/"+string(test.lane), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			l := newLab(t, func(c *ingest.Config) {
				c.Sinks, c.Logger = strings.Split(test.sinks, ","), slog.New(slog.NewJSONHandler(&log, nil))
			})
			b := spread(60, 7)
			b.Lane = test.lane
			l.mustDeliver(t, b)
			staged, refused := l.warehouse.rows("incidents"), l.warehouse.rows("quarantine")
			filed, aside := l.filed(t, "raw/"), l.filed(t, "quarantine/")
			if len(staged) != test.staged || len(refused) != test.refused || len(filed) != test.filed || len(aside) != test.filedAside {
				t.Errorf("%d staged, %d in quarantine, %d in the lake and %d there in quarantine, want %+v", len(staged), len(refused), len(filed), len(aside), test)
			}
			for _, r := range staged {
				if at := r["kafka_partition"].(int64) + 7*(r["kafka_offset"].(int64)-100); r["id"] != fmt.Sprint("inc-", at) || r["batch_id"] != b.ID() {
					t.Fatalf("the row of record %d is %v", at, r)
				}
			}
			if c := l.function.Counts(); c.Batches != 1 || c.Records != int64(test.count) || c.Valid+c.Quarantined != c.Records {
				t.Errorf("counts %+v, want %d records", c, test.count)
			}
			var line struct{ Msg, Lane, Ranges string }
			if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Msg != test.message || line.Lane != string(test.lane) || line.Ranges != b.Ranges().String() {
				t.Errorf("the log says %+v (%v), want %s", line, err, test.message)
			}
		})
	}
}

// What a batch holds names its objects, not its lane nor the order in which
// records of several partitions came; what an object holds is in its metadata.
func TestIngest_ObjectsOfSeveralPartitionsAreCreatedOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := spread(200, 20)
	random := rand.New(rand.NewPCG(1, 1))
	for round, lane := range []batch.Lane{batch.LakeLane, batch.BothLanes, batch.LakeLane} {
		b.Lane = lane
		l.mustDeliver(t, b)
		if got := l.lake.objects(t, "raw/"); !slices.Equal(got, []string{lake.RawObject(b, noon.Add(-1))}) {
			t.Fatalf("delivery %d: objects %q", round, got)
		}
		random.Shuffle(len(b.Records), func(i, j int) { b.Records[i], b.Records[j] = b.Records[j], b.Records[i] })
		slices.SortStableFunc(b.Records, func(a, b batch.Record) int { // each partition's in order, partitions at random
			if a.Partition != b.Partition {
				return 0
			}
			return int(a.Offset - b.Offset)
		})
		for partition := range int32(20) {
			var at []int
			var own []batch.Record
			for i, r := range b.Records {
				if r.Partition == partition {
					at, own = append(at, i), append(own, r)
				}
			}
			slices.SortFunc(own, func(a, b batch.Record) int { return int(a.Offset - b.Offset) })
			for i := range own {
				b.Records[at[i]] = own[i]
			}
		}
	}
	for at, n := range l.filed(t, "raw/") {
		if n != 1 {
			t.Errorf("%v is %d times in the lake", at, n)
		}
	}
	object, err := l.lake.server.GetObject(bucket, l.lake.objects(t, "raw/")[0])
	if err != nil || object.Metadata["stationflow-ranges"] != b.Ranges().String() {
		t.Errorf("the object's metadata is %v (%v), want the ranges %s", object.Metadata, err, b.Ranges())
	}
}

// Events of the earlier form keep the names that they had: an object that a
// delivery made before the upgrade is found after it.
func TestIngest_TakesTheEarlierForm(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(50)...)
	old := batchtest.V1(t, b, noon)
	for range 2 {
		if err := l.function.Ingest(t.Context(), old); err != nil {
			t.Fatal(err)
		}
	}
	want := "raw/incidents/dt=2026-11-22/hour=11/incidents-0f9b3c52-00003-00000000000000000100-00000000000000000149.parquet"
	if got := l.lake.objects(t, "raw/"); !slices.Equal(got, []string{want}) {
		t.Errorf("objects %q, want only %q", got, want)
	}
	if id := l.warehouse.rows("incidents")[0]["batch_id"]; id != topicID+"-3-100-149" {
		t.Errorf("batch_id is %v", id)
	}
	if c := l.function.Counts(); c.DuplicateObjects != 1 || c.Valid != 100 {
		t.Errorf("counts %+v", c)
	}
	l.mustDeliver(t, b) // the bridge is upgraded, and reads again what it had not committed
	if got := places(l.warehouse.rows("incidents")); len(got) != 50 {
		t.Errorf("%d records in staging", len(got))
	}
}

// Only the partition whose records cannot be stored keeps a delivery from
// succeeding. The others are durable by then and are not stored again, when
// the batch is delivered whole, nor when it is delivered apart.
func TestIngest_OnlyTheFaultyPartitionIsRefused(t *testing.T) {
	t.Parallel()
	const faulty = 2
	refuse := func(table string, rows []row) verdict {
		v := verdict{refuse: make(map[int]string)}
		for i, r := range rows {
			if r["kafka_partition"] == int64(faulty) && r["kafka_offset"] == int64(101) {
				v.refuse[i] = "never"
			}
		}
		return v
	}
	for name, prepare := range map[string]func(*testing.T, *lab, *batch.Batch){
		"even the quarantine refuses it": func(_ *testing.T, l *lab, _ *batch.Batch) { l.warehouse.decide(refuse) },
		"the lake holds another record": func(t *testing.T, l *lab, b *batch.Batch) {
			other := *b
			other.Records, other.Lane = slices.Clone(b.Records), batch.LakeLane
			for i := range other.Records {
				if r := &other.Records[i]; r.Partition == faulty {
					r.Value = []byte(incident("another", noon.Add(-time.Minute)))
				}
			}
			l.mustDeliver(t, &other)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			b := spread(50, 5)
			prepare(t, l, b)
			filed := len(l.filed(t, "raw/"))
			for range 3 {
				if code := l.answer(t, eventOf(t, b)); code != http.StatusInternalServerError {
					t.Fatalf("answer %d, want 500", code)
				}
			}
			err := l.deliver(t, b)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("partition %d", faulty)) {
				t.Errorf("error %v, want one that names partition %d", err, faulty)
			}
			landed := append(l.warehouse.rows("incidents"), l.warehouse.rows("quarantine")...)
			for at, n := range places(landed) {
				if at.partition != faulty && n != 1 {
					t.Errorf("%v has %d rows, want 1", at, n)
				}
			}
			if all := places(landed); len(all) < 49 {
				t.Errorf("%d records have landed, want all but at most one", len(all))
			}
			for partition := range int32(5) { // as the bridge delivers it apart
				part := *b
				part.Records = slices.DeleteFunc(slices.Clone(b.Records), func(r batch.Record) bool { return r.Partition != partition })
				if code := l.answer(t, eventOf(t, &part)); (code == http.StatusOK) == (partition == faulty) {
					t.Errorf("partition %d alone is answered %d", partition, code)
				}
			}
			if again := append(l.warehouse.rows("incidents"), l.warehouse.rows("quarantine")...); len(places(again)) != len(places(landed)) {
				t.Error("more has landed")
			}
			if now := len(l.filed(t, "raw/")); now < max(filed, 45-10) {
				t.Errorf("%d records in the lake", now)
			}
			var conflict *lake.Conflict
			if errors.As(err, &conflict) && !slices.Equal(conflict.Partitions, []int32{faulty}) {
				t.Errorf("the conflict is with partitions %v", conflict.Partitions)
			}
		})
	}
}

// Whatever fails on the way and however often it comes, in whichever lanes: in
// the end each record is in its place in staging, quarantine and the lake.
func TestIngest_LanesWithFaultsAndRedeliveries(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 3))
		l := newLab(t)
		all := spread(400, 9)
		// Rows are cut otherwise than files, as the bridge does it.
		cut := func(lane batch.Lane, most int) (batches []*batch.Batch) {
			for rest := all.Records; len(rest) > 0; {
				n := min(1+random.IntN(most), len(rest))
				b := *all
				b.Lane, b.Records = lane, rest[:n:n]
				batches, rest = append(batches, &b), rest[n:]
			}
			return batches
		}
		batches := append(cut(batch.RowsLane, 60), cut(batch.LakeLane, 300)...)
		failing := rand.New(rand.NewPCG(seed, 4))
		l.lake.decide(func(r *http.Request) outcome {
			if isUpload(r) && failing.IntN(4) == 0 {
				return outcome{status: http.StatusForbidden, serve: failing.IntN(2) == 0}
			}
			return outcome{}
		})
		for len(batches) > 0 {
			i := random.IntN(len(batches))
			if err := l.deliver(t, batches[i]); err == nil && random.IntN(3) > 0 { // else it comes again
				batches = slices.Delete(batches, i, i+1)
			}
		}
		staged, refused, filed := places(l.warehouse.rows("incidents")), places(l.warehouse.rows("quarantine")), places(nil)
		for at := range l.filed(t, "raw/") {
			filed[at]++
		}
		for i, r := range all.Records {
			at, bad := place{int64(r.Partition), r.Offset}, i%10 == 9
			if (staged[at] > 0) == bad || (refused[at] > 0) != bad || (filed[at] > 0) == bad {
				t.Fatalf("seed %d: %v (bad: %t) is %d times in staging, %d in quarantine, %d in the lake", seed, at, bad, staged[at], refused[at], filed[at])
			}
		}
		if c := l.function.Counts(); c.Conflicts != 0 || c.Crashes != 0 {
			t.Errorf("counts %+v", c)
		}
	}
}
