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

// appendsPerStatement is how many appends may overtake a waiting statement before it is its turn.
const appendsPerStatement = 8

// gate lets one request at a time through to the emulator. Both classes queue in order of arrival. A gate that becomes
// free goes to the first append, so that a stream of statements never holds appends back by more than the one
// statement that is running; but when appendsPerStatement appends have gone ahead of a waiting statement, the first
// statement goes next, so that appends never starve statements either.
type gate struct {
	mu       sync.Mutex
	busy     bool
	waiting  [2][]chan struct{} // by class; closed when let in
	overtook int                // appends let in since a statement began to wait or was let in

	waits [2]histogram
}

// enter waits for the caller's turn, or until ctx is done. After nil, the caller must call leave.
func (g *gate) enter(ctx context.Context, c class) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	started := time.Now()
	g.mu.Lock()
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		g.waits[c].observe(0)
		return nil
	}
	turn := make(chan struct{})
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
	next := appends
	if len(g.waiting[appends]) == 0 || len(g.waiting[statements]) > 0 && g.overtook >= appendsPerStatement {
		next = statements
	}
	if len(g.waiting[next]) == 0 {
		g.busy = false
		g.overtook = 0
		return
	}
	if next == appends && len(g.waiting[statements]) > 0 {
		g.overtook++
	} else {
		g.overtook = 0
	}
	turn := g.waiting[next][0]
	g.waiting[next] = g.waiting[next][1:]
	close(turn)
}
