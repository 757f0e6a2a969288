package warehouse

import (
	"context"
	"sync"
	"time"
)

// class says what waits at the gate.
type class int

const (
	appends    class = iota // one AppendRows request
	statements              // everything else: REST requests, reads and the rarer gRPC calls
)

// patience is how long appends may go ahead of a waiting statement. An append takes some 3 ms and a statement up to a
// second: within it the appends that piled up behind one statement get done before the next.
const patience = 500 * time.Millisecond

// gate lets one request at a time through to the emulator. Both classes queue in order of arrival. A gate that becomes
// free goes to the first append, so that a stream of statements never holds appends back by more than the one
// statement that is running; but when appends have gone ahead of the first waiting statement for as long as patience,
// the statement goes next, so that appends never starve statements either.
type gate struct {
	mu      sync.Mutex
	busy    bool
	inside  class              // of who is inside, while busy
	waiting [2][]chan struct{} // by class; closed when let in
	since   time.Time          // from when appends go ahead of the first waiting statement

	waits   [2]histogram
	left    int           // how often the gate was left
	garbage chan struct{} // has room for one; asks for a collection
}

// collectEvery is after how many requests the emulator's garbage is collected. GoogleSQL lives in memory of its own, of
// which Go sees one block: objects in it are freed when Go collects the few bytes that refer to them, and Go, which sees
// no need, would let it grow without end. A table, view or function that is dropped leaves at least the root of a catalog
// behind, with all functions: see collect.
const collectEvery = 16

// collect asks for a collection of garbage, soon.
func (g *gate) collect() {
	select {
	case g.garbage <- struct{}{}:
	default: // one is asked for already
	}
}

// enter waits for the caller's turn, or until ctx is done. After nil, the caller must call leave.
func (g *gate) enter(ctx context.Context, c class) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	started := time.Now()
	g.mu.Lock()
	if !g.busy {
		g.busy, g.inside = true, c
		g.mu.Unlock()
		g.waits[c].observe(0)
		return nil
	}
	turn := make(chan struct{})
	if c == statements && len(g.waiting[c]) == 0 {
		g.since = started
	}
	g.waiting[c] = append(g.waiting[c], turn)
	g.mu.Unlock()

	select {
	case <-turn:
		g.waits[c].observe(time.Since(started))
		return nil
	case <-ctx.Done():
		if !g.giveUp(c, turn) {
			g.leave() // it was let in at the same moment
		}
		return ctx.Err()
	}
}

// giveUp takes a waiting turn out of its queue; false means that it is no longer there.
func (g *gate) giveUp(c class, turn chan struct{}) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting[c] {
		if other == turn {
			g.waiting[c] = append(g.waiting[c][:i], g.waiting[c][i+1:]...)
			return true
		}
	}
	return false
}

// leave hands the gate to the next in turn.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left++; g.left%collectEvery == 0 {
		g.collect()
	}
	if g.inside == statements {
		g.since = time.Now()
	}
	next := appends
	if len(g.waiting[appends]) == 0 || len(g.waiting[statements]) > 0 && time.Since(g.since) >= patience {
		next = statements
	}
	if len(g.waiting[next]) == 0 {
		g.busy = false
		return
	}
	turn := g.waiting[next][0]
	g.waiting[next] = g.waiting[next][1:]
	g.inside = next
	close(turn)
}
