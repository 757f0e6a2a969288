package cli

import (
	"context"
	"os"
	"time"

	"github.com/stationflow/stationflow/bridge/outlet"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
)

// urlUsage explains --url, the function to post to.
const urlUsage = "post to the ingest function at `URL` instead of publishing to the records topic; the audience of the identity token is BRIDGE_HTTP_AUDIENCE, or the URL"

// openOutlet connects to the way to ingest. A local system that is not there is
// told at once.
func openOutlet(ctx context.Context, way outlet.Way) (*outlet.Outlet, error) {
	if way.URL == "" {
		if err := reach(ctx, os.Getenv, "PUBSUB_EMULATOR_HOST"); err != nil { // where Google's client looks for it
			return nil, err
		}
	}
	return way.Open(ctx)
}

// openMailbox connects to the dead letters likewise.
func openMailbox(ctx context.Context, project, subscription string, wait time.Duration, clock mailbox.Clock) (*mailbox.Mailbox, error) {
	if err := reach(ctx, os.Getenv, "PUBSUB_EMULATOR_HOST"); err != nil {
		return nil, err
	}
	return mailbox.Open(ctx, project, subscription, wait, clock)
}
