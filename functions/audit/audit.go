// Package audit keeps the proof: at each call it compares what Kafka holds of
// the last hours with the lake and the warehouse, as `stationflow verify` does,
// and appends what it found to prod_data.pipeline_completeness.
//
// There is a row for each partition with records in the period, and none while
// nothing comes: nothing is read then either. A call that is repeated adds rows
// with its own checked_at; readers take the latest of a partition.
package audit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/terraform"
)

// Table is where the results are kept, in the dataset of the marts.
const Table = "pipeline_completeness"

// Schema is the table's, as BigQuery's JSON. Terraform makes the table from the
// same file.
//
//go:embed table.json
var Schema []byte

// Config says where everything is, and how far back to look.
type Config struct {
	ledger.Config
	Period   time.Duration // by Kafka's timestamps; several of the scheduler's
	InFlight time.Duration

	Now    func() time.Time // nil for time.Now
	Logger *slog.Logger     // nil for slog.Default()
}

// FromEnv reads the variables of internal/ledger, AUDIT_PERIOD and
// AUDIT_IN_FLIGHT. The error lists every fault.
func FromEnv(getenv func(string) string) (Config, error) {
	r := env.NewReader(getenv)
	c := Config{
		Config:   ledger.FromEnv(r),
		Period:   r.Duration("AUDIT_PERIOD", 3*time.Hour, time.Minute, 24*time.Hour),
		InFlight: r.Duration("AUDIT_IN_FLIGHT", ledger.DefaultInFlight, 0, 24*time.Hour),
	}
	return c, r.Err()
}

// An Auditor checks, one call after the other or at once. It is safe for
// concurrent use.
type Auditor struct {
	config  Config
	clients *ledger.Clients
}

// New connects to everything, and asks nothing yet. Close the auditor when it
// is not used any more.
func New(ctx context.Context, config Config) (*Auditor, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	clients, err := config.Open(ctx)
	if err != nil {
		return nil, err
	}
	clients.DeadLetters = config.buried
	return &Auditor{config, clients}, nil
}

// lettersWait is how long no further dead letter must come before there are no
// more.
const lettersWait = 2 * time.Second

