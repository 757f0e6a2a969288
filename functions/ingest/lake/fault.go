package lake

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/internal/lake"
)

// Fault returns the kind of an error of this package.
//
// An object that the lake has just told of, and that is not there, was deleted
// meanwhile: it can be created now. The status alone, 404, would mean a wrong
// name of the bucket.
func Fault(err error) fault.Kind {
	if blamesBatch(err) {
		return fault.OfBatch
	}
	if parts := fault.Parts(err); slices.Contains(parts, storage.ErrObjectNotExist) {
		return fault.Outage
	} else if parts != nil {
		return fault.Worst(parts, Fault)
	}
	var refused *googleapi.Error
	if errors.As(err, &refused) {
		return ofHTTP(refused)
	}
	var rows *unencodable
	if errors.As(err, &rows) {
		return fault.Suspect
	}
	return fault.OfConnection(err)
}

// blamesBatch reports whether the error names the batch: other records are
// stored under its name, or handling it crashed.
func blamesBatch(err error) bool {
	var other *lake.OtherSelection // which archive takes care of
	var crash *fault.Crash
	return IsConflict(err) || errors.As(err, &other) || errors.As(err, &crash)
}

// IsConflict reports whether the lake holds other contents under the batch's
// name.
func IsConflict(err error) bool {
	var conflict *lake.Conflict
	return errors.As(err, &conflict)
}

// Conflicts returns the partitions whose records the lake holds otherwise, each
// with its error, and whether that is all that went wrong: then the records of
// all other partitions are durable.
func Conflicts(err error) (of map[int32]error, only bool) {
	of, only = make(map[int32]error), true
	var look func(error)
	look = func(err error) {
		var conflict *lake.Conflict
		if parts := fault.Parts(err); parts != nil {
			for _, part := range parts {
				look(part)
			}
		} else if !errors.As(err, &conflict) || len(conflict.Partitions) == 0 {
			only = false
		} else {
			for _, partition := range conflict.Partitions {
				of[partition] = err
			}
		}
	}
	look(err)
	return of, only
}

// ofHTTP knows two answers that are about the request: that it is bad, and
// that it is too large. A page of HTML is a proxy's, which cannot tell.
func ofHTTP(refused *googleapi.Error) fault.Kind {
	switch code := refused.Code; {
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge:
		if isPage(refused) {
			return fault.Misconfigured
		}
		return fault.OfBatch
	case code == http.StatusForbidden && isTooFast(refused):
		return fault.Outage
	case code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return fault.Outage
	case code >= 400 && code < 500:
		return fault.Misconfigured
	}
	return fault.Outage
}

// isTooFast tells a limit on requests in a time from a right that is missing:
// Google's services answer 403 to both
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
func isTooFast(refused *googleapi.Error) bool {
	return slices.ContainsFunc(refused.Errors, func(e googleapi.ErrorItem) bool {
		return e.Reason == "rateLimitExceeded" || e.Reason == "userRateLimitExceeded"
	})
}

func isPage(answer *googleapi.Error) bool {
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return media == "text/html" || strings.HasPrefix(strings.TrimSpace(answer.Body), "<")
}
