// Package pause waits, as long as it is worth it.
package pause

import (
	"context"
	"time"
)

// For waits for d, or returns early with the context's error.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
