package ingesttest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/lake"
)

func TestIngest_RedeliveryCreatesObjectsOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(20)...)
	for range 3 {
		l.mustDeliver(t, b)
	}
	if names := l.lake.objects(t, "raw/"); len(names) != 1 {
		t.Errorf("objects %q, want one", names)
	}
	for _, r := range b.Records {
		if n := offsets(l.warehouse.rows("incidents"))[r.Offset]; n != 3 {
			t.Errorf("offset %d has %d rows, want one for each delivery", r.Offset, n)
		}
	}
	if c := l.function.Counts(); c.DuplicateObjects != 2 || c.Batches != 3 {
		t.Errorf("counts %+v, want 2 duplicate objects of 3 batches", c)
	}
}

func TestIngest_ConcurrentDeliveriesOfTheSameBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(300)...)
	var deliveries sync.WaitGroup
	for range 8 {
		e := eventOf(t, b)
		deliveries.Go(func() {
			if err := l.function.Ingest(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	deliveries.Wait()
	if names := l.lake.objects(t, "raw/"); len(names) != 1 {
		t.Errorf("objects %q, want one", names)
	}
	if c := l.function.Counts(); c.DuplicateObjects != 7 {
		t.Errorf("%d duplicate objects, want 7", c.DuplicateObjects)
	}
	if n := len(l.warehouse.rows("incidents")); n != 8*300 {
		t.Errorf("%d rows, want %d", n, 8*300)
	}
	if n := l.warehouse.opened(); n != 1 {
		t.Errorf("%d connections to the table, want 1", n)
	}
}

// Concurrent batches share decoders, writers and buffers through pools: what
// lands must still be each batch's own.
func TestIngest_ConcurrentBatchesDoNotMix(t *testing.T) {
	t.Parallel()
	const workers, rounds = 8, 8
	l := newLab(t)
	want := 0
	var deliveries sync.WaitGroup
	for worker := range workers {
		var events []cloudevents.Event
		for round := range rounds {
			b := batchOf(incidents(40 + 3*worker + round)...)
			move(b, int32(worker*rounds+round))
			for i := range b.Records {
				b.Records[i].Value = []byte(incident(fmt.Sprintf("p%d-%d", b.Records[i].Partition, i), noon))
			}
			events = append(events, eventOf(t, b))
			want += len(b.Records)
		}
		deliveries.Go(func() {
			for _, e := range events {
				if err := l.function.Ingest(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	deliveries.Wait()
	var archived []row
	for _, name := range l.lake.objects(t, "raw/") {
		_, rows := readParquet(t, l.lake.read(t, name))
		archived = append(archived, rows...)
	}
	staged := l.warehouse.rows("incidents")
	for _, r := range append(archived, staged...) {
		if want := fmt.Sprintf("p%d-%d", r["kafka_partition"], r["kafka_offset"].(int64)-100); r["id"] != want {
			t.Fatalf("partition %v offset %v holds event %v", r["kafka_partition"], r["kafka_offset"], r["id"])
		}
	}
	if len(archived) != want || len(staged) != want {
		t.Errorf("%d rows in the lake and %d in staging, want %d", len(archived), len(staged), want)
	}
}

func TestIngest_OtherContentsUnderTheSameNameAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b := batchOf(incidents(3)...)
	l.mustDeliver(t, b)
	before := l.lake.read(t, l.lake.objects(t, "raw/")[0])
	b.Records[1].Value = []byte(incident("another", noon.Add(-time.Minute)))

	var conflict *lake.Conflict
	if err := l.deliver(t, b); !errors.As(err, &conflict) {
		t.Fatalf("error %v, want a conflict", err)
	}
	if after := l.lake.read(t, l.lake.objects(t, "raw/")[0]); string(after) != string(before) {
		t.Error("the object was overwritten")
	}
	if c := l.function.Counts(); c.Conflicts != 1 || c.Failed != 1 {
		t.Errorf("counts %+v, want one conflict", c)
	}
}

func TestIngest_NoBatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	garbage := eventOf(t, batchOf(incidents(3)...))
	if err := garbage.SetData(batch.ContentType, []byte("no file")); err != nil {
		t.Fatal(err)
	}
	foreign := eventOf(t, batchOf(incidents(3)...))
	foreign.SetType("com.example.other")
	strange := batchOf(incidents(3)...)
	strange.Topic = "cat_pictures"
	for name, e := range map[string]cloudevents.Event{"garbage": garbage, "foreign": foreign, "topic": eventOf(t, strange)} {
		if got := l.answer(t, e); got != http.StatusUnprocessableEntity {
			t.Errorf("%s: answer %d, want 422", name, got)
		}
	}
	if c := l.function.Counts(); c.Refused != 3 || c.Failed != 3 {
		t.Errorf("counts %+v, want 3 refused", c)
	}
}

func TestIngest_CallThatIsCancelledIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	hold := make(chan struct{})
	arrived := make(chan struct{}, 1)
	l.warehouse.decide(func(string, []row) verdict {
		select {
		case arrived <- struct{}{}:
		default:
		}
		return verdict{hang: hold}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if err := l.function.Ingest(ctx, eventOf(t, batchOf(incidents(3)...))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the call was cancelled", err)
	}
	close(hold)
	l.warehouse.decide(nil)
	l.mustDeliver(t, batchOf(incidents(3)...))
}

func TestIngest_PanicIsAnErrorOfItsBatchOnly(t *testing.T) {
	t.Parallel()
	calls := 0
	l := newLab(t, func(c *ingest.Config) {
		c.Now = func() time.Time {
			if calls++; calls == 2 {
				panic("a fault in the program")
			}
			return time.Now()
		}
	})
	err := l.deliver(t, batchOf(incidents(3)...))
	if err == nil || !strings.Contains(err.Error(), topicID+"-both-") || !strings.Contains(err.Error(), "a fault in the program") {
		t.Fatalf("error %v, want one that names the batch and the panic", err)
	}
	if c := l.function.Counts(); c.Crashes != 1 {
		t.Errorf("counts %+v, want one crash", c)
	}
}
