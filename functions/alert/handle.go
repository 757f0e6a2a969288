package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lazy"
)

// maxBodyBytes is more than a batch has.
const maxBodyBytes = batch.MaxEncodedBytes + 1

// Handle is the function's entry point: a Watch made from the environment
// answers; see ServeHTTP.
func Handle(w http.ResponseWriter, r *http.Request) {
	watch, err := fromEnvironment.Get(setUp)
	if err != nil {
		slog.Error("setting up alert", "error", err.Error())
		http.Error(w, "alert is not set up; the log says why", http.StatusServiceUnavailable)
		return
	}
	watch.ServeHTTP(w, r)
}

// ServeHTTP takes the batch that a POST carries as a CloudEvent in binary mode,
// which is what a push subscription without a wrapper delivers. It answers 200
// once all of it is told, and 503 with why until then: Pub/Sub delivers it
// again. What is no batch is logged and answered 200 as well, since no further
// delivery could make it one; ingest keeps it as a dead letter.
func (w *Watch) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		answer.Header().Set("Allow", http.MethodPost)
		http.Error(answer, "alert takes a batch by POST", http.StatusMethodNotAllowed)
		return
	}
	err := w.take(r)
	var malformed *batch.Malformed
	switch {
	case errors.As(err, &malformed):
		w.config.Logger.Warn("alert got no batch", "error", err.Error())
		_, _ = fmt.Fprintln(answer, "no batch: ", malformed.Attribute) // the caller is gone: nobody to tell
	case err != nil:
		w.config.Logger.Error("alerts not told", "event_id", r.Header.Get("Ce-Id"), "error", err.Error())
		http.Error(answer, "not all alerts are told; the log says why", http.StatusServiceUnavailable)
	}
}

func (w *Watch) take(r *http.Request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes))
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	e, err := batch.FromHTTP(r.Header, body)
	if err != nil {
		return err
	}
	b, err := batch.FromEvent(e)
	if err != nil {
		return err
	}
	return w.Tell(r.Context(), b)
}

// fromEnvironment is the process's one Watch.
var fromEnvironment lazy.Value[*Watch]

func setUp() (*Watch, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return New(context.Background(), config) // it outlives the call
}
