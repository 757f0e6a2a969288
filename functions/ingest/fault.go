package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/retry"
)

// A faultClass says what may help against an error.
type faultClass string

const (
	transient     faultClass = "transient"     // trying again, soon
	misconfigured faultClass = "misconfigured" // a person who grants a right or creates what is missing; then trying again
	unknown       faultClass = "unknown"       // trying again, as after an outage, until somebody has looked: it blames no batch
	permanent     faultClass = "permanent"     // nothing: the batch itself is the cause
)

// worse are the classes, each worse than those before it.
var worse = []faultClass{transient, misconfigured, unknown, permanent}

// classify is the one place that decides; of joined errors the worst counts.
//
// Only what names a row, the request or the batch is the batch's fault. The
// status of a server, or of what stands before it, says how the server is.
func classify(err error) faultClass {
	if blamesBatch(err) {
		return permanent
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, several := e.(interface{ Unwrap() []error }); several {
			return worstOf(joined.Unwrap())
		}
	}
	var refused *googleapi.Error
	if errors.As(err, &refused) {
		return classifyHTTP(refused)
	}
	if needsPerson(err) {
		return misconfigured
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errInterrupted) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return transient
	}
	return classifyGRPC(status.Code(err))
}

// worstOf is the class of joined errors. An object that the lake has just told
// of, and that is not there, was deleted meanwhile: it can be created now. The
// status alone, 404, would mean a wrong name of the bucket.
func worstOf(errs []error) faultClass {
	if slices.Contains(errs, storage.ErrObjectNotExist) {
		return transient
	}
	worst := 0
	for _, err := range errs {
		worst = max(worst, slices.Index(worse, classify(err)))
	}
	return worse[worst]
}

// blamesBatch tells the errors of this program's own that name the batch.
func blamesBatch(err error) bool {
	var malformed *batch.Malformed
	var foreign *foreignTopic
	var conflict *lake.Conflict
	var other *lake.OtherSelection // which archiveRows takes care of
	var crashed *crash
	var unstorable *unstorable
	return errors.As(err, &malformed) || errors.As(err, &foreign) || errors.As(err, &conflict) || errors.As(err, &other) ||
		errors.As(err, &crashed) || errors.As(err, &unstorable)
}

// needsPerson tells the errors between this process and a server that waiting
// does not cure: a certificate that is not trusted, credentials that are
// refused.
func needsPerson(err error) bool {
	var certificate *tls.CertificateVerificationError
	var token *auth.Error
	return errors.As(err, &certificate) ||
		errors.As(err, &token) && token.Response != nil && token.Response.StatusCode < 500 && token.Response.StatusCode != http.StatusTooManyRequests
}

// classifyHTTP knows two answers that are about the request: that it is bad,
// and that it is too large. A page of HTML is a proxy's, which cannot tell.
func classifyHTTP(refused *googleapi.Error) faultClass {
	switch code := refused.Code; {
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge:
		if isPage(refused) {
			return misconfigured
		}
		return permanent
	case code == http.StatusForbidden && isTooFast(refused):
		return transient
	case code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return transient
	case code >= 400 && code < 500:
		return misconfigured
	}
	return transient
}

// isTooFast tells a limit on requests in a time from a right that is missing,
// for both of which Google's services answer 403
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

// classifyGRPC counts InvalidArgument, FailedPrecondition and Unimplemented
// among the misconfigured: a request as a whole is refused when the table has
// not the columns that the rows have, or is not to be written; bad rows are
// reported each for itself. Unknown is every error that is none of gRPC's,
// and most statuses of HTTP that a proxy answers.
func classifyGRPC(code codes.Code) faultClass {
	switch code {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated,
		codes.InvalidArgument, codes.FailedPrecondition, codes.Unimplemented:
		return misconfigured
	case codes.Unknown:
		return unknown
	}
	return transient
}

// A failure is what Ingest returns.
type failure struct {
	batch string // its id; "" when the event has none
	err   error
}

func (f *failure) Error() string {
	if f.batch == "" {
		return fmt.Sprintf("ingesting: %v", f.err)
	}
	return fmt.Sprintf("ingesting batch %s: %v", f.batch, f.err)
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// A foreignTopic is a batch of a topic that has no kind of events.
type foreignTopic struct{ topic string }

func (f *foreignTopic) Error() string {
	return fmt.Sprintf("topic %q is none of those this function knows", f.topic)
}

// An unstorable batch has something that is refused in whatever form.
type unstorable struct{ detail string }

func (u *unstorable) Error() string { return u.detail }

// A crash is a panic while a batch was handled.
type crash struct {
	cause any
	stack string
}

func (c *crash) Error() string { return fmt.Sprintf("panic: %v", c.cause) }

// guarded runs step and turns a panic into an error, so that one batch cannot
// end the process and with it the other batches being handled.
func guarded(step func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &crash{cause: cause, stack: string(debug.Stack())}
		}
	}()
	return step()
}

// Retries within a call ride out what passes in seconds; for anything longer
// the delivery fails and whoever delivers backs off.
const maxAttempts = 4

var pauses = retry.Backoff{Min: 100 * time.Millisecond, Max: 400 * time.Millisecond}

// retrying runs attempt until it succeeds, fails with an error that trying
// again soon will not cure, has been tried maxAttempts times, or ctx ends.
func retrying(ctx context.Context, attempt func() error) error {
	return retry.Do(ctx, maxAttempts, pauses, mayPass, attempt)
}

func mayPass(err error) bool {
	class := classify(err)
	return class == transient || class == unknown
}

// isConflict tells that the lake holds other contents under the batch's name.
func isConflict(err error) bool {
	var conflict *lake.Conflict
	return errors.As(err, &conflict)
}
