package scale

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"sync"
)

// Handle is the function's entry point: a Checker made from the environment
// answers; see ServeHTTP.
func Handle(w http.ResponseWriter, r *http.Request) {
	checker, err := fromEnvironment.get(context.WithoutCancel(r.Context()))
	if err != nil {
		slog.Error("setting up scale", "error", err.Error())
		http.Error(w, "scale is not set up; the log says why", http.StatusInternalServerError)
		return
	}
	checker.ServeHTTP(w, r)
}

// ServeHTTP checks once for each POST, whatever its body. It answers 200 with
// the Result as JSON, or 500 with why as text; then the pool is as it was.
func (c *Checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send POST", http.StatusMethodNotAllowed)
		return
	}
	result, err := c.Check(r.Context())
	if err != nil {
		c.config.Logger.Error("check failed", "error", err.Error())
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // the caller is gone: nobody to tell
}

// fromEnvironment makes the process's one Checker with the first call; when
// that fails the next call tries again.
var fromEnvironment lazy

type lazy struct {
	mu      sync.Mutex
	checker *Checker
}

func (l *lazy) get(ctx context.Context) (*Checker, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checker != nil {
		return l.checker, nil
	}
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	l.checker, err = New(ctx, config)
	return l.checker, err
}
