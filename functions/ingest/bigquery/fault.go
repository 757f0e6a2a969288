package bigquery

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/functions/ingest/fault"
)

// Fault returns the kind of an error of this package. None is the batch's
// fault: bad rows are reported each for itself.
func Fault(err error) fault.Kind {
	if parts := fault.Parts(err); parts != nil {
		return fault.Worst(parts, Fault)
	}
	if kind := fault.OfConnection(err); kind != fault.Unknown {
		return kind
	}
	if isLacking(err) {
		return fault.Misconfigured
	}
	return ofGRPC(status.Code(err))
}

// ofGRPC counts FailedPrecondition and Unimplemented among what a person must
// mend: the table cannot be written. InvalidArgument may be that, and may be a
// row that BigQuery does not name. Unknown is every error that is not gRPC's,
// and most statuses of HTTP that a proxy answers.
func ofGRPC(code codes.Code) fault.Kind {
	switch code {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition, codes.Unimplemented:
		return fault.Misconfigured
	case codes.InvalidArgument:
		return fault.Suspect
	case codes.Unknown:
		return fault.Unknown
	}
	return fault.Outage
}
