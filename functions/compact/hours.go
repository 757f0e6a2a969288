package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/lake/merged"
)

// An object is one of the lake's.
type object struct {
	merged.Part
	size    int64
	created time.Time
	arrived lake.Period
}

// An hour is the objects of one hour of a topic, and of one topic id: their
// names have the same beginning.
type hour struct {
	topic, topicID string // the id's first digits
	folder         string
	start          time.Time
	objects        []object // by name
}

// String is as people name the hour.
func (h *hour) String() string {
	return h.topic + " of " + h.start.Format("2006-01-02T15:00Z07:00")
}

// oftenAll is how many hours lie between two in which calls look at all days. It
// shares no factor with a day, so that a schedule of any period meets one.
const oftenAll = 23

// list returns the hours that the choice is about, oldest first.
func (c *Compactor) list(ctx context.Context, choice Choice, now time.Time) ([]*hour, error) {
	from := choice.From
	if from.IsZero() && choice.To.IsZero() && now.Unix()/3600%oftenAll != 0 {
		from = now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -c.config.Days)
	}
	found := map[string]*hour{}
	for _, topic := range topicsOf(choice) {
		if err := c.listTopic(ctx, topic, from, choice.To, found); err != nil {
			return nil, fmt.Errorf("listing the lake's objects of %s: %w", topic, err)
		}
	}
	all := make([]*hour, 0, len(found))
	for _, h := range found {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *hour) int {
		return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.topic, b.topic), cmp.Compare(a.topicID, b.topicID))
	})
	return all, nil
}

func (c *Compactor) listTopic(ctx context.Context, topic string, from, to time.Time, found map[string]*hour) error {
	query := &storage.Query{Prefix: lake.RawFolder(topic)}
	if !from.IsZero() {
		query.StartOffset = lake.RawFolder(topic) + lake.DayFolder(from)
	}
	if !to.IsZero() {
		query.EndOffset = lake.RawFolder(topic) + lake.DayFolder(to.AddDate(0, 0, 1))
	}
	if err := query.SetAttrSelection([]string{"Name", "Size", "Created", "Metadata", "Generation"}); err != nil {
		return err
	}
	for objects := c.bucket.Objects(ctx, query); ; {
		attrs, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return err
		}
		of, topicID, ok := lake.ParseRaw(attrs.Name)
		start, dated := lake.FolderHour(attrs.Name)
		if !ok || !dated || of != topic || start.Add(time.Hour).Before(from.Add(1)) || !to.IsZero() && !start.Before(to) {
			continue // what is not the lake's is not ours to touch
		}
		folder := path.Dir(attrs.Name) + "/"
		h := found[folder+topicID]
		if h == nil {
			h = &hour{topic: topic, topicID: topicID, folder: folder, start: start}
			found[folder+topicID] = h
		}
		h.objects = append(h.objects, object{merged.Part{Name: attrs.Name, Generation: attrs.Generation}, attrs.Size, attrs.Created, lake.ArrivedIn(attrs)})
	}
}

// A task is what there is to do in an hour.
type task struct {
	*hour
	live  []object // to be merged; none where nothing is due
	waits bool     // something is to be merged, later

	merges []merge
	made   map[string]string // the last object of the merge that made the object
}

// A merge is one whose objects are all there.
type merge struct {
	outputs []object // the last one first
	stale   []object // what they replace and is still there
}

// look finds out what is to be done. An hour with one object has nothing, and
// nothing is read of it.
func (c *Compactor) look(ctx context.Context, h *hour, now time.Time) (*task, error) {
	t := &task{hour: h, made: map[string]string{}}
	if len(h.objects) == 1 {
		return t, nil
	}
	listed := make(map[string]int64, len(h.objects))
	for _, o := range h.objects {
		listed[o.Name] = o.size
	}
	merges, err := merged.Find(ctx, c.bucket, listed)
	if err != nil {
		return nil, err
	}
	replaced := map[merged.Part]bool{}
	for _, found := range merges {
		m := merge{outputs: t.named(append([]string{found.Last}, found.With...)...)}
		stale := map[merged.Part]bool{}
		for _, part := range found.Replaces {
			replaced[part], stale[part] = true, true
		}
		m.stale = slices.DeleteFunc(slices.Clone(h.objects), func(o object) bool { return !stale[o.Part] })
		for _, o := range m.outputs {
			t.made[o.Name] = found.Last
		}
		t.merges = append(t.merges, m)
	}
	t.live = slices.DeleteFunc(slices.Clone(h.objects), func(o object) bool { return replaced[o.Part] })
	if t.isMerged(t.live) {
		t.live = nil
	} else if !c.isClosed(t, now) {
		t.live, t.waits = nil, true
	}
	return t, nil
}

// named are the objects of the names.
func (t *task) named(names ...string) (some []object) {
	for _, name := range names {
		at := slices.IndexFunc(t.objects, func(o object) bool { return o.Name == name })
		some = append(some, t.objects[at])
	}
	return some
}

// isMerged reports whether the objects are one, or those of one merge.
func (t *task) isMerged(some []object) bool {
	if len(some) <= 1 {
		return true
	}
	by := t.made[some[0].Name]
	return by != "" && !slices.ContainsFunc(some, func(o object) bool { return t.made[o.Name] != by })
}

// isClosed reports whether it is time to merge: the hour has ended, and so has
// what comes late, or it has come for a day.
func (c *Compactor) isClosed(t *task, now time.Time) bool {
	if t.start.Add(time.Hour + c.config.After).After(now) {
		return false
	}
	var oldest, newest time.Time
	for _, o := range t.live {
		if t.made[o.Name] != "" {
			continue
		}
		if oldest.IsZero() || o.created.Before(oldest) {
			oldest = o.created
		}
		if o.created.After(newest) {
			newest = o.created
		}
	}
	return !newest.Add(c.config.After).After(now) || !oldest.Add(lateAfter).After(now)
}
