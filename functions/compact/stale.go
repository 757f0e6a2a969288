package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/internal/lake"
)

// clean deletes what was replaced long enough ago, oldest merges first, once the
// objects that replace it are there and read as they were written.
func (c *Compactor) clean(ctx context.Context, t *task, now time.Time, result *Result) error {
	slices.SortFunc(t.merges, func(a, b merge) int {
		return cmp.Or(a.outputs[0].created.Compare(b.outputs[0].created), cmp.Compare(a.outputs[0].Name, b.outputs[0].Name))
	})
	gone := map[string]bool{}
	for _, m := range t.merges {
		stale := slices.DeleteFunc(m.stale, func(o object) bool { return gone[o.Name] })
		switch {
		case len(stale) == 0:
			continue
		case m.outputs[0].created.Add(c.config.Grace).After(now):
			result.Replaced += len(stale)
			continue
		case result.DryRun:
			result.Deleted, result.DeletedBytes = result.Deleted+len(stale), result.DeletedBytes+sizeOf(stale)
			continue
		}
		if err := c.confirm(ctx, t.hour, m.outputs); err != nil {
			return err
		}
		if err := c.remove(ctx, t, stale); err != nil {
			return err
		}
		for _, o := range stale {
			gone[o.Name] = true
		}
		result.Deleted, result.DeletedBytes = result.Deleted+len(stale), result.DeletedBytes+sizeOf(stale)
	}
	return nil
}

// confirm reads the objects of a merge: nothing that they replace is deleted
// unless they are there and hold the rows that they were made from.
func (c *Compactor) confirm(ctx context.Context, h *hour, outputs []object) error {
	r, err := newReader(c.bucket, h.topic, h.topicID)
	if err != nil {
		return err
	}
	for _, o := range outputs {
		attrs, err := c.bucket.Object(o.Name).Attrs(ctx)
		if err != nil {
			return fmt.Errorf("looking for object %s, which replaces others: %w", o.Name, err)
		}
		p := &part{object: o}
		p.Generation, p.size = attrs.Generation, attrs.Size
		from, err := r.fetch(ctx, p)
		if err == nil {
			err = r.check(from, p.size, -1, func(digest uint64) bool { return lake.HasDigest(attrs, digest) })
		}
		if err != nil {
			return fmt.Errorf("checking object %s, which replaces others: %w", o.Name, err)
		}
	}
	return nil
}

// remove deletes objects, each only in the state that was listed. Those that say
// what others replace go last, so that what is left of a call that ends early is
// known for what it is.
func (c *Compactor) remove(ctx context.Context, t *task, stale []object) error {
	var first, last []object
	for _, o := range stale {
		if t.made[o.Name] == o.Name {
			last = append(last, o)
		} else {
			first = append(first, o)
		}
	}
	for _, some := range [][]object{first, last} {
		group, deleting := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for _, o := range some {
			group.Go(func() error {
				err := c.bucket.Object(o.Name).If(storage.Conditions{GenerationMatch: o.Generation}).Delete(deleting)
				if err != nil && !isGone(err) {
					return fmt.Errorf("deleting object %s, which others replace: %w", o.Name, err)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// isGone reports whether an object is not there any more in the state that was
// to be deleted: another call was faster, or our first attempt was not answered.
func isGone(err error) bool {
	var refused *googleapi.Error
	return errors.Is(err, storage.ErrObjectNotExist) || errors.As(err, &refused) && (refused.Code == http.StatusNotFound || refused.Code == http.StatusPreconditionFailed)
}
