package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/lake"
)

// OpenDays is how far back alerts are looked for that are still open.
const OpenDays = 7

// reads is how many marks are read at once.
const reads = 16

// OpenAt returns the marks of the alerts that are open at a moment, the newest
// first. It reads those of OpenDays.
func OpenAt(ctx context.Context, bucket *storage.BucketHandle, at time.Time) ([]Mark, error) {
	objects, err := List(ctx, bucket, at)
	if err != nil {
		return nil, err
	}
	marks := make([]Mark, len(objects))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(reads)
	for i, object := range objects {
		reading.Go(func() (err error) {
			marks[i], err = Read(ctx, bucket, object.Name)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	marks = slices.DeleteFunc(marks, func(m Mark) bool { return !m.Notification.OpenAt(at) })
	slices.SortFunc(marks, func(a, b Mark) int {
		return cmp.Or(b.Notification.BeganAt.Compare(a.Notification.BeganAt), cmp.Compare(a.Notification.Key, b.Notification.Key))
	})
	return marks, nil
}

// List returns the objects of the marks that may be open at a moment: those of
// OpenDays before it, by name.
func List(ctx context.Context, bucket *storage.BucketHandle, at time.Time) (all []*storage.ObjectAttrs, err error) {
	objects := bucket.Objects(ctx, &storage.Query{Prefix: Marks, StartOffset: MarksPrefix(at.AddDate(0, 0, -OpenDays))})
	for {
		attrs, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("listing alerts: %w", err)
		}
		all = append(all, attrs)
	}
}

// Read returns the mark that an object holds.
func Read(ctx context.Context, bucket *storage.BucketHandle, name string) (m Mark, err error) {
	text, err := lake.Read(ctx, bucket, name)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("reading alert %s: %w", name, err)
	}
	return m, nil
}

// OpenAt reports whether the event goes on at a moment. One that begins within
// a minute does: clocks differ.
func (n *Notification) OpenAt(at time.Time) bool {
	return !n.BeganAt.After(at.Add(time.Minute)) && at.Before(n.EndsAt)
}

// Where says how severe the event is and at which place, "" for what it does
// not say.
func (n *Notification) Where() (severity, place string) {
	severity, _ = n.Event["severity"].(string)
	place, _ = n.Event["location"].(string)
	return severity, place
}
