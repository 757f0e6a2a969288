package run

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

// datasets answers as BigQuery does to questions about datasets. Those of the
// location "forbidden" may not be seen.
type datasets struct {
	locations map[string]string // by project.dataset
	refuses   int               // status of an attempt to make one; 0 for none
	races     bool              // somebody else makes it at the same moment
}

func (d *datasets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/") // bigquery/v2/projects/P/datasets/D
	for len(parts) > 0 && parts[0] != "projects" {
		parts = parts[1:]
	}
	fail := func(status int) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error": {"code": %d, "message": "because"}}`, status)
	}
	if r.Method == http.MethodPost {
		var asked struct {
			Location         string
			DatasetReference struct{ DatasetID string }
		}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		if d.refuses != 0 {
			fail(d.refuses)
			return
		}
		if asked.Location == "" {
			asked.Location = "default"
		}
		d.locations[parts[1]+"."+asked.DatasetReference.DatasetID] = asked.Location
		if d.races {
			fail(http.StatusConflict)
			return
		}
		fmt.Fprint(w, "{}")
		return
	}
	location, found := d.locations[parts[1]+"."+parts[3]]
	switch {
	case !found:
		fail(http.StatusNotFound)
	case location == "forbidden":
		fail(http.StatusForbidden)
	default:
		fmt.Fprintf(w, `{"location": %q}`, location)
	}
}

// The dataset of the models is made where what they read lies.
func TestMakeDataset(t *testing.T) {
	const sources = `sources:
- {name: raw, tables: [{name: a}, {name: b}]}
- {name: other, database: elsewhere, schema: more, tables: [{name: c}]}
- {name: unread, tables: [{name: d}]}
`
	read := "select * from {{ source('raw', 'a') }} join {{ source('raw', 'b') }} using (x)"
	for name, c := range map[string]struct {
		model  string
		there  map[string]string
		server datasets
		where  string // "" for nothing that is made
		fault  string
	}{
		"beside its sources":              {read, map[string]string{"p.raw": "EU", "p.staging_data": "US", "p.unread": "asia"}, datasets{}, "EU", ""},
		"a source in another project":     {"select * from {{ source('other', 'c') }}", map[string]string{"elsewhere.more": "europe-west9"}, datasets{}, "europe-west9", ""},
		"two sources in one place":        {read + ", {{ source('other', 'c') }}", map[string]string{"p.raw": "EU", "elsewhere.more": "eu"}, datasets{}, "EU", ""},
		"a source that does not exist":    {read, map[string]string{"p.staging_data": "EU"}, datasets{}, "EU", ""},
		"without sources":                 {"select 1 as x", map[string]string{"p.staging_data": "EU"}, datasets{}, "EU", ""},
		"nothing is there":                {"select 1 as x", nil, datasets{}, "default", ""},
		"it is there":                     {read, map[string]string{"p.models": "US", "p.raw": "EU"}, datasets{}, "", ""},
		"another makes it first":          {"select 1 as x", map[string]string{"p.staging_data": "EU"}, datasets{races: true}, "", ""},
		"sources in two places":           {read + ", {{ source('other', 'c') }}", map[string]string{"p.raw": "EU", "elsewhere.more": "US"}, datasets{}, "", "dataset more in US and dataset raw in EU, and no statement can read both"},
		"nobody may make it":              {read, map[string]string{"p.raw": "EU"}, datasets{refuses: 403}, "", "dataset models of project p does not exist, and you may not make it: ask for the role BigQuery User"},
		"it has a name that cannot be":    {read, map[string]string{"p.raw": "EU"}, datasets{refuses: 400}, "", "making dataset models of project p: "},
		"the source's may not be seen":    {read, map[string]string{"p.raw": "forbidden"}, datasets{}, "", "making dataset models: you may not see dataset raw of project p: ask for the role BigQuery Metadata Viewer"},
		"the models' own may not be seen": {read, map[string]string{"p.models": "forbidden"}, datasets{}, "", "you may not see dataset models of project p"},
	} {
		t.Run(name, func(t *testing.T) {
			server := c.server
			if server.locations = maps.Clone(c.there); server.locations == nil {
				server.locations = map[string]string{}
			}
			listening := httptest.NewServer(&server)
			defer listening.Close()
			files := fstest.MapFS{
				"dbt_project.yml": {Data: []byte("name: mine\n")}, "models/sources.yml": {Data: []byte(sources)}, "models/m.sql": {Data: []byte(c.model)},
			}
			runner, err := New(t.Context(), Config{
				Files: files, Location: time.UTC, Statement: time.Minute, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
				Warehouse: bqconfig.Config{Project: "p", StagingDataset: "staging_data", ProdDataset: "models", RESTEndpoint: listening.URL},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer runner.Close()
			where, made, err := runner.MakeDataset(t.Context())
			if c.fault != "" {
				if err == nil || made || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("made %t, %v, want %s", made, err, c.fault)
				}
				return
			}
			if err != nil || made != (c.where != "") || made && where != c.where {
				t.Errorf("made %t in %q, %v, want %q", made, where, err, c.where)
			}
			if _, _, err := runner.MakeDataset(t.Context()); err != nil { // a second time
				t.Error(err)
			}
			if diff := cmp.Diff(map[bool]int{true: len(c.there) + 1, false: len(c.there)}[c.where != "" || server.races], len(server.locations)); diff != "" {
				t.Errorf("datasets: %s", diff)
			}
		})
	}
}
