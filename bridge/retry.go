package bridge

import (
	"math/rand/v2"
	"time"
)

const retryMin = 100 * time.Millisecond

// backoff is the pause before the attempt after so many failed ones, see
// backoffFrom.
func backoff(failed int, most time.Duration) time.Duration {
	return backoffFrom(retryMin, failed, most)
}

// backoffFrom is a pause that doubles from least up to most, less a random
// half, so that partitions which failed together do not come back together.
func backoffFrom(least time.Duration, failed int, most time.Duration) time.Duration {
	pause := most
	if failed < 16 {
		pause = min(least<<failed, most)
	}
	return pause/2 + rand.N(pause/2+1)
}
