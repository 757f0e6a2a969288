package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/merged"
)

// A Lake is the bucket with the Parquet objects.
type Lake struct {
	Bucket *storage.BucketHandle
	Topics []string

	// ReadBytes is how large all objects together may be so that their contents
	// are read. Of more, only names and the ranges in their metadata are.
	ReadBytes int64
}

// DefaultReadBytes takes seconds to read.
const DefaultReadBytes = 1 << 30

// An Object is one of the lake's, as a listing shows it.
type Object struct {
	Name    string
	Topic   string // whose folder it is in
	Size    int64
	Created time.Time
	Ranges  string // of its batch, from its metadata

	generation int64
}

// A find is what an object holds.
type find struct {
	object Object
	spans  map[Place]Spans
	broken string // why it cannot be read, or is not one of this lake's; "" when all is well
}

// parallel is how many objects are read at a time.
const parallel = 32

// list returns the objects of all topics that arrived within the bounds, but for
// those that were merged into others of them, which hold their records too.
// Folders of event days before from are left out where that is not zero.
func (l *Lake) list(ctx context.Context, in arrived, from time.Time) ([]Object, error) {
	found := make([][]Object, len(l.Topics))
	group, listing := errgroup.WithContext(ctx)
	for i, topic := range l.Topics {
		group.Go(func() (err error) {
			found[i], err = l.listTopic(listing, topic, in, from)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return l.current(ctx, slices.Concat(found...))
}

// current leaves out the objects that are about to go, because others of these
// replace them.
func (l *Lake) current(ctx context.Context, objects []Object) ([]Object, error) {
	sizes := make(map[string]int64, len(objects))
	for _, o := range objects {
		sizes[o.Name] = o.Size
	}
	merges, err := merged.Find(ctx, l.Bucket, sizes)
	if err != nil {
		return nil, fmt.Errorf("asking which of the lake's objects replace others: %w", err)
	}
	replaced := map[merged.Part]bool{}
	for _, merge := range merges {
		for _, part := range merge.Replaces {
			replaced[part] = true
		}
	}
	return slices.DeleteFunc(objects, func(o Object) bool { return replaced[merged.Part{Name: o.Name, Generation: o.generation}] }), nil
}

func (l *Lake) listTopic(ctx context.Context, topic string, in arrived, from time.Time) (found []Object, err error) {
	query := &storage.Query{Prefix: lake.RawFolder(topic)}
	if !from.IsZero() {
		query.StartOffset = lake.RawFolder(topic) + lake.DayFolder(from)
	}
	return l.listed(ctx, topic, query, in)
}

// listed returns the objects that a query finds and that were created within the
// bounds.
func (l *Lake) listed(ctx context.Context, topic string, query *storage.Query, in arrived) (found []Object, err error) {
	if err := query.SetAttrSelection([]string{"Name", "Size", "Created", "Metadata", "Generation"}); err != nil {
		return nil, err
	}
	for objects := l.Bucket.Objects(ctx, query); ; {
		attrs, err := objects.Next()
		switch {
		case errors.Is(err, iterator.Done):
			return found, nil
		case err != nil:
			return nil, fmt.Errorf("listing the lake's objects of %s: %w", topic, err)
		}
		if arrived := lake.ArrivedIn(attrs); !arrived.Last.Before(in.from) && (in.to.IsZero() || arrived.First.Before(in.to)) {
			found = append(found, Object{attrs.Name, topic, attrs.Size, attrs.Created, lake.RangesOf(attrs), attrs.Generation})
		}
	}
}

// size is that of all objects.
func size(objects []Object) (bytes int64) {
	for _, object := range objects {
		bytes += object.Size
	}
	return bytes
}

// read returns what the objects hold.
func (l *Lake) read(ctx context.Context, objects []Object) ([]find, error) {
	byName := size(objects) > l.ReadBytes
	return each(ctx, objects, func(ctx context.Context, object Object) (find, error) {
		if byName && !object.isSilent() {
			return object.claims(), nil
		}
		return l.readObject(ctx, object)
	})
}

// each reads objects, several at a time, and returns what was found in their order.
func each(ctx context.Context, objects []Object, read func(context.Context, Object) (find, error)) ([]find, error) {
	finds := make([]find, len(objects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, object := range objects {
		group.Go(func() (err error) {
			finds[i], err = read(ctx, object)
			return err
		})
	}
	return finds, group.Wait()
}

// Between returns which records of the topic the lake has whose own time is from
// one moment on and before another, which lie in the same event day in UTC. known
// is false where the objects of that day are larger than ReadBytes together: then
// none was read. A damaged object is an error.
func (l *Lake) Between(ctx context.Context, topic string, from, to time.Time) (found map[Place]Spans, known bool, err error) {
	objects, err := l.listed(ctx, topic, &storage.Query{Prefix: lake.RawFolder(topic) + lake.DayFolder(from) + "/"}, arrived{})
	if err == nil {
		objects, err = l.current(ctx, objects) // the others may be deleted while they are read
	}
	if err != nil || size(objects) > l.ReadBytes {
		return nil, false, err
	}
	finds := make([]map[Place]Spans, len(objects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, object := range objects {
		group.Go(func() (err error) {
			finds[i], err = readCoordinates(lake.NewBlocks(ctx, l.Bucket.Object(object.Name), object.Size), object.Size, within{from, to})
			if err != nil {
				return fmt.Errorf("reading object %s: %w", object.Name, err)
			}
			return nil
		})
	}
	found = map[Place]Spans{}
	err = group.Wait()
	for _, spans := range finds {
		for place, some := range spans {
			found[place] = found[place].Or(some)
		}
	}
	return found, true, err
}

// aside returns which records of the place the lake has as bytes.
func (l *Lake) aside(ctx context.Context, place Place) (Spans, error) {
	query := &storage.Query{Prefix: lake.AsidePrefix(place.Topic, place.TopicID, int32(place.Partition))}
	if err := query.SetAttrSelection([]string{"Name"}); err != nil {
		return nil, err
	}
	var offsets []int64
	for objects := l.Bucket.Objects(ctx, query); ; {
		attrs, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return Offsets(offsets), nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing what was set aside of %s: %w", place, err)
		}
		if offset, ok := lake.ParseAside(attrs.Name); ok {
			offsets = append(offsets, offset)
		}
	}
}

// isSilent reports whether an object was merged from so many partitions that its
// metadata has no room for their ranges.
func (o Object) isSilent() bool {
	_, _, ok := lake.ParseMerged(o.Name)
	return ok && o.Ranges == ""
}

// claims are what an object's metadata says, which may be more than it holds:
// the ranges of its batch, whose records can be in several objects and in
// quarantine. The topic's id is not known but for its first digits.
func (o Object) claims() find {
	f := find{object: o, spans: map[Place]Spans{}}
	_, prefix, ok := lake.ParseRaw(o.Name)
	ranges, err := batch.ParseRanges(o.Ranges)
	switch {
	case !ok:
		f.broken = "its name is not that of an object of this lake"
	case err != nil:
		f.broken = "its metadata has no ranges: " + err.Error()
	}
	for _, one := range ranges {
		f.spans[Place{o.Topic, prefix, int64(one.Partition)}] = Spans{{one.First, one.Last + 1}}
	}
	return f
}

// readObject reads which records an object holds. The error is an outage's;
// what is wrong with the object is in the find.
func (l *Lake) readObject(ctx context.Context, object Object) (find, error) {
	topic, prefix, ok := lake.ParseRaw(object.Name)
	if !ok {
		return find{object: object, broken: "its name is not that of an object of this lake"}, nil
	}
	f, err := l.coordinates(ctx, object)
	for place := range f.spans {
		if place.Topic != topic || !strings.HasPrefix(place.TopicID, prefix) {
			f.broken = fmt.Sprintf("it holds records of %s (topic id %s)", place, cmp.Or(place.TopicID, "unknown"))
		}
	}
	return f, err
}

// coordinates reads those of an object's rows, likewise.
func (l *Lake) coordinates(ctx context.Context, object Object) (find, error) {
	f := find{object: object}
	spans, fault := readCoordinates(lake.NewBlocks(ctx, l.Bucket.Object(object.Name), object.Size), object.Size, within{})
	if lake.IsOutage(fault) && !errors.Is(fault, storage.ErrObjectNotExist) {
		return f, fmt.Errorf("reading object %s: %w", object.Name, fault)
	}
	if fault != nil { // damaged, or deleted meanwhile
		f.broken = fault.Error()
	}
	f.spans = spans
	return f, nil
}
