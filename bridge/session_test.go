package bridge

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stationflow/stationflow/internal/kafka"
)

// A session that has ended answers what was asked before, and begins no more.
func TestSession_BeginsNothingOnceItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s session
		release, running := make(chan struct{}), false
		if !s.inBackground(func() { running = true; <-release; running = false }) {
			t.Fatal("nothing begins in a session that has not ended")
		}
		var ending sync.WaitGroup
		s.endBackground() // which waits for nothing
		ending.Go(s.background.Wait)
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
			t.Error("nobody waits for what was under way")
		}
	})
}

// A backlog has each batch ask its leader: those that ask while a question is
// under way, or soon after, share the next, which begins after they asked.
func TestAsker_AsksOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s session
		var a asker
		questions := 0
		identify := func() (kafka.Identity, error) {
			questions++
			put := time.Now().Format(time.RFC3339Nano)
			time.Sleep(time.Millisecond)
			return kafka.Identity{ClusterID: put}, nil
		}
		var asking sync.WaitGroup
		for range 1000 { // one each millisecond, as of a backlog
			asking.Go(func() {
				began := time.Now()
				answer, err := a.ask(t.Context(), &s, identify)
				put, _ := time.Parse(time.RFC3339Nano, answer.ClusterID)
				if err != nil || put.Before(began) {
					t.Errorf("asked at %v, answered by the question of %v (%v)", began, put, err)
				}
				if took := time.Since(began); took > askInterval+2*time.Millisecond {
					t.Errorf("an answer took %v", took)
				}
			})
			time.Sleep(time.Millisecond)
		}
		asking.Wait()
		if most := int(time.Second/askInterval) + 2; questions > most {
			t.Errorf("%d questions in a second, want at most %d", questions, most)
		}
		s.endBackground()
	})
}
