package warehouse

import (
	"context"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
)

// tend looks after the emulator's process until ctx is done: it asks for collections when the gate wants one, and
// replaces the process when it has grown too large or has ended.
func (w *Warehouse) tend(ctx context.Context) {
	for failed := false; ; {
		if failed && pause.For(ctx, time.Second) != nil {
			return
		}
		p := w.emulator.process.Load()
		select {
		case <-ctx.Done():
			return
		case <-w.gate.garbage:
			p.collect()
		case <-p.grown:
			failed = !w.replaceEmulator(ctx, false)
		case <-p.ended:
			w.log.Error("the local warehouse's engine ended and is started again", "error", p.err)
			failed = !w.replaceEmulator(ctx, true)
		}
	}
}

// replaceEmulator replaces the process between two requests, and returns false if that failed. A process that runs is
// left alone while it holds what the database does not: the next report brings it up again.
func (w *Warehouse) replaceEmulator(ctx context.Context, ended bool) bool {
	if err := w.gate.enter(ctx, statements); err != nil {
		return true // the warehouse closes
	}
	defer w.gate.leave()
	if !ended && w.write.streams.pending() {
		return true
	}
	if err := w.emulator.replace(); err != nil {
		w.log.Error("starting the local warehouse's engine failed", "error", err)
		return false
	}
	w.write.streams.forgetPending()
	w.tables.forgetAll()
	w.replaced.Add(1)
	return true
}
