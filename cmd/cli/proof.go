package cli

import (
	"context"
	"errors"
	"flag"
	"time"

	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/terraform"
)

// proofFlags are those that verify and trace have both.
type proofFlags struct {
	inFlight   time.Duration
	asJSON     bool
	dry        bool
	deadLetter string // the subscription
	wait       time.Duration
}

func (p *proofFlags) define(flags *flag.FlagSet) error {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return err
	}
	flags.DurationVar(&p.inFlight, "in-flight", ledger.DefaultInFlight, "`AGE` up to which a record that has not arrived is on its way")
	flags.BoolVar(&p.asJSON, "json", false, "print JSON")
	flags.BoolVar(&p.dry, "dry-run", false, "only say what would be read")
	flags.StringVar(&p.deadLetter, "subscription", deployment.DeadLetterSubscription, "`NAME` of the dead letter subscription")
	flags.DurationVar(&p.wait, "wait", 2*time.Second, "`DURATION` in which no further dead letter must come before there are no more")
	return nil
}

// tellScan prints what would be read as JSON; for people it was said.
func (p *proofFlags) tellScan(streams *Streams, scan ledger.Scan) error {
	if !p.asJSON {
		return nil
	}
	return printJSON(streams.Out, map[string]any{"dry_run": true, "to_read": scan})
}

// A proof is all that verify and trace look at. It is to be closed.
type proof struct {
	*ledger.Clients
	config   ledger.Config
	location *time.Location
	box      *mailbox.Mailbox // nil where the dead letters are left out
}

// open connects to everything that the environment names.
func (p *proofFlags) open(ctx context.Context, streams *Streams, deadLetters bool) (_ *proof, err error) {
	r := env.NewReader(streams.Getenv)
	found := &proof{config: ledger.FromEnv(r), location: r.Location("STATION_TIMEZONE", "UTC")}
	if err := r.Err(); err != nil {
		return nil, streams.advise(err)
	}
	for _, emulator := range emulators[:2] {
		if err := reach(ctx, streams.Getenv, emulator); err != nil {
			return nil, err
		}
	}
	if found.Clients, err = found.config.Open(ctx); err != nil || !deadLetters {
		return found, err
	}
	if err := found.openDeadLetters(ctx, p.deadLetter, p.wait); err != nil {
		return nil, errors.Join(err, found.Clients.Close())
	}
	return found, nil
}

// openDeadLetters connects to the dead letters of a subscription, too. There are no
// more once none has come for wait.
func (p *proof) openDeadLetters(ctx context.Context, subscription string, wait time.Duration) (err error) {
	if p.box, err = openMailbox(ctx, p.config.BigQuery.Project, subscription, wait, mailbox.WallClock{}); err != nil {
		return err
	}
	p.DeadLetters = p.box.Buried
	return nil
}

// Close ends the connections.
func (p *proof) Close() error {
	if p.box == nil {
		return p.Clients.Close()
	}
	return errors.Join(p.box.Close(), p.Clients.Close())
}
