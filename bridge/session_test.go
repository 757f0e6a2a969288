package bridge

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// Kafka's library reports errors when it likes, and to judge one takes a
// question: a session that is ending answers what was asked before, and begins
// no more.
func TestSession_BeginsNothingOnceItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s session
		release, running := make(chan struct{}), false
		if !s.inBackground(func() { running = true; <-release; running = false }) {
			t.Fatal("nothing begins in a session that has not ended")
		}
		var ending sync.WaitGroup
		ending.Go(s.endBackground)
		synctest.Wait()
		if _, err := new(asker).ask(t.Context(), &s, nil); !errors.Is(err, errEnded) {
			t.Errorf("a question is answered %v", err)
		}
		if !running {
			t.Error("what was under way did not go on")
		}
		close(release)
		ending.Wait()
		if running {
			t.Error("the session did not wait for what was under way")
		}
	})
}
