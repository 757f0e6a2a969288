package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge/outlet"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/quarantine"
	"github.com/stationflow/stationflow/internal/replay"
	"github.com/stationflow/stationflow/terraform"
)

// A retryReport is what a retry did, as retry --json prints it; fields may be
// added.
type retryReport struct {
	DryRun   bool             `json:"dry_run"` // nothing was sent: accepted and refused are what would become of them
	Bytes    int64            `json:"bytes_read"`
	Chosen   int64            `json:"chosen"`
	Accepted int64            `json:"accepted"`
	Refused  map[string]int64 `json:"refused"` // still, by reason
	Unknown  int64            `json:"unknown"` // sent, and nothing was heard of them in time
	Failed   []string         `json:"failed"`  // why records could not be sent
}

// A retryRun is a retry while it runs.
type retryRun struct {
	retryReport
	progress
	since   time.Time // what is heard of the records is newer
	batches []string  // the ids of those sent
	sent    int64
}

// doRetry has the chosen records judged again.
func (c *quarantineCommand) doRetry(ctx context.Context, table *quarantine.Table) error {
	run := &retryRun{since: c.clock.Now().Add(-clockSkews), retryReport: retryReport{DryRun: c.retry.dryRun, Refused: map[string]int64{}, Failed: []string{}},
		progress: progress{clock: c.clock, out: c.streams.Err}}
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return fmt.Errorf("connecting to Cloud Storage: %w", err)
	}
	defer func() { _ = client.Close() }()
	send, end, err := c.sender(ctx, run)
	if err != nil {
		return err
	}
	defer end()
	err = run.pack(ctx, table, c.filter, client, send)
	if err == nil && !run.DryRun {
		err = c.await(ctx, table, run)
	}
	run.Bytes = c.read
	if err := errors.Join(err, c.printRetry(&run.retryReport)); err != nil {
		return err
	}
	if run.Chosen == 0 && len(c.filter.Places) > 0 {
		fmt.Fprintln(c.streams.Err, "none of the named records is in quarantine for that; to see what is: stationflow quarantine list")
	}
	if len(run.Failed) > 0 || run.Unknown > 0 {
		return errors.New("not all of the records were tried again: run it once more")
	}
	return nil
}

// sender returns what becomes of each batch: it is sent, or only judged.
func (c *quarantineCommand) sender(ctx context.Context, run *retryRun) (send func(context.Context, cloudevents.Event, int) error, end func(), err error) {
	if c.retry.dryRun {
		config, err := ingest.FromEnv(c.streams.Getenv)
		if err != nil {
			return nil, nil, c.streams.advise(err)
		}
		judge, err := ingest.NewJudge(config)
		return run.judge(judge), func() {}, err
	}
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return nil, nil, err
	}
	r := env.NewReader(c.streams.Getenv)
	to := outlet.FromEnv(r, deployment, c.retry.url)
	if err := errors.Join(r.Err(), to.Check()); err != nil {
		return nil, nil, c.streams.advise(err)
	}
	out, err := openOutlet(ctx, to)
	if err != nil {
		return nil, nil, err
	}
	return run.send(out), func() { _ = out.Close() }, nil
}

// pack makes batches of the chosen records.
func (run *retryRun) pack(ctx context.Context, table *quarantine.Table, f quarantine.Filter, client *storage.Client, send func(context.Context, cloudevents.Event, int) error) error {
	packer := replay.Packer{Send: send}
	for row, err := range table.Records(ctx, f) {
		if err != nil {
			return fmt.Errorf("reading the records to try again: %w", err)
		}
		run.Chosen++
		if said := row.IngestedAt.Add(time.Microsecond); said.After(run.since) { // by an earlier retry, whose batches had the same ids
			run.since = said
		}
		record, err := row.Whole(ctx, client)
		if errors.Is(err, storage.ErrObjectNotExist) {
			run.Failed = append(run.Failed, fmt.Sprintf("%v: the lake no longer has its bytes: %s", row.Place(), row.Detail.StringVal))
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %v: %w", row.Place(), err)
		}
		of := &batch.Batch{ClusterID: "unknown", Topic: row.Topic, TopicID: row.TopicID, Retry: true}
		alone := row.Aside() != (quarantine.Aside{}) // what is said of it, is said of no other
		if alone {
			if err := packer.Flush(ctx); err != nil {
				return err
			}
		}
		if err := packer.Add(ctx, of, &record); err != nil {
			return err
		}
		if alone {
			if err := packer.Flush(ctx); err != nil {
				return err
			}
		}
		run.progress.tell("%d records looked at", run.Chosen)
	}
	return packer.Flush(ctx)
}

