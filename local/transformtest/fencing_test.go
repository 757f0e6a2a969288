package transformtest

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/dbt/run"
	"github.com/stationflow/stationflow/local/staged"
)

// signed is a project in which every row says which run made it.
var signed = map[string]string{
	"models/hourly.sql": "{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field': 'd', 'data_type': 'date'}) }}" +
		"select date(timestamp) as d, '{{ var('who') }}' as who, count(*) as n from {{ source('staging', 'incidents') }} group by 1, 2",
	"models/board.sql": "select who, sum(n) as n from {{ ref('hourly') }} group by 1",
	"models/added.sql": "{{ config(materialized='incremental') }}select '{{ var('who') }}' as who",
	"models/shown.sql": "{{ config(materialized='view') }}select n, '{{ var('who') }}' as who from {{ ref('board') }}",
	"models/all.yml": "models: [{name: hourly, columns: [{name: d, data_type: date}, {name: who, data_type: string}, {name: n, data_type: int64}]}, " +
		"{name: board, columns: [{name: who, data_type: string}, {name: n, data_type: int64}]}, {name: added, columns: [{name: who, data_type: string}]}]",
	"tests/counted.sql": "select * from {{ ref('shown') }} where n < 1 or who != '{{ var('who') }}'",
}

// sign restarts the transform as a process that signs its rows.
func (s *system) sign(who string) {
	s.t.Helper()
	s.config.Vars = map[string]any{"who": who}
	s.small(signed)
}

// expectSigned compares all that readers see with what these runs have
// published: the last of them everything, each of them a row of added.
func (s *system) expectSigned(when, incidents string, who ...string) {
	s.t.Helper()
	last := who[len(who)-1]
	for query, want := range map[string]string{
		"(select who, sum(n) from prod_data.hourly group by 1)": last + "," + incidents,
		"prod_data.board": last + "," + incidents, "prod_data.shown": incidents + "," + last, "prod_data.added": strings.Join(who, " "),
	} {
		if got := s.rows(query); got != want {
			s.t.Errorf("%s: %s shows %s, want %s", when, query, got, want)
		}
	}
}

// incidents appends so many incidents.
func (s *system) incidents(g *staged.Generator, n int) {
	s.t.Helper()
	for range n {
		record := g.Record()
		for record.Topic != "incidents" {
			record = g.Record()
		}
		s.Append(noon, record)
	}
}

// stall holds the first request that matches, and from then on every request
// that comes through the proxy, until release is closed.
func (p *proxy) stall(matches func(body string) bool) (reached, release chan struct{}) {
	reached, release = make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.set(func(_ http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
		if matches(body) {
			once.Do(func() { close(reached) })
		}
		select {
		case <-reached:
			<-release
		default:
		}
		return false
	})
	return reached, release
}

// Wherever a run stalls until another has taken its lease, what it still
// writes when it comes back is published by nobody: not by that other run,
// between whose tests and publication it comes, and not by the next.
func TestFaults_NothingOfALostRunIsPublished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statement, relation string // where it stalls
		isFirst             bool   // whether nothing was published before
		isFollowed          bool   // by a run that takes over and fails, before the next
	}{
		"replacing partitions":      {"insert into", "`hourly__next`", false, false},
		"replacing, and a failure":  {"insert into", "`hourly__next`", false, true},
		"replacing a table":         {"insert into", "`board__next`", false, false},
		"adding rows":               {"insert into", "`added__next`", false, false},
		"collecting new rows":       {"`added__new`", "insert into", false, false},
		"making a view to test":     {"create or replace view", "`shown__next`", false, false},
		"publishing a view":         {"create or replace view", "`shown`", false, false},
		"making a table to test":    {"create or replace table", "`hourly__next`", true, false},
		"publishing a new table":    {"create or replace table", "`board`\nas", true, false},
		"publishing an incremental": {"create or replace table", "`hourly`\npartition", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, noon)
			g := staged.NewGenerator(41, staged.Within(noon.Add(-50*time.Hour), noon))
			s.incidents(g, 3)
			var published []string
			if !c.isFirst {
				published = append(published, "first")
				s.sign("first")
				s.run()
			}
			direct := s.config
			p := s.throughProxy()
			s.config.Lease, s.config.Statement = time.Second, 5*time.Minute
			s.sign("lost")
			reached, release := p.stall(func(body string) bool {
				text := strings.ReplaceAll(body, `\n`, "\n")
				return strings.Contains(text, c.statement) && strings.Contains(text, c.relation)
			})
			lost := make(chan *run.Report, 1)
			stalled := s.transform
			go func() { lost <- stalled.Run(t.Context()) }()
			<-reached

			s.incidents(g, 2)
			if c.isFollowed {
				s.config = direct
				p := s.throughProxy()
				s.sign("failed")
				var asksForLease atomic.Bool
				p.set(func(w http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
					if strings.Contains(body, "set token = token + 1") {
						asksForLease.Store(true)
					}
					isRefused := asksForLease.Load() && isBareCount(body)
					if isRefused {
						refuse(w, http.StatusBadRequest, "invalidQuery")
					}
					return isRefused
				})
				if report := s.transform.Run(t.Context()); report.OK() {
					t.Error("the run without counts succeeded")
				}
			}
			s.config = direct
			between := s.throughProxy()
			s.sign("next")
			var once sync.Once
			between.set(func(_ http.ResponseWriter, _ *http.Request, body string, _ func()) bool {
				if publishes(body) {
					once.Do(func() {
						close(release)
						if report := <-lost; report.OK() {
							t.Error("the run without the lease succeeded")
						}
					})
				}
				return false
			})
			s.run()
			published = append(published, "next")
			s.expectSigned("after the next run", "5", published...)
			s.run()
			s.expectSigned("after a run without news", "5", published...)

			s.incidents(g, 2)
			s.sign("third")
			s.run()
			s.expectSigned("after the third run", "7", append(published, "third")...)
			for _, row := range s.Query("select table_name from prod_data.INFORMATION_SCHEMA.TABLES where table_name like '%\\\\_\\\\_next%'") {
				if name := row[0].(string); strings.Count(name, "__next") == 1 && !strings.Contains(name, "__next_") {
					t.Errorf("%s of the lost run is still there", name)
				}
			}
		})
	}
}

