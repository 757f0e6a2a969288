package scale

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"

	"github.com/stationflow/stationflow/internal/lazy"
)

// Handle is the function's entry point: a Checker made from the environment
// answers; see ServeHTTP.
func Handle(w http.ResponseWriter, r *http.Request) {
	checker, err := fromEnvironment.Get(func() (*Checker, error) { return setUp(context.WithoutCancel(r.Context())) })
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

// fromEnvironment is the process's one Checker.
var fromEnvironment lazy.Value[*Checker]

func setUp(ctx context.Context) (*Checker, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return New(ctx, config)
}
