// Package compact merges the lake's files: those of a closed hour of a topic
// become one, or a few of sensible size, in the order of the offsets, with one
// row of each record, the earliest that arrived.
//
// No file is changed. Merged ones are added, whole and read back, each under a
// name made from what was merged; the last of a merge says which files they
// replace. These are deleted when all who may have listed them without the
// merged ones have read them: after Config.Grace. Until then a reader finds
// records twice, and keeps one row of each, as of any record that was delivered
// twice. Nothing is remembered elsewhere, so a call that ends at any step is
// repeated by the next one, and two calls at once do no harm.
//
// compact.go is a call, hours.go decides what is due, part.go, plan.go, rows.go
// and merge.go merge an hour, output.go writes and stale.go deletes.
package compact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/env"
)

// Config says what is merged, and when. Zero values of the sizes stand for
// their defaults.
type Config struct {
	Bucket string
	After  time.Duration // an hour is closed so long after its end; files younger than this keep it open
	Grace  time.Duration // how long files stay that others replace
	Days   int           // event days back from today that each call looks at; about once a day all are
	Budget time.Duration // after which a call begins no further hour; 0 for none

	ObjectBytes int64 // of a merged file, at most
	WindowRows  int   // that are in memory at a time
	WindowBytes int64 // likewise, uncompressed
	HeldBytes   int64 // of files that are kept in memory between two looks at them

	Now     func() time.Time // nil for time.Now
	Logger  *slog.Logger     // nil for slog.Default()
	Storage []option.ClientOption
}

// DefaultGrace is how long a query of BigQuery may take: one that began before a
// merge has ended after it.
const DefaultGrace = 6 * time.Hour

// Sizes that hold a call well within the function's 1 GiB.
const (
	defaultObjectBytes = 128 << 20
	defaultWindowRows  = 1 << 15
	defaultWindowBytes = 16 << 20
	defaultHeldBytes   = 32 << 20
)

// lateAfter is when an hour is merged although files go on coming.
const lateAfter = 24 * time.Hour

// FromEnv reads LAKE_BUCKET and the variables that begin with COMPACT_. The
// error lists every fault.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	c := Config{
		Bucket:      r.Required("LAKE_BUCKET", "set it to the name of the lake's Cloud Storage bucket"),
		After:       r.Duration("COMPACT_AFTER", time.Hour, 0, 7*24*time.Hour),
		Grace:       r.Duration("COMPACT_GRACE", DefaultGrace, 0, 30*24*time.Hour),
		Days:        int(r.Int("COMPACT_DAYS", 3, 1, 366)),
		ObjectBytes: r.Int("COMPACT_OBJECT_BYTES", defaultObjectBytes, 1<<20, 256<<20),
	}
	return c, r.Err()
}

// A Compactor merges. It is safe for concurrent use.
type Compactor struct {
	config Config
	client *storage.Client
	bucket *storage.BucketHandle
}

// New connects to the bucket, and asks nothing yet. Close the compactor when it
// is not used any more.
func New(ctx context.Context, config Config) (*Compactor, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	config.ObjectBytes = orDefault(config.ObjectBytes, defaultObjectBytes)
	config.WindowRows = orDefault(config.WindowRows, defaultWindowRows)
	config.WindowBytes = orDefault(config.WindowBytes, defaultWindowBytes)
	config.HeldBytes = orDefault(config.HeldBytes, defaultHeldBytes)
	client, err := storage.NewClient(ctx, append([]option.ClientOption{storage.WithJSONReads()}, config.Storage...)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	return &Compactor{config, client, client.Bucket(config.Bucket)}, nil
}

func orDefault[T int | int64](n, fallback T) T {
	if n > 0 {
		return n
	}
	return fallback
}

// Close ends the connections.
func (c *Compactor) Close() error { return c.client.Close() }

// A Choice narrows what a call looks at.
type Choice struct {
	Topics   []string  // nil for all
	From, To time.Time // event hours, UTC; zero for no bound, both zero for the days of the configuration
	DryRun   bool      // only say what would be done
}

// A Result is what a call did, or would do.
type Result struct {
	DryRun       bool     `json:"dry_run,omitempty"`
	Hours        []Hour   `json:"hours"`   // that were merged, oldest first
	Waiting      int      `json:"waiting"` // hours that are not closed, or to which files still come
	Deleted      int      `json:"deleted"` // objects that others replace
	DeletedBytes int64    `json:"deleted_bytes"`
	Replaced     int      `json:"replaced"`   // objects that others replace, and that stay until their time
	Unfinished   int      `json:"unfinished"` // hours for which there was no time
	Left         []string `json:"left"`       // objects that were not merged, and why
	Errors       []string `json:"errors"`     // one for each hour that failed
}

// An Hour is one that was merged. In a dry run it is not known how many records
// there are.
type Hour struct {
	Topic      string    `json:"topic"`
	Hour       time.Time `json:"hour"`
	Objects    int       `json:"objects"` // that were merged
	Into       int       `json:"into"`    // objects
	Records    int64     `json:"records"`
	Duplicates int64     `json:"duplicates"` // rows of records that are there already
	Bytes      int64     `json:"bytes"`      // of the objects that were merged
	BytesAfter int64     `json:"bytes_after"`
}

// Run does what is due: it deletes what was replaced long enough ago, then
// merges, oldest hours first. One hour's failure does not stop the others; the
// error is that of all that failed, and the result says what was done all the
// same. To run again, at any time, and at the same time, does no harm.
func (c *Compactor) Run(ctx context.Context, choice Choice) (*Result, error) {
	began := c.config.Now()
	result := &Result{DryRun: choice.DryRun, Hours: []Hour{}, Left: []string{}, Errors: []string{}}
	hours, err := c.list(ctx, choice, began)
	if err != nil {
		result.Errors = append(result.Errors, err.Error())
		return result, err
	}
	var failed []error
	fail := func(h *hour, err error) {
		if errors.Is(err, storage.ErrObjectNotExist) { // another call has deleted it: look again the next time
			result.Waiting++
			return
		}
		err = fmt.Errorf("compacting %v: %w", h, err)
		result.Errors = append(result.Errors, err.Error())
		failed = append(failed, err)
	}
	looks, faults := c.lookAt(ctx, hours, began)
	var tasks []*task
	for i, t := range looks {
		err := faults[i]
		if err == nil {
			err = c.clean(ctx, t, began, result)
		}
		if err != nil {
			fail(hours[i], err)
			continue
		}
		tasks = append(tasks, t)
	}
	for _, t := range tasks {
		switch {
		case t.waits:
			result.Waiting++
		case len(t.live) == 0:
		case ctx.Err() != nil, c.config.Budget > 0 && c.config.Now().Sub(began) > c.config.Budget:
			result.Unfinished++
		default:
			if err := c.merge(ctx, t, result); err != nil {
				fail(t.hour, err)
			}
		}
	}
	if ctx.Err() != nil {
		failed = append(failed, ctx.Err())
	}
	return result, errors.Join(failed...)
}

// lookAt finds out what is to be done in each hour, in the time of a few of them.
func (c *Compactor) lookAt(ctx context.Context, hours []*hour, now time.Time) ([]*task, []error) {
	tasks, faults := make([]*task, len(hours)), make([]error, len(hours))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, h := range hours {
		group.Go(func() error {
			tasks[i], faults[i] = c.look(ctx, h, now)
			return nil
		})
	}
	_ = group.Wait()
	return tasks, faults
}

func topicsOf(choice Choice) []string {
	if choice.Topics != nil {
		return choice.Topics
	}
	return slices.Sorted(slices.Values(event.Topics()))
}
