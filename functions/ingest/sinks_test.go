package ingest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/bigquery"
)

// INGEST_SINKS names sinks of the list, in any order, each once.
func TestFromEnv_Sinks(t *testing.T) {
	const remedy = ": name one or more of lake, warehouse, by comma"
	for value, want := range map[string]struct {
		sinks []string
		fault string
	}{
		"":                      {sinks: []string{"lake", "warehouse"}},
		"lake,warehouse":        {sinks: []string{"lake", "warehouse"}},
		"lake":                  {sinks: []string{"lake"}},
		"warehouse":             {sinks: []string{"warehouse"}},
		" warehouse , lake ":    {sinks: []string{"warehouse", "lake"}},
		"lake,warehouse,lakes":  {fault: `INGEST_SINKS names "lakes", which is not a sink` + remedy},
		"Lake":                  {fault: `INGEST_SINKS names "Lake", which is not a sink` + remedy},
		"lake;warehouse":        {fault: `INGEST_SINKS names "lake;warehouse", which is not a sink` + remedy},
		"lake,warehouse, lake,": {fault: "INGEST_SINKS names lake twice" + remedy},
		",":                     {fault: "INGEST_SINKS names no sink" + remedy},
	} {
		environment := map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "INGEST_SINKS": value}
		config, err := FromEnv(func(name string) string { return environment[name] })
		if want.fault != "" {
			if err == nil || err.Error() != want.fault {
				t.Errorf("%q: %v, want %s", value, err, want.fault)
			}
		} else if err != nil || !slices.Equal(config.Sinks, want.sinks) {
			t.Errorf("%q: %q, %v, want %q", value, config.Sinks, err, want.sinks)
		}
	}
}

// A laned sink takes rows of a lane, and refuses one of each batch if it is
// unwilling.
type laned struct {
	lane      batch.Lane
	unwilling bool
	closed    *int
}

func (l laned) Lane() batch.Lane       { return l.lane }
func (l laned) Fault(error) fault.Kind { return fault.OfBatch }
func (l laned) Close() error           { *l.closed++; return nil }
func (l laned) Store(context.Context, *rows.Batch) (stored rows.Stored, err error) {
	if l.unwilling {
		stored.Refused = []rows.Refusal{{Row: 0, Detail: "no"}}
	}
	return stored, nil
}

func opening(name string, s laned) SinkKind {
	return SinkKind{name, func(context.Context, *Config, *lake.Bucket) (Sink, error) { return s, nil }}
}

// The quarantine is the first one's of the lane rows, else the first one's of
// the lane lake.
func TestSinks_OfQuarantine(t *testing.T) {
	closed := 0
	list := []SinkKind{
		opening("files", laned{lane: batch.LakeLane, closed: &closed}), opening("more files", laned{lane: batch.LakeLane, closed: &closed}),
		opening("rows", laned{lane: batch.RowsLane, closed: &closed}), opening("more rows", laned{lane: batch.RowsLane, closed: &closed}),
	}
	for names, want := range map[string]string{
		"files": "files", "more files": "more files", "more files,files": "files",
		"rows,files": "rows", "files,more rows": "more rows", "files,more files,more rows,rows": "rows",
	} {
		opened, err := openSinks(t.Context(), &Config{Sinks: strings.Split(names, ","), Known: list}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := opened.ofQuarantine().name; got != want {
			t.Errorf("of %s, %s keeps the quarantine, want %s", names, got, want)
		}
		closed = 0
		if err := opened.end(); err != nil || closed != strings.Count(names, ",")+1 {
			t.Errorf("of %s, %d are closed (%v)", names, closed, err)
		}
	}
}

// A sink of the lane lake that refuses rows would lose them: the batch fails,
// and is not blamed.
func TestSinks_OnlyTheLaneRowsRefusesRows(t *testing.T) {
	b := &rows.Batch{}
	for lane, fails := range map[batch.Lane]bool{batch.RowsLane: false, batch.LakeLane: true} {
		s := &sink{"x", laned{lane: lane, unwilling: true}}
		stored, err := s.store(t.Context(), b)
		if (err != nil) != fails || fails && classify(err) != fault.Unknown || len(stored.Refused) != 1 {
			t.Errorf("lane %s: refused %v, error %v", lane, stored.Refused, err)
		}
	}
}

// A row that several sinks refuse is in quarantine once.
func TestRefuse_ARecordOnce(t *testing.T) {
	d := &decoded{records: []int{0, 2, 5}}
	d.refuse([]rows.Refusal{{Row: 2, Detail: "no"}, {Row: 1, Detail: "no"}, {Row: 2, Detail: "never"}})
	if len(d.rejections) != 2 || d.rejections[0].record != 5 || d.rejections[0].detail != "no" || d.rejections[1].record != 2 {
		t.Errorf("rejections %v", d.rejections)
	}
}

// A sink that cannot be opened ends those that are.
func TestNew_ClosesWhatIsOpen(t *testing.T) {
	closed := 0
	_, err := New(t.Context(), Config{
		Bucket: "b", Warehouse: bigquery.Config{Project: "p", StagingDataset: "d"}, AppendTimeout: time.Second, CallTimeout: time.Second,
		StorageOptions: []option.ClientOption{option.WithoutAuthentication()},
		Sinks:          []string{"rows", "broken"}, Known: []SinkKind{opening("rows", laned{lane: batch.RowsLane, closed: &closed}),
			{"broken", func(context.Context, *Config, *lake.Bucket) (Sink, error) { return nil, errors.New("no disk") }}},
	})
	if err == nil || err.Error() != "setting up ingest: opening sink broken: no disk" || closed != 1 {
		t.Errorf("%d sinks are closed, error %v", closed, err)
	}
}