// buried are the batches that wait as dead letters, which are given back. A
// message that is no batch has its own alert.
func (c Config) buried(ctx context.Context) (_ []ledger.DeadLetter, err error) {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return nil, err
	}
	box, err := mailbox.Open(ctx, c.BigQuery.Project, deployment.DeadLetterSubscription, lettersWait, mailbox.WallClock{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	all, err := box.Buried(ctx)
	return slices.DeleteFunc(all, func(l ledger.DeadLetter) bool { return l.Topic == "" }), err
}

// Close ends the connections.
func (a *Auditor) Close() error { return a.clients.Close() }

// A Result is what a call found.
type Result struct {
	Complete   bool        `json:"complete"`
	CheckedAt  time.Time   `json:"checked_at"`
	From       time.Time   `json:"from"`
	Partitions int         `json:"partitions"` // rows that were appended
	Landed     int64       `json:"records"`    // of the period, in staging or in quarantine
	InFlight   int64       `json:"in_flight"`
	Problems   []string    `json:"problems"` // one line each, the first of them
	Scanned    ledger.Scan `json:"scanned"`
}

// mostProblems is how many are told in the answer and in the log.
const mostProblems = 20

// Check looks once. After an error nothing was appended, or all of it: the
// answer may have been lost.
func (a *Auditor) Check(ctx context.Context) (*Result, error) {
	now := a.config.Now().UTC()
	from := now.Add(-a.config.Period)
	check, err := ledger.Begin(ctx, a.clients.Sources, ledger.Options{From: from, InFlight: a.config.InFlight, Now: now})
	if err != nil {
		return nil, err
	}
	report, err := check.Run(ctx, func(string, ledger.Scan) {})
	if err = errors.Join(err, check.Close()); err != nil {
		return nil, err
	}
	result := &Result{Complete: report.Complete, CheckedAt: now, From: from, Problems: []string{}, Scanned: report.Scanned}
	rows := rowsOf(report, from, now)
	for _, row := range rows {
		result.Landed += row.Staging + row.Quarantine - row.InBoth
		result.InFlight += row.InFlight
	}
	for _, problem := range report.Problems[:min(len(report.Problems), mostProblems)] {
		result.Problems = append(result.Problems, problem.String())
	}
	if result.Partitions, err = a.keep(ctx, rows); err != nil {
		return nil, err
	}
	a.log(result, len(report.Problems))
	return result, nil
}

func (a *Auditor) log(r *Result, problems int) {
	level := slog.LevelInfo
	if !r.Complete {
		level = slog.LevelWarn
	}
	a.config.Logger.Log(context.Background(), level, "audit finished", "complete", r.Complete, "problems", problems, "first_problems", r.Problems,
		"partitions", r.Partitions, "records", r.Landed, "in_flight", r.InFlight,
		"bigquery_bytes", r.Scanned.BigQueryBytes, "objects", r.Scanned.Objects, "object_bytes", r.Scanned.ObjectBytes)
}

// A Row is one of the table: a partition in a period, with numbers of offsets.
type Row struct {
	CheckedAt   time.Time `bigquery:"checked_at"`
	PeriodFrom  time.Time `bigquery:"period_from"`
	PeriodTo    time.Time `bigquery:"period_to"`
	Topic       string    `bigquery:"kafka_topic"`
	TopicID     string    `bigquery:"kafka_topic_id"`
	Partition   int64     `bigquery:"kafka_partition"`
	First       int64     `bigquery:"first_offset"`
	Last        int64     `bigquery:"last_offset"`
	Staging     int64     `bigquery:"staging"`
	Quarantine  int64     `bigquery:"quarantine"`
	InBoth      int64     `bigquery:"in_both"`
	Lake        int64     `bigquery:"lake"`
	InFlight    int64     `bigquery:"in_flight"`
	Waiting     int64     `bigquery:"waiting"`
	Missing     int64     `bigquery:"missing"`
	OnlyInLake  int64     `bigquery:"only_in_lake"`
	NotInLake   int64     `bigquery:"not_in_lake"`
	WrongTable  int64     `bigquery:"wrong_table"`
	NoRecords   int64     `bigquery:"no_records"`
	Duplicates  int64     `bigquery:"duplicate_rows"`
	Complete    bool      `bigquery:"complete"`
	ProblemText string    `bigquery:"problems"` // one a line

	DeadLetters bigquery.NullInt64 `bigquery:"dead_letters"` // it came to the table later
}

// rowsOf has a row for each partition with anything in the period, and one
// without a topic for problems that are no partition's.
func rowsOf(report *ledger.Report, from, to time.Time) (rows []Row) {
	problems := map[ledger.Place][]string{}
	for _, f := range report.Problems {
		place := f.Place
		if f.Records == 0 {
			place = ledger.Place{}
		}
		problems[place] = append(problems[place], f.String())
	}
	add := func(a ledger.Account) {
		said := problems[a.Place]
		rows = append(rows, Row{
			CheckedAt: to, PeriodFrom: from, PeriodTo: to, Topic: a.Topic, TopicID: a.TopicID, Partition: a.Partition,
			First: a.First, Last: a.Next - 1, Staging: a.Staging, Quarantine: a.Quarantine, InBoth: a.InBoth, Lake: a.Lake,
			InFlight: a.InFlight, Waiting: a.Waiting, Missing: a.Missing, OnlyInLake: a.OnlyInLake, NotInLake: a.NotInLake,
			WrongTable: a.WrongTable, NoRecords: a.NoRecords, Duplicates: a.Duplicates,
			Complete: len(said) == 0, ProblemText: strings.Join(said, "\n"),
			DeadLetters: bigquery.NullInt64{Int64: a.DeadLetters, Valid: true},
		})
	}
	for _, account := range report.Partitions {
		if account.Next > account.First || len(problems[account.Place]) > 0 {
			add(account)
		}
	}
	if len(problems[ledger.Place{}]) > 0 {
		add(ledger.Account{})
	}
	return rows
}

// keep appends the rows by one statement, which reads no table and so bills no
// bytes.
func (a *Auditor) keep(ctx context.Context, rows []Row) (appended int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	q := a.clients.BigQuery.Query(Insert(a.config.BigQuery.ProdDataset, rows))
	q.Labels = map[string]string{"application": "stationflow", "component": "audit"}
	if _, err := q.Read(ctx); err != nil {
		return 0, fmt.Errorf("appending %d rows to %s.%s: %w", len(rows), a.config.BigQuery.ProdDataset, Table, err)
	}
	return len(rows), nil
}
