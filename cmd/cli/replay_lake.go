package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/sql"
)

// A lakeStep is one statement of a replay from the lake: a day of a topic, or
// the part of it that was asked for.
type lakeStep struct {
	topic    string
	from, to time.Time
}

// String names the step, for --resume-after.
func (s lakeStep) String() string { return s.topic + "/" + s.from.Format(time.DateOnly) }

// steps are those of the topics and days, in order.
func (c *replayCall) steps() (all []lakeStep) {
	for _, topic := range c.topics {
		for from := c.from; from.Before(c.to); {
			to := from.Truncate(24 * time.Hour).Add(24 * time.Hour)
			if c.to.Before(to) {
				to = c.to
			}
			all = append(all, lakeStep{topic, from, to})
			from = to
		}
	}
	return all
}

// stepsLeft are those behind --resume-after.
func (c *replayCall) stepsLeft() ([]lakeStep, error) {
	all := c.steps()
	if c.after == "" {
		return all, nil
	}
	at := slices.IndexFunc(all, func(s lakeStep) bool { return s.String() == c.after })
	if at < 0 {
		return nil, program.Mistakef("--resume-after is %q, which is none of what is to be replayed: it is written as %s", c.after, all[0])
	}
	return all[at+1:], nil
}

// lake puts back into staging what the lake has and staging lacks. Each step is
// one statement: it happens as a whole, or not at all, and to repeat it adds
// nothing.
func (c *replayCall) lake(ctx context.Context) error {
	steps, err := c.stepsLeft()
	if err != nil {
		return err
	}
	r := env.NewReader(c.streams.Getenv)
	config := bqconfig.FromEnv(r)
	if err := r.Err(); err != nil {
		return localAdvice(c.streams.Getenv, err)
	}
	if err := reach(ctx, c.streams.Getenv, "BIGQUERY_EMULATOR_HOST"); err != nil {
		return err
	}
	client, err := bigquery.NewClient(ctx, config.Project, config.RESTOptions()...)
	if err != nil {
		return fmt.Errorf("connecting to BigQuery in project %s: %w", config.Project, err)
	}
	defer func() { _ = client.Close() }()
	report := replayReport{DryRun: c.dryRun}
	told := progress{clock: c.clock, out: c.streams.Err}
	for _, step := range steps {
		var n int64
		if n, err = c.lakeStep(ctx, client, config, step, &report); err != nil {
			err = fmt.Errorf("replaying %v from the lake: %w", step, err)
			break
		}
		report.Records += n
		report.Last = step.String()
		told.tell("%d records replayed, up to %v", report.Records, step)
	}
	said := "put back into staging"
	if c.dryRun {
		said = "would be put back into staging"
	}
	return c.end(report, fmt.Sprintf("%d records %s", report.Records, said), err)
}

// lakeStep does one step, or counts what it would do, and returns how many
// records that are.
func (c *replayCall) lakeStep(ctx context.Context, client *bigquery.Client, config bqconfig.Config, step lakeStep, report *replayReport) (int64, error) {
	insert, count, err := sql.Replay(step.topic)
	if err != nil {
		return 0, err
	}
	if c.dryRun {
		insert = count
	}
	query := client.Query(strings.ReplaceAll(insert, "staging_data.", config.StagingDataset+"."))
	query.Parameters = []bigquery.QueryParameter{{Name: "from_time", Value: step.from}, {Name: "to_time", Value: step.to}}
	if err := c.limits(report).Check(ctx, query); err != nil {
		return 0, explainTooMuch(err)
	}
	if c.dryRun {
		rows, err := query.Read(ctx)
		if err != nil {
			return 0, err
		}
		var row struct {
			Records int64 `bigquery:"records"`
		}
		return row.Records, rows.Next(&row)
	}
	job, err := query.Run(ctx)
	if err != nil {
		return 0, err
	}
	status, err := job.Wait(ctx)
	if err != nil {
		return 0, err
	}
	if err := status.Err(); err != nil {
		return 0, err
	}
	statistics, _ := status.Statistics.Details.(*bigquery.QueryStatistics)
	if statistics == nil {
		return 0, nil
	}
	return statistics.NumDMLAffectedRows, nil
}
