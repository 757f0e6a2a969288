package page

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

const (
	// askEvery is how often a table's metadata is asked for, at most.
	askEvery = 10 * time.Second
	// retryAfter is how long a table is left alone after a failure.
	retryAfter = 30 * time.Second
	// askTimeout bounds it.
	askTimeout = 10 * time.Second
	// patience is for how long an answer waits for a reading. The page asks again,
	// and Cloud Run gives CPU only while somebody asks.
	patience = 5 * time.Second
)

// A watch has something read when a table has changed, once for each change, and
// only when somebody looks. That a table has changed its metadata tells, which
// cost nothing to read.
type watch struct {
	table *bigquery.Table
	read  func(context.Context) error
	now   func() time.Time

	mu      sync.Mutex
	next    time.Time     // before which nothing is asked
	known   time.Time     // the last change that was read; zero before the first
	busy    chan struct{} // closed when what is under way ends; nil while nothing is
	failure string        // why the last attempt failed; "" when it did not
}

// look has what is due read, and waits for it until ctx ends. The reading goes on
// after that.
func (w *watch) look(ctx context.Context) {
	w.mu.Lock()
	if w.busy == nil && !w.now().Before(w.next) {
		w.busy = make(chan struct{})
		go w.catchUp(context.WithoutCancel(ctx))
	}
	busy := w.busy
	w.mu.Unlock()
	if busy == nil {
		return
	}
	select {
	case <-busy:
	case <-ctx.Done():
	}
}

// catchUp reads when the table has changed since the last reading.
func (w *watch) catchUp(ctx context.Context) {
	changed, err := w.changed(ctx)
	w.mu.Lock()
	known := w.known
	w.mu.Unlock()
	if err == nil && !changed.Equal(known) {
		err = w.read(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure, w.next = "", w.now().Add(askEvery)
	if err != nil {
		w.failure, w.next = err.Error(), w.now().Add(retryAfter)
	} else {
		w.known = changed
	}
	close(w.busy)
	w.busy = nil
}

// changed is when the table was last changed; zero where there is none yet.
func (w *watch) changed(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	about, err := w.table.Metadata(ctx)
	if bqconfig.IsMissing(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("asking when %s was changed: %w", w.table.TableID, err)
	}
	return about.LastModifiedTime, nil
}

// seen says whether the table has been asked for, and why that failed.
func (w *watch) seen() (asked bool, failure string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.next.IsZero(), w.failure
}
