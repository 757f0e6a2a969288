package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/internal/lazy"
	"github.com/stationflow/stationflow/internal/tracing"
)

// Handle is the function's entry point: a Function made from the environment
// answers; see ServeHTTP. While it cannot be made the answer is 503.
//
// It is an HTTP function that reads CloudEvents itself. The functions
// framework would answer what it cannot read with 400 or 500 and repeat the
// whole body in answer and log, and nothing would count that.
func Handle(w http.ResponseWriter, r *http.Request) {
	f, err := fromEnvironment.Get(setUp)
	if err != nil {
		slog.Error("setting up ingest", "error", err.Error())
		w.Header().Set(batch.HeaderClass, string(fault.Misconfigured))
		http.Error(w, "ingest is not set up; the log says why", http.StatusServiceUnavailable)
		return
	}
	f.ServeHTTP(w, r)
}

// ServeHTTP ingests the batch that a POST carries and answers, with the
// reason as text,
//
//   - 200 once all of the batch is durable;
//   - 422 for an event that is not a batch of a known topic;
//   - 503 for what is not the batch's fault, or not known to be: the same
//     delivery succeeds when the sink is there again, or when a person has
//     granted what is missing;
//   - 500 for what is the batch's fault: a row that even the quarantine
//     refuses, other contents in the lake under the batch's name, a crash.
//
// Pub/Sub delivers all but the first again until the subscription's limit of
// attempts and then puts the event into the dead letter; it does so after a
// 422 too, because to acknowledge a foreign event would lose it unseen. The
// bridge, when it posts itself, counts 422 and 500 as verdicts on the batch,
// and waits until a 503 has passed. The header batch.HeaderClass has the class
// of the failure, as the log has it: an answer without it is not this
// function's.
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "ingest takes a batch by POST", http.StatusMethodNotAllowed)
		return
	}
	defer f.config.Tracer.Flush() // after the turn was given back
	// A batch that waits for its turn is still on its way: it takes no memory
	// of this process.
	if !f.takeTurn(r.Context()) {
		// The caller may be gone, or may only have a shorter limit on the
		// call: to return without an answer would be to answer 200.
		w.Header().Set(batch.HeaderClass, string(fault.Outage))
		http.Error(w, "ingest is busy", http.StatusServiceUnavailable)
		return
	}
	defer func() { <-f.turns }()
	if err := f.take(w, r); err != nil {
		w.Header().Set(batch.HeaderClass, string(classify(err)))
		http.Error(w, clean(err.Error()), statusOf(err))
	}
}

// takeTurn waits for a turn, and returns false when ctx ends before.
func (f *Function) takeTurn(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false // select would choose at random
	}
	select {
	case f.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *Function) take(w http.ResponseWriter, r *http.Request) error {
	d := f.decoded.Get().(*decoded)
	var err error
	if d.body, err = readInTime(w, r, d.body); err != nil {
		return f.refuse(err)
	}
	e, err := receive(r.Header, d.body)
	if err != nil {
		return f.refuse(err)
	}
	return f.ingestIn(r.Context(), d, e)
}

// bodyTimeout bounds the reading of a body: a slow sender must not keep a turn
// from others.
const bodyTimeout = 30 * time.Second

// readInTime is readBody, within bodyTimeout where the server can do that.
func readInTime(w http.ResponseWriter, r *http.Request, memory []byte) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // else the server's own limits hold
	body, err := readBody(r, memory)
	if err == nil {
		_ = control.SetReadDeadline(time.Time{}) // else it would end the call as if the caller were gone
	}
	return body, err
}

// statusOf is the answer to a delivery that failed.
func statusOf(err error) int {
	if isForeign(err) {
		return http.StatusUnprocessableEntity
	}
	if classify(err) == fault.OfBatch {
		return http.StatusInternalServerError
	}
	return http.StatusServiceUnavailable
}

// fromEnvironment is the process's one Function.
var fromEnvironment lazy.Value[*Function]

func setUp() (*Function, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	config.Tracer = tracing.FromEnv(os.Getenv, "stationflow-ingest", slog.Default())
	return New(context.Background(), config) // it outlives the call
}
