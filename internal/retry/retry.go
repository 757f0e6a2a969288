// Package retry spaces the attempts at what failed for a reason that may pass.
package retry

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
)

// A Backoff is the pauses between attempts. The longest that a pause can be
// doubles from Min up to Max; of that, a random part of up to a half is left
// out, so that those who failed together do not come back together. Both must
// be positive.
type Backoff struct{ Min, Max time.Duration }

// After returns the pause after an attempt that so many failed ones came
// before: 0 for the first.
func (b Backoff) After(failed int) time.Duration {
	longest := b.Max
	if shift := max(failed, 0); shift < 16 {
		longest = min(b.Min<<shift, b.Max)
	}
	return longest/2 + rand.N(longest/2+1)
}

// Wait waits as After says, or returns early with the context's error.
func (b Backoff) Wait(ctx context.Context, failed int) error {
	return pause.For(ctx, b.After(failed))
}

// Do makes an attempt, and further ones, at most so many in all, while each
// fails with an error that may pass and ctx is not done. It returns the last
// attempt's error.
func Do(ctx context.Context, attempts int, pauses Backoff, mayPass func(error) bool, attempt func() error) error {
	for failed := 0; ; failed++ {
		err := attempt()
		if err == nil || failed+1 >= attempts || !mayPass(err) || pauses.Wait(ctx, failed) != nil {
			return err
		}
	}
}
