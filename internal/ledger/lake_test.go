package ledger

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/parquet-go/parquet-go/format"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/lake/merged"
	"github.com/stationflow/stationflow/internal/lake/pages"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const elevenFolder = "raw/incidents/dt=2026-11-22/hour=11/"

// A bucketObject is one of a bucket that answers listings and reads.
type bucketObject struct {
	name       string
	generation int64
	created    time.Time
	arrived    string
	content    []byte
	deleted    bool // since it was listed
}

// serveBucket is the part of Cloud Storage's API that reading takes.
func serveBucket(t *testing.T, objects []bucketObject) *storage.BucketHandle {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, media := strings.CutPrefix(r.URL.Path, "/storage/v1/b/lake/o/"); media {
			for _, o := range objects {
				if o.name == name && !o.deleted {
					http.ServeContent(w, r, "", o.created, bytes.NewReader(o.content))
					return
				}
			}
			http.NotFound(w, r)
			return
		}
		items := []map[string]any{}
		for _, o := range objects {
			if strings.HasPrefix(o.name, r.URL.Query().Get("prefix")) {
				items = append(items, map[string]any{"name": o.name, "size": jsonNumber(int64(len(o.content))), "generation": jsonNumber(o.generation),
					"timeCreated": o.created.Format(time.RFC3339), "metadata": map[string]string{"stationflow-arrived": o.arrived}})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items})
	}))
	t.Cleanup(server.Close)
	client, err := storage.NewClient(t.Context(), storage.WithJSONReads(), option.WithEndpoint(server.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client.Bucket("lake")
}

// jsonNumber is how the API writes 64 bits.
func jsonNumber(n int64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// mergedFile is the last object of a merge.
func mergedFile(t *testing.T, record merged.Record) []byte {
	t.Helper()
	fact, err := record.Fact()
	if err != nil {
		t.Fatal(err)
	}
	schema, _ := event.SchemaOf("incidents")
	file := bytes.NewBufferString(pages.Magic)
	if err := pages.NewFormat("incidents", schema.StagingColumns()).NewWriter().WriteFooter(file, nil, []format.KeyValue{fact}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// Objects that others replace are not read, so that what is found missing is
// missing from what stays. Without all of what replaces them they count.
func TestLake_LeavesOutWhatIsAboutToGo(t *testing.T) {
	part := func(name string, generation int64) merged.Part {
		return merged.Part{Name: elevenFolder + name, Generation: generation}
	}
	at := func(name string, generation int64, content []byte) bucketObject {
		return bucketObject{name: elevenFolder + name, generation: generation, created: noon, content: content}
	}
	const one, two, last, first = "incidents-0f9b3c52-0000000000000001.parquet", "incidents-0f9b3c52-0000000000000002.parquet",
		"incidents-0f9b3c52-compact-00000000000000aa.parquet", "incidents-0f9b3c52-compact-00000000000000aa-00001.parquet"
	both := mergedFile(t, merged.Record{Replaces: []merged.Part{part(one, 1), part(two, 2)}})
	several := mergedFile(t, merged.Record{Replaces: []merged.Part{part(one, 1), part(two, 2)}, With: []string{elevenFolder + first}})
	for name, c := range map[string]struct {
		objects []bucketObject
		want    []string
	}{
		"nothing merged":        {[]bucketObject{at(one, 1, nil), at(two, 2, nil)}, []string{one, two}},
		"both are replaced":     {[]bucketObject{at(one, 1, nil), at(two, 2, nil), at(last, 9, both)}, []string{last}},
		"one was written again": {[]bucketObject{at(one, 1, nil), at(two, 7, nil), at(last, 9, both)}, []string{two, last}},
		"of two, both":          {[]bucketObject{at(one, 1, nil), at(first, 8, nil), at(last, 9, several)}, []string{last, first}},
		"of two, one is gone":   {[]bucketObject{at(one, 1, nil), at(two, 2, nil), at(last, 9, several)}, []string{one, two, last}},
		"it is damaged":         {[]bucketObject{at(one, 1, nil), at(last, 9, both[:len(both)-9])}, []string{one, last}},
		"it replaces none":      {[]bucketObject{at(one, 1, nil), at(last, 9, mergedFile(t, merged.Record{}))}, []string{one, last}},
	} {
		l := Lake{Bucket: serveBucket(t, c.objects), Topics: []string{"incidents"}}
		found, err := l.list(t.Context(), arrived{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range found {
			got = append(got, path.Base(o.Name))
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: objects %q, want %q", name, got, c.want)
		}
	}
}

// While a day of the lake is read, files that others replace may be deleted:
// none of them is looked for.
func TestLake_BetweenReadsNothingThatIsAboutToGo(t *testing.T) {
	const gone, last = elevenFolder + "incidents-0f9b3c52-0000000000000001.parquet", elevenFolder + "incidents-0f9b3c52-compact-00000000000000aa.parquet"
	record := mergedFile(t, merged.Record{Replaces: []merged.Part{{Name: gone, Generation: 1}}})
	l := Lake{ReadBytes: DefaultReadBytes, Bucket: serveBucket(t, []bucketObject{
		{name: gone, generation: 1, created: noon, deleted: true}, {name: last, generation: 9, created: noon, content: record},
	})}
	if _, known, err := l.Between(t.Context(), "incidents", noon.Add(-12*time.Hour), noon.Add(12*time.Hour)); err != nil || !known {
		t.Errorf("known %t, %v", known, err)
	}
}

// What was merged arrived when its parts did, however late it was merged.
func TestLake_MergedObjectsArrivedWithTheirParts(t *testing.T) {
	merged := bucketObject{name: elevenFolder + "incidents-0f9b3c52-compact-00000000000000aa.parquet", created: noon.Add(48 * time.Hour),
		arrived: noon.Format(time.RFC3339Nano) + " " + noon.Add(time.Hour).Format(time.RFC3339Nano)}
	l := Lake{Bucket: serveBucket(t, []bucketObject{merged}), Topics: []string{"incidents"}}
	for name, c := range map[string]struct {
		in   arrived
		want int
	}{
		"always":     {arrived{}, 1},
		"then":       {arrived{from: noon.Add(30 * time.Minute), to: noon.Add(time.Hour)}, 1},
		"before":     {arrived{to: noon}, 0},
		"afterwards": {arrived{from: noon.Add(2 * time.Hour)}, 0},
	} {
		if found, err := l.list(t.Context(), c.in, time.Time{}); err != nil || len(found) != c.want {
			t.Errorf("%s: %d objects, %v, want %d", name, len(found), err, c.want)
		}
	}
}
