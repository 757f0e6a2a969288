package page

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/api/iterator"

	"github.com/stationflow/stationflow/internal/page"
	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/internal/status"
)

// quietAfter is for how long no record may come before the page says so.
const quietAfter = 10 * time.Minute

// state is what a page over the warehouse alone knows of the pipeline: nothing of
// its hops.
func (s *Server) state(tables *page.Snapshot) status.Status {
	marts := s.marts.Last()
	asked, failure := s.hours.seen()
	failure = cmp.Or(failure, marts.Failure, tables.Failure)
	return status.Status{
		Overall: s.overall(marts, failure), WaitingFor: waitingFor(marts, asked, failure),
		Hops: []status.OfHop{}, Alerts: []status.Alert{}, Canaries: []status.Canary{},
		Refused:   status.Refused{Topics: []status.Refusals{}},
		Transform: status.Transform{Models: []status.Model{}, Findings: []status.Finding{}},
	}
}

// overall is the state of the figures in one line.
func (s *Server) overall(marts view.Summary, failure string) status.Health {
	audit := s.audited.Load()
	switch {
	case failure != "":
		return status.Health{State: status.Failing, Note: "The figures could not be read: " + failure + ".", Remedy: "What is shown is the last that was read; it is tried again."}
	case marts.ComputedAt.IsZero():
		return status.Health{State: status.NothingYet, Note: "There are no figures."}
	case audit != nil && audit.Incomplete > 0:
		return status.Health{State: status.Behind, Note: audit.note(s.Now().In(s.Location)), Remedy: "Those who operate the pipeline were alerted. They see which records by: stationflow verify"}
	case s.Now().Sub(marts.ArrivedAt) > quietAfter:
		note := fmt.Sprintf("The newest record came at %s. Either nothing comes, or the pipeline stands, of which alerts tell those who operate it.", marts.ArrivedAt.In(s.Location).Format("15:04 on 2 January"))
		return status.Health{State: status.Idle, Note: note}
	}
	return status.Health{State: status.Flowing, Note: audit.note(s.Now().In(s.Location))}
}

// waitingFor says what has to happen before there are figures; "" when there are
// some.
func waitingFor(marts view.Summary, asked bool, failure string) string {
	switch {
	case !marts.ComputedAt.IsZero():
		return ""
	case failure != "":
		return "The figures could not be read."
	case !asked:
		return "The figures are being read."
	}
	return "There are no figures: no transform has run yet over records."
}

// An audit is the last one that found records to look for.
type audit struct {
	CheckedAt  time.Time `bigquery:"checked_at"`
	Partitions int64     `bigquery:"partitions"`
	Incomplete int64     `bigquery:"incomplete"`
}

// audited holds the last audit; nil before one was read.
type audited = atomic.Pointer[audit]

//go:embed audit.sql
var auditSQL string

// readAudit reads the last audit of the last day.
func (s *Server) readAudit(ctx context.Context) error {
	query := s.client.Query(auditSQL)
	query.DefaultDatasetID, query.MaxBytesBilled = s.Dataset, s.MaxBytes
	query.Labels = map[string]string{"component": view.Component}
	rows, err := query.Read(ctx)
	if err == nil {
		var last audit
		switch err = rows.Next(&last); {
		case err == nil:
			s.audited.Store(&last)
		case errors.Is(err, iterator.Done):
			s.audited.Store(nil)
			err = nil
		}
	}
	if err != nil {
		return s.logged(fmt.Errorf("reading the last audit: %w", err))
	}
	return nil
}

// note says what an audit found; "" for none. One of another day than now has its
// date: nothing else tells when no audit has come since.
func (a *audit) note(now time.Time) string {
	if a == nil {
		return ""
	}
	checked := a.CheckedAt.In(now.Location())
	at := checked.Format("15:04")
	if checked.Format(time.DateOnly) != now.Format(time.DateOnly) {
		at = checked.Format("15:04 on 2 January")
	}
	if a.Incomplete > 0 {
		return fmt.Sprintf("The audit at %s did not find every record of %d of %d partitions.", at, a.Incomplete, a.Partitions)
	}
	return fmt.Sprintf("The audit at %s found every record.", at)
}
