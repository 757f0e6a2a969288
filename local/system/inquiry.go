package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/pause"
)

// inquiryTimeout is how long a program has to say how it does.
const inquiryTimeout = 2 * time.Second

// An inquiry asks a bridge that runs as a process of its own how it does.
type inquiry struct {
	url      string          // of its status
	arrivals func() arrivals // read before it is asked
	last     atomic.Pointer[answer]
}

// An answer is what a bridge said, or why it said nothing.
type answer struct {
	arrivals
	bridge bridge.Snapshot
	silence
}

// A silence says for how long a program gives no answer, and why.
type silence struct {
	failure string    // "" when it answers
	since   time.Time // when it began
	known   bool      // it has answered before: the program was there
}

// notAsked is the silence of the beginning.
func notAsked() silence { return silence{failure: "not asked yet", since: time.Now()} }

// then is the silence after the next question, which failed like this or not.
func (s silence) then(failure string) silence {
	now := silence{failure: failure, since: s.since, known: s.known || failure == ""}
	if s.failure == "" || failure == "" {
		now.since = time.Now()
	}
	return now
}

// lasts reports whether a program that was there is silent for long.
func (s silence) lasts() bool { return s.known && s.failure != "" && time.Since(s.since) > patience }

// refusedConnection is the failure where nothing listens.
const refusedConnection = "connection refused"

// remedy says what to do about a program that does not answer; toStart is for
// one that is not there.
func (s silence) remedy(toStart string) string {
	if s.failure == refusedConnection {
		return toStart
	}
	return "Something listens there, so that it need not be started: let it go on if it was stopped (Ctrl-Z, a debugger); otherwise end it and start it again."
}

func newInquiry(url string, before func() arrivals) *inquiry {
	i := &inquiry{url: url, arrivals: before}
	i.last.Store(&answer{silence: notAsked()})
	return i
}

// answer is the last one.
func (i *inquiry) answer() answer { return *i.last.Load() }

// watch asks every second until ctx is done.
func (i *inquiry) watch(ctx context.Context) {
	for {
		arrived := i.arrivals()
		now := i.ask(ctx)
		now.arrivals, now.silence = arrived, i.answer().then(now.failure)
		i.last.Store(&now)
		if pause.For(ctx, readEvery) != nil {
			return
		}
	}
}

func (i *inquiry) ask(ctx context.Context) answer {
	ctx, cancel := context.WithTimeout(ctx, inquiryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.url, nil)
	if err != nil {
		return failed(err.Error())
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return failed(unreached(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return failed("it answered " + response.Status)
	}
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a.bridge); err != nil {
		return failed("what it answered is no bridge's status: " + err.Error())
	}
	return a
}

func failed(why string) answer { return answer{silence: silence{failure: why}} }

// unreached says why a question got no answer.
func unreached(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refusedConnection
	case os.IsTimeout(err):
		return fmt.Sprintf("none within %v", inquiryTimeout)
	}
	return err.Error()
}
