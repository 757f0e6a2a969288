package view

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"google.golang.org/api/iterator"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
)

// Component is the label of every statement of the page.
const Component = "page"

// A Source reads the typed marts of one dataset. It needs to read that dataset
// and, for what goes on now, two staging tables, and to run queries; nothing
// else. Without a Client there is nothing to read.
type Source struct {
	Client   *bigquery.Client
	Dataset  string // prod_data when empty
	MaxBytes int64  // that a statement may read; 0 for no limit
	// Apart has each part of a reading asked for by itself. BigQuery bills that
	// several times; the local warehouse bills nothing, and appends wait there for
	// the statement that runs.
	Apart bool
}

//go:embed sql
var statements embed.FS

// A place is what every row of an hourly mart has.
type place struct {
	Date    civil.Date `json:"local_date"`
	Hour    int64      `json:"hour"`
	Station string     `json:"station"`
}

// where lets functions of any row ask for its place.
func (p *place) where() *place { return p }

// A flow is the passengers of one hour at one station.
type flow struct {
	place
	Entered   bigquery.NullFloat64 `json:"entered"`
	Exited    bigquery.NullFloat64 `json:"exited"`
	Estimated bigquery.NullBool    `json:"estimated"`
	Records   int64                `json:"records"`
	Waiting   bigquery.NullFloat64 `json:"waiting"` // minutes, of all records
}

type tickets struct {
	place
	Validated bigquery.NullFloat64 `json:"validated"`
	Rejected  bigquery.NullFloat64 `json:"rejected"`
	Known     bigquery.NullFloat64 `json:"known"` // validated, where rejected is known
}

// Arrivals are those of one direction; its name is NULL where it is unknown.
type arrivals struct {
	place
	Direction   bigquery.NullString  `json:"direction"`
	Arrivals    int64                `json:"arrivals"`
	Scheduled   int64                `json:"scheduled"`
	OnTime      int64                `json:"on_time"`
	MinutesLate bigquery.NullFloat64 `json:"minutes_late"`
}

// A late is a train that was late at a station within an hour.
type late struct {
	place
	Direction   bigquery.NullString  `json:"direction"`
	Train       string               `json:"train"`
	Late        int64                `json:"late"`
	Scheduled   int64                `json:"scheduled"`
	MinutesLate bigquery.NullFloat64 `json:"minutes_late"`
}

// Events are incidents, or equipment failures, of one kind in one zone.
type events struct {
	place
	Zone     string               `json:"zone"`
	What     string               `json:"what"`
	Severity bigquery.NullString  `json:"severity"`
	Count    int64                `json:"count"`
	Minutes  bigquery.NullFloat64 `json:"minutes"`
}

// A disturbance is one incident or equipment failure.
type disturbance struct {
	Kind     string              `json:"kind"`
	What     string              `json:"what"`
	Station  string              `json:"station"`
	Zone     string              `json:"zone"`
	Severity bigquery.NullString `json:"severity"`
	BeganAt  time.Time           `json:"began_at"`
	EndsAt   time.Time           `json:"ends_at"`
}

// A freshness says how far the sums of a topic have come.
type freshness struct {
	Topic      string     `json:"topic"`
	Since      civil.Date `json:"since"` // the earliest date of what arrived lately
	ArrivedAt  time.Time  `json:"arrived_at"`
	ComputedAt time.Time  `json:"computed_at"`
}

// A reading is what was read of the hourly marts at once.
type reading struct {
	flow      []flow
	tickets   []tickets
	arrivals  []arrivals
	late      []late
	incidents []events
	failures  []events
	freshness []freshness
}

// parts of a reading, each a statement of its own in sql/.
var parts = []string{"flow", "tickets", "arrivals", "late", "incidents", "failures", "freshness"}

// add adds one row of a part.
func (r *reading) add(part, row string) error {
	switch part {
	case "flow":
		return decode(row, &r.flow)
	case "tickets":
		return decode(row, &r.tickets)
	case "arrivals":
		return decode(row, &r.arrivals)
	case "late":
		return decode(row, &r.late)
	case "incidents":
		return decode(row, &r.incidents)
	case "failures":
		return decode(row, &r.failures)
	case "freshness":
		return decode(row, &r.freshness)
	}
	return fmt.Errorf("there is no part %q", part)
}

func decode[T any](row string, into *[]T) error {
	var one T
	err := json.Unmarshal([]byte(row), &one)
	*into = append(*into, one)
	return err
}

// marts reads the hourly marts from a local date on, and how far they have come.
func (s Source) marts(ctx context.Context, from civil.Date) (*reading, error) {
	var r reading
	return &r, s.ask(ctx, parts, strings.NewReplacer("{from}", from.String()), r.add)
}

// disturbances reads those that end after a moment.
func (s Source) disturbances(ctx context.Context, moment time.Time) (all []disturbance, err error) {
	after := strings.NewReplacer("{moment}", moment.UTC().Format("2006-01-02 15:04:05+00"))
	err = s.ask(ctx, []string{"disturbances"}, after, func(_, row string) error { return decode(row, &all) })
	return all, err
}

// A line is a row of one part, as JSON.
type line struct {
	Part string `bigquery:"part"`
	Row  string `bigquery:"line"`
}

// ask has each row of some parts added. It asks one statement where it may: the
// marts are views over one table, and BigQuery bills a table once for each.
// Dates and times are literals in its text, by which BigQuery prunes partitions.
// A mart that no transform has made yet has no rows.
func (s Source) ask(ctx context.Context, parts []string, literals *strings.Replacer, add func(part, row string) error) error {
	if s.Client == nil {
		return nil
	}
	if s.Apart && len(parts) > 1 {
		return s.askEach(ctx, parts, literals, add)
	}
	statement, err := statementOf(parts)
	if err != nil {
		return err
	}
	// Neither a destination nor a priority is set: then the client uses
	// jobs.query, one short round trip, and no result table is left behind.
	query := s.Client.Query(literals.Replace(statement))
	query.DefaultDatasetID = cmp.Or(s.Dataset, "prod_data")
	query.MaxBytesBilled, query.Labels = s.MaxBytes, map[string]string{"component": Component}
	found, err := query.Read(ctx)
	if bqconfig.IsMissing(err) {
		return s.askEach(ctx, parts, literals, add)
	}
	for err == nil {
		var one line
		if err = found.Next(&one); err == nil {
			err = add(one.Part, one.Row)
		}
	}
	if errors.Is(err, iterator.Done) {
		return nil
	}
	return fmt.Errorf("reading %s for the page: %w", strings.Join(parts, ", "), err)
}

// askEach asks for parts one by one, so that a mart that is missing hides only
// itself.
func (s Source) askEach(ctx context.Context, parts []string, literals *strings.Replacer, add func(part, row string) error) error {
	if len(parts) == 1 {
		return nil
	}
	for _, part := range parts {
		if err := s.ask(ctx, []string{part}, literals, add); err != nil {
			return err
		}
	}
	return nil
}

// statementOf has the rows of some parts as lines.
func statementOf(parts []string) (string, error) {
	var each []string
	for _, part := range parts {
		text, err := statements.ReadFile("sql/" + part + ".sql")
		if err != nil {
			return "", fmt.Errorf("reading the page's statements: %w", err)
		}
		each = append(each, fmt.Sprintf("select '%s' as part, to_json_string(one) as line from (\n%s) as one", part, text))
	}
	return strings.Join(each, "\nunion all\n"), nil
}
