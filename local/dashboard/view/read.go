package view

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
)

// A Source reads the typed marts of one dataset. It needs to read that dataset
// and, for what goes on now, the staging tables, and to run queries; nothing
// else. Without a Client there is nothing to read.
type Source struct {
	Client  *bigquery.Client
	Dataset string // prod_data when empty
}

//go:embed sql
var statements embed.FS

// A place is what every row of an hourly mart has.
type place struct {
	Date    civil.Date `bigquery:"local_date"`
	Hour    int64      `bigquery:"hour"`
	Station string     `bigquery:"station"`
}

// where lets functions of any row ask for its place.
func (p *place) where() *place { return p }

// A flow is the passengers of one hour at one station.
type flow struct {
	place
	Entered   bigquery.NullFloat64 `bigquery:"entered"`
	Exited    bigquery.NullFloat64 `bigquery:"exited"`
	Estimated bigquery.NullBool    `bigquery:"estimated"`
	Records   int64                `bigquery:"records"`
	Waiting   bigquery.NullFloat64 `bigquery:"waiting"` // minutes, of all records
}

type tickets struct {
	place
	Validated bigquery.NullFloat64 `bigquery:"validated"`
	Rejected  bigquery.NullFloat64 `bigquery:"rejected"`
	Known     bigquery.NullFloat64 `bigquery:"known"` // validated, where rejected is known
}

// Arrivals are those of one direction; its name is NULL where it is unknown.
type arrivals struct {
	place
	Direction   bigquery.NullString  `bigquery:"direction"`
	Arrivals    int64                `bigquery:"arrivals"`
	Scheduled   int64                `bigquery:"scheduled"`
	OnTime      int64                `bigquery:"on_time"`
	MinutesLate bigquery.NullFloat64 `bigquery:"minutes_late"`
}

// A late is a train that was late at a station within an hour.
type late struct {
	place
	Direction   bigquery.NullString  `bigquery:"direction"`
	Train       string               `bigquery:"train"`
	Late        int64                `bigquery:"late"`
	Scheduled   int64                `bigquery:"scheduled"`
	MinutesLate bigquery.NullFloat64 `bigquery:"minutes_late"`
}

// Events are incidents, or equipment failures, of one kind in one zone.
type events struct {
	place
	Zone     string               `bigquery:"zone"`
	What     string               `bigquery:"what"`
	Severity bigquery.NullString  `bigquery:"severity"`
	Count    int64                `bigquery:"count"`
	Minutes  bigquery.NullFloat64 `bigquery:"minutes"`
}

// A disturbance is one incident or equipment failure.
type disturbance struct {
	Kind     string              `bigquery:"kind"`
	What     string              `bigquery:"what"`
	Station  string              `bigquery:"station"`
	Zone     string              `bigquery:"zone"`
	Severity bigquery.NullString `bigquery:"severity"`
	BeganAt  time.Time           `bigquery:"began_at"`
	EndsAt   time.Time           `bigquery:"ends_at"`
}

// A freshness says how far the sums of a topic have come.
type freshness struct {
	Topic      string     `bigquery:"topic"`
	Since      civil.Date `bigquery:"since"` // the earliest date of what arrived lately
	ArrivedAt  time.Time  `bigquery:"arrived_at"`
	ComputedAt time.Time  `bigquery:"computed_at"`
}

// A reading is what was read at once.
type reading struct {
	flow         []flow
	tickets      []tickets
	arrivals     []arrivals
	late         []late
	incidents    []events
	failures     []events
	disturbances []disturbance
}

// read reads the marts from a local date on, and the disturbances that end
// after a moment. It asks at once what it has to ask.
func (s Source) read(ctx context.Context, from civil.Date, moment time.Time) (*reading, error) {
	var r reading
	if s.Client == nil {
		return &r, nil
	}
	var all sync.WaitGroup
	faults := make([]error, 7)
	for i, one := range []func() error{
		func() (err error) { r.flow, err = query[flow](ctx, s, "flow", from, moment); return },
		func() (err error) { r.tickets, err = query[tickets](ctx, s, "tickets", from, moment); return },
		func() (err error) { r.arrivals, err = query[arrivals](ctx, s, "arrivals", from, moment); return },
		func() (err error) { r.late, err = query[late](ctx, s, "late", from, moment); return },
		func() (err error) { r.incidents, err = query[events](ctx, s, "incidents", from, moment); return },
		func() (err error) { r.failures, err = query[events](ctx, s, "failures", from, moment); return },
		func() (err error) {
			r.disturbances, err = query[disturbance](ctx, s, "disturbances", from, moment)
			return
		},
	} {
		all.Go(func() { faults[i] = one() })
	}
	all.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &r, nil
}

// freshness says how far the marts have come.
func (s Source) freshness(ctx context.Context) ([]freshness, error) {
	if s.Client == nil {
		return nil, nil
	}
	return query[freshness](ctx, s, "freshness", civil.Date{}, time.Time{})
}

// query returns the rows of one statement; a mart that no transform has made
// yet has none. Dates and times are literals in its text, by which BigQuery
// prunes partitions.
func query[T any](ctx context.Context, s Source, name string, from civil.Date, moment time.Time) ([]T, error) {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return nil, fmt.Errorf("reading the page's statements: %w", err)
	}
	// Neither a destination nor a priority is set: then the client uses
	// jobs.query, one short round trip, and no result table is left behind.
	asked := s.Client.Query(strings.NewReplacer("{from}", from.String(), "{moment}", moment.UTC().Format("2006-01-02 15:04:05+00")).Replace(string(text)))
	asked.DefaultDatasetID = cmp.Or(s.Dataset, "prod_data")
	found, err := asked.Read(ctx)
	var api *googleapi.Error
	if errors.As(err, &api) && api.Code == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s for the page: %w", name, err)
	}
	var rows []T
	for {
		var row T
		switch err := found.Next(&row); {
		case errors.Is(err, iterator.Done):
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("reading %s for the page: %w", name, err)
		}
		rows = append(rows, row)
	}
}
