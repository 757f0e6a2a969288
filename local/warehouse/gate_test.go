package warehouse

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate_LetsAppendsGoFirstAndStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.enter(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
		var order []string // guarded by the gate
		var all sync.WaitGroup
		queue := func(c class, name string, n int, takes time.Duration) {
			for range n {
				all.Go(func() {
					if err := g.enter(t.Context(), c); err != nil {
						t.Error(err)
						return
					}
					order = append(order, name)
					time.Sleep(takes)
					g.leave()
				})
			}
		}
		queue(statements, "s", 3, time.Second)
		synctest.Wait()
		queue(appends, "a", 12, 100*time.Millisecond)
		synctest.Wait()
		g.leave()
		all.Wait()
		const want = "aaaaa s aaaaa s aa s"
		if got := strings.Join(order, ""); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

func TestGate_HoldsOneAtATime(t *testing.T) {
	var g gate
	inside := 0 // guarded by the gate: -race finds a second one inside
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for range 20 {
				if err := g.enter(t.Context(), class(i%2)); err != nil {
					t.Error(err)
					return
				}
				if inside++; inside != 1 {
					t.Errorf("%d inside", inside)
				}
				inside--
				g.leave()
			}
		})
	}
	all.Wait()
	if n := g.waits[appends].latency().Count + g.waits[statements].latency().Count; n != 1000 {
		t.Errorf("%d waits counted, want 1000", n)
	}
}

func TestGate_WhoGivesUpIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.enter(t.Context(), appends); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		gaveUp, entered := make(chan error, 1), make(chan error, 1)
		go func() { gaveUp <- g.enter(impatient, appends) }()
		go func() { entered <- g.enter(t.Context(), statements) }()
		if err := <-gaveUp; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("giving up: %v", err)
		}
		select {
		case <-entered:
			t.Error("entered although the gate was held")
		default:
		}
		g.leave()
		if err := <-entered; err != nil {
			t.Error(err)
		}
	})
}

func TestHistogram_QuantilesAreWithinTwentyPercent(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.observe(time.Duration(i+1) * time.Millisecond)
	}
	got := h.latency()
	near := func(got, want time.Duration) bool { return got >= want && float64(got) <= 1.2*float64(want) }
	if !near(got.P50, 500*time.Millisecond) || !near(got.P99, 990*time.Millisecond) || got.Max != time.Second || got.Count != 1000 {
		t.Errorf("latency %+v", got)
	}
}
