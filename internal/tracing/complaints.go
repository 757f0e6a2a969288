package tracing

import (
	"log/slog"
	"sync"
	"time"
)

// complaintsEvery is how often it is logged that spans are lost.
const complaintsEvery = time.Minute

// complaints logs that spans are lost, now and then: a collector that is away
// must not fill the log.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex
	last  time.Time
	since int // that were not logged
}

// Handle is called with each error of the exporter.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.last) < complaintsEvery {
		c.since++
		return
	}
	c.log.Warn("spans are lost: the collector of traces does not take them", "error", clean(err.Error()), "not_logged", c.since)
	c.last, c.since = time.Now(), 0
}
