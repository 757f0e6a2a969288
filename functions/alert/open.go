package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
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
	marks, err := readAll(ctx, bucket, objects)
	return slices.DeleteFunc(marks, func(m Mark) bool { return !m.Notification.OpenAt(at) }), err
}

// Newest returns the marks of the alerts whose events began in a period, the
// newest first: at most so many, and before them all of which a channel did not
// take one. A zero time does not bound it. It lists all that there are from its
// beginning on, and reads those of the newest days and those that are not done.
func Newest(ctx context.Context, bucket *storage.BucketHandle, from, to time.Time, most int) ([]Mark, error) {
	query := &storage.Query{Prefix: Marks}
	if !from.IsZero() {
		query.StartOffset = MarksPrefix(from)
	}
	if !to.IsZero() {
		query.EndOffset = MarksPrefix(to.AddDate(0, 0, 1))
	}
	objects, err := list(ctx, bucket, query)
	if err != nil {
		return nil, err
	}
	in := func(marks []Mark) []Mark {
		return slices.DeleteFunc(marks, func(m Mark) bool {
			at := m.Notification.BeganAt
			return at.Before(from) || !to.IsZero() && !at.Before(to)
		})
	}
	var found []Mark
	end := len(objects)
	for end > 0 && len(found) < most {
		begin := end - 1 // of the marks of one day
		for begin > 0 && path.Dir(objects[begin-1].Name) == path.Dir(objects[begin].Name) {
			begin--
		}
		day, err := readAll(ctx, bucket, objects[begin:end])
		if err != nil {
			return nil, err
		}
		found = append(found, in(day)...)
		end = begin
	}
	older, err := readAll(ctx, bucket, slices.DeleteFunc(objects[:end], func(o *storage.ObjectAttrs) bool { return o.Metadata[doneKey] == "true" }))
	if err != nil {
		return nil, err
	}
	found = append(found, in(older)...)
	untold := func(m Mark) bool { return len(m.Failed) > 0 }
	told := slices.DeleteFunc(slices.Clone(found), untold)
	told = told[:min(len(told), max(most-(len(found)-len(told)), 0))]
	return append(slices.DeleteFunc(found, func(m Mark) bool { return !untold(m) }), told...), nil
}

// readAll returns the marks that objects hold, the newest first.
func readAll(ctx context.Context, bucket *storage.BucketHandle, objects []*storage.ObjectAttrs) ([]Mark, error) {
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
	slices.SortFunc(marks, func(a, b Mark) int {
		return cmp.Or(b.Notification.BeganAt.Compare(a.Notification.BeganAt), cmp.Compare(a.Notification.Key, b.Notification.Key))
	})
	return marks, nil
}

// List returns the objects of the marks that may be open at a moment: those of
// OpenDays before it, by name.
func List(ctx context.Context, bucket *storage.BucketHandle, at time.Time) ([]*storage.ObjectAttrs, error) {
	return list(ctx, bucket, &storage.Query{Prefix: Marks, StartOffset: MarksPrefix(at.AddDate(0, 0, -OpenDays))})
}

func list(ctx context.Context, bucket *storage.BucketHandle, query *storage.Query) (all []*storage.ObjectAttrs, err error) {
	objects := bucket.Objects(ctx, query)
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

// Trouble says why a channel has not taken the alert, of each that failed at the
// last attempt; "" where none did.
func (m *Mark) Trouble() string {
	var parts []string
	for _, channel := range slices.Sorted(maps.Keys(m.Failed)) {
		parts = append(parts, channel+": "+m.Failed[channel])
	}
	return strings.Join(parts, "; ")
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