// A lost answer: the statement was carried out, or will be, and is sent again.
func TestFaults_AStatementIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	s := start(t, time.UTC, noon)
	s.incidents(staged.NewGenerator(42, staged.Within(noon.Add(-5*time.Hour), noon)), 3)
	s.sign("first")
	s.run()
	p := s.throughProxy()
	s.sign("second")
	var lost atomic.Int32
	p.set(func(w http.ResponseWriter, _ *http.Request, body string, forward func()) bool {
		if !strings.Contains(body, "`added__next`") || !strings.Contains(body, "insert into") || lost.Add(1) > 1 {
			return false
		}
		forward()
		refuse(w, http.StatusServiceUnavailable, "backendError")
		return true
	})
	s.run()
	s.expectSigned("after a lost answer", "3", "first", "second")
	s.expect("added", "first second")
	if lost.Load() < 2 {
		t.Error("the statement was not sent again")
	}
}

// Nobody waits for the jobs of a run that is interrupted, or that lost its
// lease: they are cancelled.
func TestFaults_JobsAreCancelled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options run.Options
		held    string
	}{
		"interrupted":           {run.Options{}, "`board__next`"},
		"interrupted in a test": {run.Options{NoModels: true}, "who != 'second'"},
		"lost":                  {run.Options{}, "`board__next`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, time.UTC, noon)
			s.incidents(staged.NewGenerator(43, staged.Within(noon.Add(-5*time.Hour), noon)), 3)
			s.sign("first")
			s.run()
			p := s.throughProxy()
			s.config.Lease = time.Second
			s.sign("second")
			runner, err := run.New(t.Context(), s.config.Config)
			check(t, err)
			t.Cleanup(func() { check(t, runner.Close()) })
			reached, cancelled, release := make(chan string, 10), make(chan string, 10), make(chan struct{})
			var once sync.Once
			p.set(func(_ http.ResponseWriter, r *http.Request, body string, _ func()) bool {
				if strings.HasSuffix(r.URL.Path, "/cancel") {
					cancelled <- path.Base(path.Dir(r.URL.Path))
				}
				if strings.Contains(body, c.held) {
					once.Do(func() {
						var job struct{ JobReference struct{ JobID string } }
						check(t, json.Unmarshal([]byte(body), &job))
						reached <- job.JobReference.JobID
						<-release
					})
				}
				return false
			})
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			ended := make(chan error, 1)
			go func() {
				report, err := runner.Run(ctx, c.options)
				if err == nil && report.OK() {
					t.Error("the run succeeded")
				}
				ended <- err
			}()
			job := <-reached
			if name == "lost" {
				s.Query("update prod_data.transform_lease set token = token + 1, holder = 'another', expires_at = timestamp_add(current_timestamp(), interval 1 hour) where true")
			} else {
				interrupt()
			}
			// The run's other jobs of that moment are cancelled too.
			deadline := time.After(time.Minute)
			for got := ""; got != job; {
				select {
				case got = <-cancelled:
				case <-deadline:
					t.Errorf("job %q was not cancelled", job)
					got = job
				}
			}
			close(release)
			<-ended
		})
	}
}
