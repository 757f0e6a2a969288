package transform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
)

// A Service lets one run happen at a time. Calls that arrive while one is in
// progress share the next: it starts after they arrived, so it reads all that
// was in staging when they did.
type Service struct {
	run  func(ctx context.Context, until time.Time) *run.Report
	wait time.Duration // longest wait for a run in progress

	turn chan struct{} // holds one token while a run is in progress
	mu   sync.Mutex
	next *flight // the run that arriving calls join; nil until one arrives
}

// A flight is one run and the calls that share it.
type flight struct {
	started chan struct{}
	done    chan struct{}
	until   time.Time   // when the last of the calls stops waiting; guarded by the service's mu until the start
	report  *run.Report // set before done is closed; nil when the run could not start
}

// NewService returns a service around once, which is never called twice at a
// time. wait bounds how long a call waits for a run before its own: in this
// process, or until the given time in another. It returns nil when that one
// takes longer.
func NewService(once func(ctx context.Context, until time.Time) *run.Report, wait time.Duration) *Service {
	return &Service{run: once, wait: wait, turn: make(chan struct{}, 1)}
}

// Run returns the report of a run that started after the call. It returns nil
// when the run in progress takes longer than the service waits, or when ctx
// ends before a run of its own has started.
func (s *Service) Run(ctx context.Context) *run.Report {
	joined := s.join()
	patience := time.NewTimer(s.wait)
	defer patience.Stop()
	select {
	case s.turn <- struct{}{}:
		s.fly(ctx, joined)
	case <-joined.started:
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return nil
	}
	select {
	case <-joined.done:
		return joined.report
	case <-ctx.Done():
		return nil
	}
}

// join returns the flight that starts next. Those who joined before may have
// left, so it may wait as long as the latest call does.
func (s *Service) join() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &flight{started: make(chan struct{}), done: make(chan struct{})}
	}
	s.next.until = time.Now().Add(s.wait)
	return s.next
}

// fly carries the flight out, unless another of its calls already has, and
// hands the turn on. Others may wait for the report, so the run does not end
// with the call that happened to start it.
func (s *Service) fly(ctx context.Context, f *flight) {
	defer func() { <-s.turn }()
	if !s.takeOff(f) {
		return
	}
	defer close(f.done)
	defer func() {
		if fault := recover(); fault != nil {
			f.report = run.Failed(fmt.Sprintf("the run panicked: %v", fault))
		}
	}()
	f.report = s.run(context.WithoutCancel(ctx), f.until)
}

// takeOff marks the flight started, so that later calls join another.
func (s *Service) takeOff(f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != f {
		return false
	}
	s.next = nil
	close(f.started)
	return true
}

// maxBody is plenty for the empty object that a body may be.
const maxBody = 4 << 10

// ServeHTTP answers POST with an empty body or {}: 200 when prod_data includes
// every row that was in staging when the request arrived, 409 when the run in
// progress took too long, 500 when a model or a test of severity error failed.
// The body is the run's report.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, run.Failed("send POST"))
		return
	}
	if err := checkBody(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		answer(w, http.StatusBadRequest, run.Failed(err.Error()))
		return
	}
	report := s.Run(r.Context())
	switch {
	case report == nil:
		answer(w, http.StatusConflict, run.Failed(fmt.Sprintf("another run has been in progress for more than %v: send the request again", s.wait)))
	case report.OK():
		answer(w, http.StatusOK, report)
	default:
		answer(w, http.StatusInternalServerError, report)
	}
}

func checkBody(body io.Reader) error {
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(content, &object); err != nil || object == nil || len(object) > 0 {
		return fmt.Errorf("the body must be empty or {}")
	}
	return nil
}

func answer(w http.ResponseWriter, status int, report *run.Report) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report) // the caller is gone: nobody to tell
}
