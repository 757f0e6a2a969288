package audit

import (
	"context"
	"os"
	"time"

	"github.com/stationflow/stationflow/internal/serve"
)

// CallTimeout bounds one call, below what the scheduler waits.
const CallTimeout = 8 * time.Minute

// Handle is the function's entry point: each POST, whatever its body, has an
// Auditor made from the environment check once. It is answered 200 with the
// Result, whether or not all is complete: to call again would find the same.
var Handle = serve.Function("audit", func(ctx context.Context) (serve.Task, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	auditor, err := New(ctx, config)
	if err != nil {
		return nil, err
	}
	return serve.Result(func(ctx context.Context) (*Result, error) {
		ctx, cancel := context.WithTimeout(ctx, CallTimeout)
		defer cancel()
		return auditor.Check(ctx)
	}), nil
})
