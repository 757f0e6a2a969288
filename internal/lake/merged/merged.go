// Package merged knows the objects of the lake into which functions/compact
// merged others, and which ones these replace.
//
// The objects that were merged stay for some time, because a reader may have
// listed them. Until they are gone a reader finds records twice, and keeps one
// row of each coordinate. What replaces what is said by the merged object
// itself, in the footer of its file, so that there is no moment at which one is
// there without the other.
package merged

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"cloud.google.com/go/storage"
	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/parquetfile"
)

// A Part is one state of an object: another one of the same name has another
// generation.
type Part struct {
	Name       string // with its folder; without it in a file
	Generation int64
}

// A Record is what the last object of a merge says. All objects of the merge,
// together, hold every record of the parts.
type Record struct {
	Replaces []Part   `json:"replaces"`
	With     []string `json:"with,omitempty"` // the other objects of the merge
}

// key is where the footer of a file has the record.
const key = "stationflow.merged"

// Fact returns the record as the footer has it. All names are of one folder.
func (r Record) Fact() (format.KeyValue, error) {
	short := Record{Replaces: make([]Part, len(r.Replaces)), With: make([]string, len(r.With))}
	for i, part := range r.Replaces {
		short.Replaces[i] = Part{path.Base(part.Name), part.Generation}
	}
	for i, name := range r.With {
		short.With[i] = path.Base(name)
	}
	text, err := json.Marshal(short)
	if err != nil {
		return format.KeyValue{}, fmt.Errorf("writing what a merged object replaces: %w", err)
	}
	return format.KeyValue{Key: key, Value: string(text)}, nil
}

// Read returns the record of the last object of a merge, of so many bytes. A
// file without one, or that is damaged, is a *Damage.
func Read(ctx context.Context, bucket *storage.BucketHandle, name string, size int64) (r Record, err error) {
	from := lake.NewBlocks(ctx, bucket.Object(name), size)
	file, _, err := parquetfile.Open(from, size)
	if lake.IsOutage(err) {
		return r, fmt.Errorf("reading object %s: %w", name, err)
	}
	if err != nil {
		return r, &Damage{name, err}
	}
	text, ok := file.Lookup(key)
	if !ok {
		return r, &Damage{name, errors.New("its footer does not say what it replaces")}
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, &Damage{name, err}
	}
	folder := path.Dir(name) + "/"
	for i := range r.Replaces {
		r.Replaces[i].Name = folder + r.Replaces[i].Name
	}
	for i := range r.With {
		r.With[i] = folder + r.With[i]
	}
	return r, nil
}

// Damage says that an object does not say what it replaces: it replaces
// nothing.
type Damage struct {
	Name string
	err  error
}

func (d *Damage) Error() string { return fmt.Sprintf("reading object %s: %v", d.Name, d.err) }

// Unwrap returns what is wrong with the file.
func (d *Damage) Unwrap() error { return d.err }

// A Merge is one whose objects are all there.
type Merge struct {
	Last string // the name of its last object
	Record
}

// parallel is how many objects are read at a time.
const parallel = 16

// Find returns the merges among the listed objects, which are at least all of
// their folders, by the size of each. A merge of which an object is missing
// replaces nothing; neither does one that was deleted meanwhile or is damaged.
func Find(ctx context.Context, bucket *storage.BucketHandle, listed map[string]int64) ([]Merge, error) {
	var last []string
	for name := range listed {
		if _, number, ok := lake.ParseMerged(name); ok && number == 0 {
			last = append(last, name)
		}
	}
	found := make([]*Merge, len(last))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, name := range last {
		group.Go(func() error {
			record, err := Read(reading, bucket, name, listed[name])
			var damage *Damage
			if errors.As(err, &damage) || errors.Is(err, storage.ErrObjectNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, other := range record.With {
				if _, there := listed[other]; !there {
					return nil
				}
			}
			found[i] = &Merge{name, record}
			return nil
		})
	}
	err := group.Wait()
	var all []Merge
	for _, one := range found {
		if one != nil {
			all = append(all, *one)
		}
	}
	return all, err
}
