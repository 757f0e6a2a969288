package bridge

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/tracing"
)

// A flight is a batch on its way. It belongs to the goroutine that publishes
// it, which tries until the transport has taken it over, it has become a dead
// letter, or work is done.
//
// A batch of several partitions that is refused, or fails for partsAfter, goes
// on in parts, one a partition: so only the part that is to blame is held up,
// or becomes a dead letter. While a partition has a part on its way it puts
// nothing into the batches of all.
type flight struct {
	*gatherer
	lane    batch.Lane
	encoder *batch.Encoder
	event   cloudevents.Event // shares the encoder's memory
	runs    []*run
	taken   int64 // of the session's memory, in bytes
	began   time.Time

	placed  bool // it takes a place of its lanes
	part    bool // it is of one partition, which waits for it
	large   bool // it takes the bridge's one place for a large batch
	retried bool // an attempt failed

	suspicions int // see suspect

	// For the batch's span: see trace.go.
	gathered time.Time      // when its first record came; zero for when it set off
	links    *tracing.Links // nil for none
	span     *tracing.Span  // nil where none is recorded
	whole    bool           // it was part of another, whose span is above its own
	attempts int64
	fault    error // that the span ends with
}

// partsAfter is for how long a batch may fail before it goes on in parts.
const partsAfter = time.Second

// confirmPatience is how long a batch of several partitions waits for the word
// of their leaders. One that is away must not keep the others waiting.
const confirmPatience = 2 * time.Second

// fly publishes the batch.
func (f *flight) fly() {
	if f.work.Err() == nil {
		of := f.of
		of.Lane = f.lane
		f.startSpan()
		f.event = f.encoder.Event(&of, f.began, f.span.TraceParent())
		f.describe()
		if f.confirmed() {
			f.publish()
		}
		f.endSpan()
	}
	f.land()
}

// confirmed waits until the topic is confirmed to be the same. It returns
// false when it is another one, work is done, or the batch goes on in parts.
func (f *flight) confirmed() bool {
	if !f.part {
		ctx, cancel := context.WithTimeout(f.work, confirmPatience)
		sure := f.confirm(ctx, f.partitions()...)
		cancel()
		if sure || f.work.Err() != nil || f.replaced.Load() {
			return sure
		}
		if !f.goesOnAlone() {
			return false
		}
	}
	return f.confirm(f.work, f.partitions()...)
}

func (f *flight) partitions() []*partition {
	all := make([]*partition, len(f.runs))
	for i, r := range f.runs {
		all[i] = r.of
	}
	return all
}

// land gives back what the batch took.
func (f *flight) land() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.runs {
		r.of.held -= r.bytes
		r.of.flying--
		if f.part {
			r.of.takeOut(f.lane, -1)
		}
	}
	if f.large {
		<-f.bridge.large
	}
	f.memory.give(f.taken)
	f.giveBack(f)
}

// goesOnAlone gives the places of a batch to others. A batch of one partition
// goes on; of one of several it returns false: that goes on in parts.
func (f *flight) goesOnAlone() bool {
	if len(f.runs) > 1 {
		f.takeApart()
		return false
	}
	if !f.part {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.part = true
		f.runs[0].of.takeOut(f.lane, 1)
		f.giveBack(f)
	}
	return true
}

// takeApart has a batch of several partitions go on in parts, and gives its
// places to others.
func (f *flight) takeApart() {
	parts := f.divide()
	f.fault = errInParts
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memory.give(f.taken)
	f.taken, f.runs = 0, nil // they are the parts' now
	for _, one := range parts {
		f.memory.takeShare(one.taken)
		one.runs[0].of.takeOut(one.lane, 1)
		go one.fly()
	}
	f.giveBack(f)
}

// divide returns the parts of a batch of several partitions. One batch at a time
// is: what it is read into is beside the memory that is counted.
func (f *flight) divide() (parts []*flight) {
	f.bridge.dividing.Lock()
	defer f.bridge.dividing.Unlock()
	whole, err := batch.FromEvent(f.event)
	if err != nil {
		panic(fmt.Sprintf("reading the bridge's own batch %s: %v", f.event.ID(), err)) // it cannot be told from a good one
	}
	filled := f.bridge.newEncoder()
	for _, r := range f.runs {
		filled.Reset()
		for i := range whole.Records {
			if record := &whole.Records[i]; record.Partition == r.of.number {
				filled.Add(record)
			}
		}
		one := &flight{gatherer: f.gatherer, lane: f.lane, encoder: f.bridge.newEncoder(), runs: []*run{r}, began: f.began, part: true}
		one.encoder.Grow(filled.Size()) // what it is compressed to, not what its records take before that
		one.encoder.Join(filled)
		one.taken = int64(one.encoder.Room())
		one.whole, one.span = true, f.span.Child("batch "+f.of.Topic, time.Time{})
		parts = append(parts, one)
	}
	return parts
}
