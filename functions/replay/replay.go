// Package replay is `stationflow replay` as a function: a person calls it, where
// the command cannot reach Kafka or the warehouse.
//
// A call does what fits its time, stops between two batches or statements, and
// says where the next one goes on. It keeps nothing: to call it more than once,
// or several at once, does no harm.
package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/stationflow/stationflow/bridge/outlet"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/replay"
	"github.com/stationflow/stationflow/internal/serve"
	"github.com/stationflow/stationflow/terraform"
)

// Config says from where and on which way.
type Config struct {
	Kafka     kafka.Config
	Warehouse bqconfig.Config
	Bucket    string // of the lake
	Way       outlet.Way
	Limit     time.Duration // after which a call begins no further step
	MaxBytes  int64         // the most that one statement may read of the warehouse

	Now    func() time.Time // nil for time.Now
	Logger *slog.Logger     // nil for slog.Default()
}

// lastStep is how long, beyond the limit, the step may take that goes on then.
const lastStep = time.Minute

// FromEnv reads the KAFKA_ variables, those of the warehouse, LAKE_BUCKET, those
// that say how the bridge's batches get to ingest, REPLAY_LIMIT and
// REPLAY_MAX_BYTES. The error lists every fault.
func FromEnv(getenv func(string) string) (Config, error) {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return Config{}, err
	}
	r := env.NewReader(getenv)
	c := Config{
		Kafka:     kafka.FromEnv(r),
		Warehouse: bqconfig.FromEnv(r),
		Bucket:    r.Required("LAKE_BUCKET", "set it to the name of the lake's Cloud Storage bucket"),
		Way:       outlet.FromEnv(r, deployment, ""),
		Limit:     r.Duration("REPLAY_LIMIT", 8*time.Minute, time.Second, 55*time.Minute),
		MaxBytes:  r.Int("REPLAY_MAX_BYTES", 1<<30, 1, 1<<50),
	}
	return c, errors.Join(r.Err(), c.Way.Check())
}

// A Result is what a call did. Where it is not complete, a further call with the
// same request and resume_after goes on.
type Result struct {
	replay.Report
	Complete    bool   `json:"complete"`
	ResumeAfter string `json:"resume_after,omitempty"` // "" to begin again, or where nothing is left
	Error       string `json:"error,omitempty"`        // why it ended early, unless its time was up
}

// A call is a request as JSON.
type call struct {
	Source      string   `json:"source"` // kafka or lake
	Topics      []string `json:"topics"`
	Partition   *int     `json:"partition"`
	Offsets     []int64  `json:"offsets"` // the first and the last
	From        string   `json:"from"`    // a time, as RFC 3339 writes it
	To          string   `json:"to"`
	DryRun      bool     `json:"dry_run"`
	ResumeAfter string   `json:"resume_after"`
}

// Handle is the function's entry point: each POST is one replay.
var Handle = serve.Function("replay", func(context.Context) (serve.Task, error) {
	config, err := FromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return config.Replay, nil
})

// Replay does what the body asks for. Its result is a *Result, also with an
// error that is not the request's.
func (c Config) Replay(ctx context.Context, body []byte) (any, error) {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	request, err := parse(body, now())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Limit+lastStep)
	defer cancel()
	worker := replay.Worker{Kafka: c.Kafka, Warehouse: c.Warehouse, Bucket: c.Bucket, MaxBytes: c.MaxBytes, Until: now().Add(c.Limit), Now: c.Now}
	if request.Source == replay.FromKafka && !request.DryRun {
		out, err := c.Way.Open(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { _ = out.Close() }()
		worker.Send = out.Send
	}
	report, err := worker.Run(ctx, request)
	if mistake := new(program.Mistake); errors.As(err, mistake) {
		return nil, program.Mistakef("resume_after: %w", err)
	}
	result := &Result{Report: report, Complete: err == nil}
	if errors.Is(err, replay.ErrTime) {
		err = nil
	}
	if !result.Complete {
		result.ResumeAfter = report.Last
		if report.Last == "" {
			result.ResumeAfter = request.After
		}
	}
	if err != nil {
		result.Error = err.Error()
	}
	c.log(request, result)
	return result, err
}

func (c Config) log(request replay.Request, r *Result) {
	logger := c.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Info("replay ended", "complete", r.Complete, "source", request.Source, "dry_run", r.DryRun, "records", r.Records, "retried", r.Retried,
		"batches", r.Batches, "bigquery_bytes", r.Bytes, "resume_after", r.ResumeAfter, "error", r.Error)
}

// parse reads a request. Its errors are the caller's mistakes.
func parse(body []byte, now time.Time) (r replay.Request, err error) {
	var c call
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return r, program.Mistakef(`the body is no request: %w; send JSON such as {"source": "lake", "from": "2026-11-22T07:30:00Z", "to": "2026-11-22T08:00:00Z", "dry_run": true}`, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return r, program.Mistakef("the body has more than one request")
	}
	r = replay.Request{Source: c.Source, Topics: c.Topics, Partition: -1, First: -1, Last: -1, DryRun: c.DryRun, After: c.ResumeAfter}
	if r.Source != replay.FromKafka && r.Source != replay.FromLake {
		return r, program.Mistakef(`"source" is %q: say "kafka" or "lake"`, c.Source)
	}
	if c.Partition != nil {
		if r.Partition = *c.Partition; r.Partition < 0 {
			return r, program.Mistakef(`"partition" is %d: it must be 0 or more`, r.Partition)
		}
	}
	switch {
	case c.Offsets == nil:
	case len(c.Offsets) != 2 || c.Offsets[0] < 0 || c.Offsets[1] < c.Offsets[0]:
		return r, program.Mistakef(`"offsets" is %v: write the first and the last offset, such as [1000, 1499]`, c.Offsets)
	default:
		r.First, r.Last = c.Offsets[0], c.Offsets[1]
	}
	for _, one := range []struct {
		name, text string
		to         *time.Time
	}{{"from", c.From, &r.From}, {"to", c.To, &r.To}} {
		if one.text == "" {
			continue
		}
		if *one.to, err = time.Parse(time.RFC3339, one.text); err != nil {
			return r, program.Mistakef("%q is %q: write a time such as 2026-11-22T07:30:00Z", one.name, one.text)
		}
	}
	return r, r.Check(now, func(name string) string { return `"` + name + `"` })
}