// judge counts what would become of a batch.
func (run *retryRun) judge(judge *ingest.Judge) func(context.Context, cloudevents.Event, int) error {
	return func(ctx context.Context, e cloudevents.Event, records int) error {
		b, err := batch.FromEvent(e)
		if err != nil {
			return err
		}
		refused, err := judge.Refused(ctx, b)
		if err != nil {
			return err
		}
		run.Accepted += int64(records - len(refused))
		for _, r := range refused {
			run.Refused[string(r.Reason)]++
		}
		return nil
	}
}

// send has a batch arrive. One that ingest refuses does not keep back the
// others.
func (run *retryRun) send(o *outlet.Outlet) func(context.Context, cloudevents.Event, int) error {
	return func(ctx context.Context, e cloudevents.Event, records int) error {
		err := o.Send(ctx, e)
		switch {
		case err == nil:
			run.batches = append(run.batches, e.ID())
			run.sent += int64(records)
			return nil
		case outlet.Refused(err):
			run.Failed = append(run.Failed, fmt.Sprintf("%d records of %s: %v", records, e.Subject(), err))
			return nil
		}
		return fmt.Errorf("sending %d records of %s, after %d that were sent; the others stay where they are: %w", records, e.Subject(), run.sent, err)
	}
}

// How often and how many batches at once the warehouse is asked about.
const (
	askEvery   = 2 * time.Second
	askAtOnce  = 1000
	clockSkews = time.Minute // between this machine and the functions
)

// await waits until it is known what became of the records that were sent.
func (c *quarantineCommand) await(ctx context.Context, table *quarantine.Table, run *retryRun) error {
	last := int64(0)
	for until := c.clock.Now().Add(c.retry.wait); run.sent > 0; {
		began := c.clock.Now()
		known := int64(0)
		run.Accepted = 0
		clear(run.Refused)
		for some := range slices.Chunk(run.batches, askAtOnce) {
			counts, err := table.Outcome(ctx, some, run.since)
			if err != nil {
				return err
			}
			for reason, n := range counts {
				known += n
				if reason == string(event.Accepted) {
					run.Accepted += n
				} else {
					run.Refused[reason] += n
				}
			}
		}
		run.Unknown = max(run.sent-known, 0)
		if known > last {
			last, until = known, c.clock.Now().Add(c.retry.wait)
		}
		if run.Unknown == 0 || !c.clock.Now().Before(until) {
			return nil
		}
		run.progress.tell("%d of %d records are decided about", known, run.sent)
		// A look at many rows takes long, and may keep the others waiting.
		if err := c.clock.Wait(ctx, max(askEvery, 2*c.clock.Now().Sub(began))); err != nil {
			return err
		}
	}
	return nil
}

func (c *quarantineCommand) printRetry(r *retryReport) error {
	if c.asJSON {
		return printJSON(c.streams.Out, r)
	}
	out := c.streams.Out
	accepted, refused := "accepted", "still refused"
	if r.DryRun {
		accepted, refused = "would be accepted", "would still be refused"
	}
	fmt.Fprintf(out, "%d records chosen: %d %s", r.Chosen, r.Accepted, accepted)
	if len(r.Refused) > 0 {
		sum := int64(0)
		var reasons []string
		for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
			sum += r.Refused[reason]
			reasons = append(reasons, fmt.Sprintf("%s %d", reason, r.Refused[reason]))
		}
		fmt.Fprintf(out, ", %d %s (%s)", sum, refused, strings.Join(reasons, ", "))
	}
	if r.Unknown > 0 {
		fmt.Fprintf(out, ", %d not heard of yet", r.Unknown)
	}
	fmt.Fprintln(out)
	for _, why := range r.Failed {
		fmt.Fprintln(out, "not tried:", why)
	}
	return nil
}
