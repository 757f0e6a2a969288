package compact

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/stationflow/stationflow/internal/lazy"
)

// CallTimeout bounds one call, below what the scheduler waits; no hour is begun
// after budget.
const (
	CallTimeout = 8 * time.Minute
	budget      = 5 * time.Minute
)

// Handle is the function's entry point: a Compactor made from the environment
// answers; see ServeHTTP.
func Handle(w http.ResponseWriter, r *http.Request) {
	compactor, err := fromEnvironment.Get(func() (*Compactor, error) { return setUp(context.WithoutCancel(r.Context())) })
	if err != nil {
		slog.Error("setting up compact", "error", err.Error())
		http.Error(w, "compact is not set up; the log says why", http.StatusInternalServerError)
		return
	}
	compactor.ServeHTTP(w, r)
}

// ServeHTTP runs once for each POST, whatever its body. It answers 200 with the
// Result as JSON, and 500 with the same where an hour failed: the next call
// tries it again.
func (c *Compactor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send POST", http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), CallTimeout)
	defer cancel()
	began := time.Now()
	result, err := c.Run(ctx, Choice{})
	c.log(result, err, time.Since(began))
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_ = json.NewEncoder(w).Encode(result) // the caller is gone: nobody to tell
}

// mostLeft is how many objects that were not merged the log names.
const mostLeft = 20

func (c *Compactor) log(r *Result, err error, took time.Duration) {
	attrs := []any{"hours", len(r.Hours), "waiting", r.Waiting, "deleted", r.Deleted, "replaced", r.Replaced, "unfinished", r.Unfinished, "took_ms", took.Milliseconds()}
	if len(r.Left) > 0 {
		c.config.Logger.Warn("objects were not merged", "objects", len(r.Left), "first", r.Left[:min(len(r.Left), mostLeft)])
	}
	if err != nil {
		c.config.Logger.Error("compaction failed", append(attrs, "error", err.Error())...)
		return
	}
	c.config.Logger.Info("compaction finished", attrs...)
}

// fromEnvironment is the process's one Compactor.
var fromEnvironment lazy.Value[*Compactor]

func setUp(ctx context.Context) (*Compactor, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	config.Budget = budget
	return New(ctx, config)
}
