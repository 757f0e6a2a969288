package compact

import (
	"context"
	"os"
	"time"

	"github.com/stationflow/stationflow/internal/serve"
)

// CallTimeout bounds one call, below what the scheduler waits; no hour is begun
// after budget.
const (
	CallTimeout = 8 * time.Minute
	budget      = 5 * time.Minute
)

// Handle is the function's entry point: each POST, whatever its body, has a
// Compactor made from the environment run once. It is answered with the Result,
// 500 where an hour failed: the next call tries it again.
var Handle = serve.Function("compact", func(ctx context.Context) (serve.Task, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	config.Budget = budget
	compactor, err := New(ctx, config)
	if err != nil {
		return nil, err
	}
	return compactor.Task, nil
})

// Task runs once. Its result, a *Result, is there with an error, too.
func (c *Compactor) Task(ctx context.Context, _ []byte) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	began := time.Now()
	result, err := c.Run(ctx, Choice{})
	c.log(result, err, time.Since(began))
	return result, err
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
