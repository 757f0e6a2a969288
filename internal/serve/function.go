package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/stationflow/stationflow/internal/lazy"
	"github.com/stationflow/stationflow/internal/program"
)

// A Task is what a function does for one request. Its result is what the caller
// gets as JSON. An error that is a program.Mistake is the caller's; with any
// other one the result, if there is one, says how far the task came.
type Task func(ctx context.Context, body []byte) (result any, err error)

// Result makes a Task of what takes no request and has no result after an error.
func Result[R any](do func(context.Context) (R, error)) Task {
	return func(ctx context.Context, _ []byte) (any, error) {
		result, err := do(ctx)
		if err != nil {
			return nil, err
		}
		return result, nil
	}
}

// maxBody is more than any function with a result takes, in bytes.
const maxBody = 64 << 10

// Function returns the entry point of a function that answers each POST with the
// result of a task: with 200, with 400 and why as text where the request was a
// mistake, or with 500. Then the log has why, under the function's name, and the
// body is the result, or why as text where there is none.
//
// setUp makes the task when the first request comes; where it fails the request
// is answered 500, and the next one has it tried again.
func Function(name string, setUp func(context.Context) (Task, error)) http.HandlerFunc {
	var made lazy.Value[Task]
	return func(w http.ResponseWriter, r *http.Request) {
		task, err := made.Get(func() (Task, error) { return setUp(context.WithoutCancel(r.Context())) })
		if err != nil {
			slog.Error("setting up "+name, "error", err.Error())
			http.Error(w, name+" is not set up; the log says why", http.StatusInternalServerError)
			return
		}
		answer(w, r, name, task)
	}
}

func answer(w http.ResponseWriter, r *http.Request, name string, task Task) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send POST", http.StatusMethodNotAllowed)
		return
	}
	result, err := call(w, r, task)
	var mistake program.Mistake
	status := http.StatusOK
	switch {
	case errors.As(err, &mistake):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case err != nil:
		slog.Error(name+" failed", "error", err.Error())
		if status = http.StatusInternalServerError; result == nil {
			http.Error(w, err.Error(), status)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(result) // the caller is gone: nobody to tell
}

func call(w http.ResponseWriter, r *http.Request, task Task) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, program.Mistakef("reading the body: %w", err)
	}
	return task(r.Context(), body)
}
