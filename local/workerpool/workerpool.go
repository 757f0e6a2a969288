// Package workerpool stands in for one worker pool of Cloud Run: its Admin API
// over HTTP, and its instances as goroutines of this process.
package workerpool

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// A Pool has as many instances as were last asked for, or is on the way
// there. Instances start and end one after the other, as if there were one
// machine. It is safe for concurrent use.
type Pool struct {
	name string
	run  func(ctx context.Context, ordinal int) error

	mu    sync.Mutex
	set   int
	since time.Time // when set last changed
	ended bool

	changed chan struct{}
	done    chan struct{}
}

// New returns a pool with no instances. name is its full name. run is one
// instance, the first of which has ordinal 0: it goes on until ctx is done,
// and returns an error only for a fault that starting it again cannot mend,
// which failed is told.
func New(name string, run func(ctx context.Context, ordinal int) error, failed func(error)) *Pool {
	p := &Pool{name: name, run: run, since: time.Now(), changed: make(chan struct{}, 1), done: make(chan struct{})}
	go p.keep(failed)
	return p
}

// An instance is one that runs.
type instance struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// keep starts and ends instances until the pool is closed.
func (p *Pool) keep(failed func(error)) {
	defer close(p.done)
	var running []instance
	for {
		want, ended := p.wanted()
		switch {
		case len(running) < want:
			running = append(running, p.start(len(running), failed))
		case len(running) > want:
			last := running[len(running)-1]
			last.stop()
			<-last.ended
			running = running[:len(running)-1]
		case ended:
			return
		default:
			<-p.changed
		}
	}
}

func (p *Pool) start(ordinal int, failed func(error)) instance {
	ctx, stop := context.WithCancel(context.Background())
	one := instance{stop, make(chan struct{})}
	go func() {
		defer close(one.ended)
		if err := p.run(ctx, ordinal); err != nil {
			failed(err)
		}
	}()
	return one
}

func (p *Pool) wanted() (instances int, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set, p.ended
}

// Set asks for so many instances, and does not wait for them.
func (p *Pool) Set(instances int) {
	p.mu.Lock()
	if p.set != instances {
		p.set, p.since = instances, time.Now()
	}
	p.mu.Unlock()
	p.signal()
}

func (p *Pool) signal() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Instances returns how many were last asked for, and since when.
func (p *Pool) Instances() (set int, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set, p.since
}

// Close ends all instances, and returns when they have.
func (p *Pool) Close() {
	p.mu.Lock()
	p.set, p.ended = 0, true
	p.mu.Unlock()
	p.signal()
	<-p.done
}

// mostBody is plenty for what may be changed.
const mostBody = 64 << 10

// A resource is what the Admin API calls a WorkerPool, as far as it is here.
type resource struct {
	Name    string  `json:"name"`
	Scaling scaling `json:"scaling"`
}

type scaling struct {
	ManualInstanceCount int `json:"manualInstanceCount"`
}

// ServeHTTP answers workerPools.get, and workerPools.patch of the number of
// instances (https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools).
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/v2/"+p.name:
		refuse(w, http.StatusNotFound, "NOT_FOUND", "there is no "+r.URL.Path)
	case r.Method == http.MethodGet:
		set, _ := p.Instances()
		answer(w, http.StatusOK, resource{p.name, scaling{set}})
	case r.Method == http.MethodPatch:
		p.patch(w, r)
	default:
		refuse(w, http.StatusMethodNotAllowed, "UNIMPLEMENTED", r.Method+" is not served")
	}
}

func (p *Pool) patch(w http.ResponseWriter, r *http.Request) {
	if mask := r.URL.Query().Get("updateMask"); mask != "scaling.manualInstanceCount" {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT",
			fmt.Sprintf("of a pool only scaling.manualInstanceCount can be changed here, not %q", mask))
		return
	}
	var asked struct {
		Scaling struct{ ManualInstanceCount *int }
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(&asked)
	count := asked.Scaling.ManualInstanceCount
	if err != nil || count == nil || *count < 0 {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT",
			"scaling.manualInstanceCount must be a whole number of 0 or more")
		return
	}
	p.Set(*count)
	answer(w, http.StatusOK, map[string]any{"name": p.name + "/operations/1", "done": true})
}

func refuse(w http.ResponseWriter, code int, status, message string) {
	answer(w, code, map[string]any{"error": map[string]any{"code": code, "status": status, "message": message}})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
