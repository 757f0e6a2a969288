// Package fault says what may help against an error, and tries again where
// that may help.
//
// Only what names a row, the request or the batch is the batch's fault. The
// status of a server, or of a proxy before it, says how the server is.
package fault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"cloud.google.com/go/auth"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/retry"
)

// A Kind says what may help against an error. Its text is the class that the
// log has of a failed batch.
type Kind string

// The kinds, each worse than those before it.
const (
	Outage        Kind = batch.ClassTransient     // trying again, soon
	Misconfigured Kind = batch.ClassMisconfigured // a person who grants a right or creates what is missing; then trying again
	Suspect       Kind = "suspect"                // a person, or else to leave out a record: smaller requests tell, or that others get through
	Unknown       Kind = "unknown"                // trying again, as after an outage, until somebody has looked: it blames no batch
	OfBatch       Kind = "permanent"              // nothing: the batch itself is the cause
)

var kinds = []Kind{Outage, Misconfigured, Suspect, Unknown, OfBatch}

// Known returns the kind, or Unknown where it is none of these.
func Known(kind Kind) Kind {
	if slices.Contains(kinds, kind) {
		return kind
	}
	return Unknown
}

// Parts returns the errors that are joined in err or in what it wraps; nil
// where it is one error alone.
func Parts(err error) []error {
	for ; err != nil; err = errors.Unwrap(err) {
		if joined, several := err.(interface{ Unwrap() []error }); several {
			return joined.Unwrap()
		}
	}
	return nil
}

// Worst returns the worst of the errors' kinds.
func Worst(errs []error, of func(error) Kind) Kind {
	worst := 0
	for _, err := range errs {
		worst = max(worst, slices.Index(kinds, Known(of(err))))
	}
	return kinds[worst]
}

// OfConnection returns the kind of an error that lies between this process and
// a server, whatever protocol they speak; Unknown for all others.
func OfConnection(err error) Kind {
	if needsPerson(err) {
		return Misconfigured
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Outage
	}
	return Unknown
}

// needsPerson reports whether waiting does not cure the error: a certificate
// is not trusted, or credentials are refused.
func needsPerson(err error) bool {
	var certificate *tls.CertificateVerificationError
	var token *auth.Error
	return errors.As(err, &certificate) ||
		errors.As(err, &token) && token.Response != nil && token.Response.StatusCode < 500 && token.Response.StatusCode != http.StatusTooManyRequests
}

// A Crash is a panic while a batch was handled.
type Crash struct {
	cause any
	Stack string
}

func (c *Crash) Error() string { return fmt.Sprintf("panic: %v", c.cause) }

// Guard runs step and turns a panic into a *Crash, so that one batch cannot
// end the process and with it the other batches being handled.
func Guard(step func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &Crash{cause: cause, Stack: string(debug.Stack())}
		}
	}()
	return step()
}

// Retries within a call ride out what passes in seconds; for anything longer
// the delivery fails, and the sender waits before it delivers again.
const maxAttempts = 4

var pauses = retry.Backoff{Min: 100 * time.Millisecond, Max: 400 * time.Millisecond}

// Retry runs attempt until it succeeds, fails with an error that trying again
// soon will not cure, has been tried maxAttempts times, or ctx ends.
func Retry(ctx context.Context, of func(error) Kind, attempt func() error) error {
	mayPass := func(err error) bool {
		kind := Known(of(err))
		return kind == Outage || kind == Unknown
	}
	return retry.Do(ctx, maxAttempts, pauses, mayPass, attempt)
}
