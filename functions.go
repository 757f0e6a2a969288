// Package stationflow registers the Cloud Functions. It is what a deployment
// builds: each function is deployed from this repository's root under the
// name it is registered with.
package stationflow

import (
	"log/slog"
	"os"
	_ "time/tzdata" // containers have no time zones of their own

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/functions/audit"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/page"
	"github.com/stationflow/stationflow/functions/replay"
	"github.com/stationflow/stationflow/functions/scale"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/cloudlog"
	"github.com/stationflow/stationflow/internal/garbage"
)

func init() {
	garbage.Bound(os.Getenv)
	if cloudlog.IsRead(os.Getenv) {
		slog.SetDefault(cloudlog.New(os.Stderr))
	}
	functions.HTTP("alert", alert.Handle)
	functions.HTTP("audit", audit.Handle)
	functions.HTTP("compact", compact.Handle)
	functions.HTTP("ingest", ingest.Handle)
	functions.HTTP("page", page.Handle)
	functions.HTTP("replay", replay.Handle)
	functions.HTTP("scale", scale.Handle)
	functions.HTTP("transform", transform.Handle)
}
