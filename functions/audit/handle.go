package audit

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/stationflow/stationflow/internal/lazy"
)

// CallTimeout bounds one call, below what the scheduler waits.
const CallTimeout = 8 * time.Minute

// Handle is the function's entry point: an Auditor made from the environment
// answers; see ServeHTTP.
func Handle(w http.ResponseWriter, r *http.Request) {
	auditor, err := fromEnvironment.Get(func() (*Auditor, error) { return setUp(context.WithoutCancel(r.Context())) })
	if err != nil {
		slog.Error("setting up audit", "error", err.Error())
		http.Error(w, "audit is not set up; the log says why", http.StatusInternalServerError)
		return
	}
	auditor.ServeHTTP(w, r)
}

// ServeHTTP checks once for each POST, whatever its body. It answers 200 with
// the Result as JSON, whether or not all is complete: to call again would find
// the same. It answers 500 with why as text where that could not be found out.
func (a *Auditor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send POST", http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), CallTimeout)
	defer cancel()
	result, err := a.Check(ctx)
	if err != nil {
		a.config.Logger.Error("audit failed", "error", err.Error())
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // the caller is gone: nobody to tell
}

// fromEnvironment is the process's one Auditor.
var fromEnvironment lazy.Value[*Auditor]

func setUp(ctx context.Context) (*Auditor, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return New(ctx, config)
}
