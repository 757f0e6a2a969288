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

// inquiryTimeout is how long a bridge has to say how it does.
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
	bridge  bridge.Snapshot
	failure string
}

func newInquiry(url string, before func() arrivals) *inquiry {
	i := &inquiry{url: url, arrivals: before}
	i.last.Store(&answer{failure: "not asked yet"})
	return i
}

// answer is the last one.
func (i *inquiry) answer() answer { return *i.last.Load() }

// watch asks every second until ctx is done.
func (i *inquiry) watch(ctx context.Context) {
	for {
		arrived := i.arrivals()
		now := i.ask(ctx)
		now.arrivals = arrived
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
		return answer{failure: err.Error()}
	}
	response, err := http.DefaultClient.Do(request)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return answer{failure: "connection refused"}
	case os.IsTimeout(err):
		return answer{failure: fmt.Sprintf("none within %v", inquiryTimeout)}
	case err != nil:
		return answer{failure: err.Error()}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer{failure: "it answered " + response.Status}
	}
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a.bridge); err != nil {
		return answer{failure: "what it answered is no bridge's status: " + err.Error()}
	}
	return a
}
