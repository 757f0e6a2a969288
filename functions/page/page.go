// Package page is the page as a function: it serves package internal/page over
// the real warehouse, to people whom IAM lets in.
//
// It needs to read prod_data and two tables of staging_data, and to run queries;
// it writes nothing. The warehouse is asked at most once for each run of the
// transform, and only while somebody looks: see watch. What only the pipeline's
// programs know, such as the hops and the bill, is no part of the page here.
package page

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/lazy"
	"github.com/stationflow/stationflow/internal/page"
	"github.com/stationflow/stationflow/internal/page/view"
)

// What tells that there is something new: each run of the transform that
// publishes changes the one table that all marts are views over, and each audit
// adds rows to the other one.
const (
	hoursTable = "station_hours"
	auditTable = "pipeline_completeness"
)

// Config says what is shown.
type Config struct {
	Project  string
	Dataset  string // of the marts
	Endpoint string // of BigQuery; "" for Google's
	Location *time.Location
	MaxBytes int64 // that one statement may read

	Now    func() time.Time // nil for time.Now
	Logger *slog.Logger     // nil for slog.Default()
}

// FromEnv reads GOOGLE_CLOUD_PROJECT, PROD_DATASET, BIGQUERY_EMULATOR_HOST,
// STATION_TIMEZONE and PAGE_MAX_BYTES. The error lists every fault.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	c := Config{
		Project:  r.Required("GOOGLE_CLOUD_PROJECT", "set it to the id of the Google Cloud project"),
		Dataset:  r.String("PROD_DATASET", "prod_data"),
		Endpoint: r.String("BIGQUERY_EMULATOR_HOST", ""),
		Location: r.Location("STATION_TIMEZONE", "UTC"),
		MaxBytes: r.Int("PAGE_MAX_BYTES", 4<<30, 10<<20, 1<<50),
	}
	return c, r.Err()
}

// A Server serves the page. It is safe for concurrent use.
type Server struct {
	Config
	client  *bigquery.Client
	marts   *view.Store
	page    *page.Page
	pages   http.Handler
	hours   watch
	audits  watch
	audited audited
}

// New returns a Server that has read nothing yet.
func New(ctx context.Context, config Config) (*Server, error) {
	s := &Server{Config: config}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	var err error
	if s.client, err = bigquery.NewClient(ctx, s.Project, bqconfig.Config{RESTEndpoint: s.Endpoint}.RESTOptions()...); err != nil {
		return nil, fmt.Errorf("connecting to BigQuery: %w", err)
	}
	dataset := s.client.Dataset(s.Dataset)
	from := view.Source{Client: s.client, Dataset: s.Dataset, MaxBytes: s.MaxBytes}
	s.marts = view.New(view.Config{Source: from, Location: s.Location, Now: s.Now})
	s.page = page.New(page.Config{
		Client: s.client, Dataset: s.Dataset, MaxBytes: s.MaxBytes, View: s.marts, State: s.state, Location: s.Location, Now: s.Now,
	})
	s.hours = watch{table: dataset.Table(hoursTable), read: s.readMarts, now: s.Now}
	s.audits = watch{table: dataset.Table(auditTable), read: s.readAudit, now: s.Now}
	s.pages = s.page.Handler()
	return s, nil
}

// Close ends the connection to the warehouse.
func (s *Server) Close() error { return s.client.Close() }

// ServeHTTP answers as package internal/page does. A request below /api/ is
// somebody who looks; it waits for a reading that is due, but not for long.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/healthz":
		_, _ = w.Write([]byte("ok\n"))
		return
	case strings.HasPrefix(r.URL.Path, "/api/"):
		waiting, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		s.hours.look(waiting)
		s.audits.look(waiting)
	}
	s.pages.ServeHTTP(w, r)
}

func (s *Server) readMarts(ctx context.Context) error {
	began := s.Now()
	err := s.page.Changed(ctx)
	if err == nil {
		s.Logger.Info("marts read", "took_ms", s.Now().Sub(began).Milliseconds())
	}
	return s.logged(err)
}

// logged logs an error.
func (s *Server) logged(err error) error {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.Logger.Error("page not read", "error", err.Error())
	}
	return err
}

var made lazy.Value[*Server]

// Handle is the function's entry point.
func Handle(w http.ResponseWriter, r *http.Request) {
	s, err := made.Get(func() (*Server, error) {
		config, err := FromEnv(os.Getenv)
		if err != nil {
			return nil, err
		}
		return New(context.WithoutCancel(r.Context()), config)
	})
	if err != nil {
		slog.Error("setting up page", "error", err.Error())
		http.Error(w, "page is not set up; the log says why", http.StatusInternalServerError)
		return
	}
	s.ServeHTTP(w, r)
}
