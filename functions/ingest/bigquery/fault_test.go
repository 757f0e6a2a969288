package bigquery

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/functions/ingest/fault"
)

// What each status of BigQuery says, of a request as a whole: bad rows are
// reported each for itself.
func TestFault_GRPC(t *testing.T) {
	for code, want := range map[codes.Code]fault.Kind{
		codes.Canceled:           fault.Outage,
		codes.Unknown:            fault.Unknown, // also what a proxy's 500, 501 or 505 becomes
		codes.InvalidArgument:    fault.Suspect, // one row, or the table
		codes.DeadlineExceeded:   fault.Outage,
		codes.NotFound:           fault.Misconfigured,
		codes.AlreadyExists:      fault.Outage,
		codes.PermissionDenied:   fault.Misconfigured,
		codes.ResourceExhausted:  fault.Outage,
		codes.FailedPrecondition: fault.Misconfigured,
		codes.Aborted:            fault.Outage,
		codes.OutOfRange:         fault.Outage,
		codes.Unimplemented:      fault.Misconfigured,
		codes.Internal:           fault.Outage,
		codes.Unavailable:        fault.Outage,
		codes.DataLoss:           fault.Outage,
		codes.Unauthenticated:    fault.Misconfigured,
		codes.Code(17):           fault.Outage,
	} {
		err := fmt.Errorf("appending: %w", status.Error(code, "no"))
		if got := Fault(err); got != want {
			t.Errorf("%v is %s, want %s", code, got, want)
		}
	}
}

func TestFault(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"the connection ends":          {fmt.Errorf("appending: %w", io.EOF), fault.Outage},
		"no right, and closing failed": {errors.Join(status.Error(codes.PermissionDenied, "no"), io.EOF), fault.Misconfigured},
		"rows refused that none sent":  {errors.New("appending 3 rows to x: it refuses some that it was not sent"), fault.Unknown},
	} {
		if got := Fault(test.err); got != test.want {
			t.Errorf("%s: %v is %s, want %s", name, test.err, got, test.want)
		}
	}
}
