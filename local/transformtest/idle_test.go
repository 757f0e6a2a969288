package transformtest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/local/staged"
)

// other runs the project once as another process, and restores this one.
func (s *system) other(who string) {
	s.t.Helper()
	warm, config := s.transform, s.config
	s.sign(who)
	s.run()
	s.transform, s.config = warm, config
}

// Whatever became of what is published, a process that has published before
// and sees as many rows as then does not say that all is well: it puts it right.
func TestIdle_IsDecidedFromWhatIsStored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(t *testing.T, s *system)
		added   string // what is in the table to which each build adds a row, afterwards
	}{
		"another process published other figures": {func(_ *testing.T, s *system) { s.other("other") }, "other warm warm"},
		"rows deleted, published without, put back": {func(_ *testing.T, s *system) {
			s.Query("create table staging_data.kept as select * from staging_data.incidents where mod(kafka_offset, 2) = 0")
			s.Query("delete from staging_data.incidents where mod(kafka_offset, 2) = 0")
			s.other("warm")
			s.Query("insert into staging_data.incidents select * from staging_data.kept")
		}, "warm"},
		"a table was dropped": {func(t *testing.T, s *system) { check(t, s.Client.Dataset(prod).Table("board").Delete(t.Context())) }, "warm"},
		"an incremental table was dropped": {func(t *testing.T, s *system) {
			check(t, s.Client.Dataset(prod).Table("added").Delete(t.Context()))
		}, "warm warm"},
		"a view was dropped": {func(t *testing.T, s *system) { s.Query("drop view prod_data.shown") }, "warm"},
		"a view was replaced": {func(t *testing.T, s *system) {
			s.Query("create or replace view prod_data.shown as select 1 as n, 'me' as who")
		}, "warm"},
		"a view became a table": {func(t *testing.T, s *system) {
			s.Query("drop view prod_data.shown")
			s.Query("create table prod_data.shown as select 1 as n, 'me' as who")
		}, "warm"},
		"a table became a view": {func(t *testing.T, s *system) {
			s.Query("drop table prod_data.board")
			s.Query("create view prod_data.board as select 'me' as who, 1 as n")
		}, "warm"},
		"a table was replaced": {func(t *testing.T, s *system) {
			s.Query("create or replace table prod_data.board as select 'me' as who, 1 as n")
		}, "warm"},
		"a column was added to a table": {func(t *testing.T, s *system) {
			table := s.Client.Dataset(prod).Table("board")
			metadata, err := table.Metadata(t.Context())
			check(t, err)
			_, err = table.Update(t.Context(), bigquery.TableMetadataToUpdate{Schema: append(metadata.Schema, &bigquery.FieldSchema{Name: "more", Type: bigquery.StringFieldType})}, "")
			check(t, err)
		}, "warm"},
		"a run ended without a word": {func(_ *testing.T, s *system) {
			s.Query("update prod_data.transform_lease set holder = 'dead', expires_at = timestamp_sub(current_timestamp(), interval 1 second) where true")
		}, "warm warm"},
		"a run was interrupted": {func(_ *testing.T, s *system) {
			s.Query("update prod_data.transform_lease set interrupted = true where true")
		}, "warm warm"},
		"the lease was dropped": {func(_ *testing.T, s *system) { s.Query("drop table prod_data.transform_lease") }, "warm warm"},
		"a publication failed half-way": {func(t *testing.T, s *system) {
			warm, config := s.transform, s.config
			p := s.throughProxy()
			s.config.Statement, s.config.Lease = 5*time.Second, time.Second
			s.sign("half")
			p.set(func(w http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
				if publishes(body) {
					refuse(w, http.StatusServiceUnavailable, "backendError")
				}
				return publishes(body)
			})
			if report := s.transform.Run(t.Context()); report.OK() {
				t.Error("the publication did not fail")
			}
			if got := s.rows(prod + ".shown"); !strings.Contains(got, "half") {
				t.Errorf("the view shows %s, want half of the publication", got)
			}
			s.transform, s.config = warm, config
		}, "warm warm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, noon)
			s.incidents(staged.NewGenerator(51, staged.Within(noon.Add(-5*time.Hour), noon)), 6)
			s.sign("warm")
			s.run()
			c.happens(t, s)
			s.run()
			s.expectSigned("after the next run", "6", strings.Fields(c.added)...)
			if got := s.run(); len(statuses(got, "created", "replaced")) > 0 {
				t.Errorf("the run after that built %v", statuses(got, "created", "replaced"))
			}
		})
	}
}

// To find that nothing is to be done takes one statement, of bare counts.
func TestIdle_BillsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.incidents(staged.NewGenerator(52, staged.Within(noon.Add(-5*time.Hour), noon)), 3)
	s.config.Exclude = []string{"added"} // what is left out is never due
	s.sign("first")
	s.run()
	p := s.throughProxy()
	s.sign("first")
	var statements atomic.Int32
	p.set(func(_ http.ResponseWriter, r *http.Request, body string, _ func()) bool {
		if r.Method == http.MethodPost {
			statements.Add(1)
			if !isBareCount(body) {
				t.Errorf("an idle run sends %s", body)
			}
		}
		return false
	})
	if report := s.run(); report.RowsNew != 0 || len(statuses(report, "unchanged")) != 3 || statements.Load() != 1 {
		t.Errorf("%d statements, and the run says %+v", statements.Load(), report)
	}
}

// A table of the lease that is gone, or that somebody broke, is made again by a
// process that lives on; where a person has to drop it, the message says so.
func TestLease_RecoversWhenItsTableIsDropped(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	g := staged.NewGenerator(53, staged.Within(noon.Add(-5*time.Hour), noon))
	s.incidents(g, 3)
	s.sign("first")
	s.run()
	for _, breaking := range []string{
		"delete from prod_data.transform_lease where true",
		"insert into prod_data.transform_lease select * from prod_data.transform_lease",
		"update prod_data.transform_lease set state = 'no state' where true",
		"update prod_data.transform_lease set token = null where true",
		"update prod_data.transform_lease set holder = null where true",
		"update prod_data.transform_lease set expires_at = null where true",
		"update prod_data.transform_lease set interrupted = null where true",
	} {
		s.Query(breaking)
		s.incidents(g, 1)
		report := s.transform.Run(t.Context())
		if report.OK() || !strings.Contains(report.Message, "drop the table") {
			t.Errorf("after %s: %+v", breaking, report)
		}
		s.Query("drop table prod_data.transform_lease")
		s.run()
	}
	if got := s.rows(prod + ".board"); got != "first,10" {
		t.Errorf("board shows %s", got)
	}
	s.Query("drop table prod_data.transform_lease") // while a run has it
	p := s.throughProxy()
	s.sign("second")
	p.set(func(_ http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
		if strings.Contains(body, "set token = token + 1") {
			s.Query("drop table if exists prod_data.transform_lease")
			p.set(func(http.ResponseWriter, *http.Request, string, func()) bool { return false })
		}
		return false
	})
	s.run()
	if got := s.rows(prod + ".board"); got != "second,10" {
		t.Errorf("board shows %s", got)
	}
}
