package scale

import (
	"context"
	"os"

	"github.com/stationflow/stationflow/internal/serve"
)

// Handle is the function's entry point: each POST, whatever its body, has a
// Checker made from the environment check once. After an error the pool is as it
// was.
var Handle = serve.Function("scale", func(ctx context.Context) (serve.Task, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	checker, err := New(ctx, config)
	if err != nil {
		return nil, err
	}
	return serve.Result(checker.Check), nil
})
