package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/pause"
)

// A faultClass says what may help against an error.
type faultClass string

const (
	transient     faultClass = "transient"     // trying again, soon
	misconfigured faultClass = "misconfigured" // a person who grants a right or creates what is missing; then trying again
	unknown       faultClass = "unknown"       // trying again, perhaps; a batch tried too often ends in the dead letter, where it is seen
	permanent     faultClass = "permanent"     // nothing: the batch itself is the cause
)

// worse are the classes, each worse than those before it.
var worse = []faultClass{transient, misconfigured, unknown, permanent}

// classify is the one place that decides; of joined errors the worst counts.
func classify(err error) faultClass {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		worst := 0
		for _, err := range e.Unwrap() {
			worst = max(worst, slices.Index(worse, classify(err)))
		}
		return worse[worst]
	case *failure:
		return classify(e.err)
	}
	var malformed *batch.Malformed
	var foreign *foreignTopic
	var conflict *lake.Conflict
	var other *lake.OtherSelection // which archiveRows takes care of
	var crashed *crash
	if errors.As(err, &malformed) || errors.As(err, &foreign) || errors.As(err, &conflict) || errors.As(err, &other) || errors.As(err, &crashed) {
		return permanent
	}
	var refused *googleapi.Error
	if errors.As(err, &refused) {
		return classifyHTTP(refused.Code)
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errInterrupted) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return transient
	}
	return classifyGRPC(status.Code(err))
}

func classifyHTTP(code int) faultClass {
	switch {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return transient
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound:
		return misconfigured
	case code >= 400:
		return permanent
	}
	return transient
}

// classifyGRPC counts InvalidArgument and Unimplemented among the
// misconfigured: a request as a whole is refused when the table has not the
// columns that the rows have; bad rows are reported each for itself.
func classifyGRPC(code codes.Code) faultClass {
	switch code {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unimplemented:
		return misconfigured
	case codes.Unknown: // every error that is none of gRPC's
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
const (
	maxAttempts = 4
	firstPause  = 100 * time.Millisecond
)

// retrying runs attempt until it succeeds, fails with an error that trying
// again soon will not cure, has been tried maxAttempts times, or ctx ends. Pauses double,
// each of random length up to its bound so that instances spread out.
func retrying(ctx context.Context, attempt func() error) error {
	longest := firstPause
	for tries := 1; ; tries++ {
		err := attempt()
		if err == nil || tries == maxAttempts {
			return err
		}
		if class := classify(err); class != transient && class != unknown {
			return err
		}
		if pause.For(ctx, longest/2+rand.N(longest/2)) != nil {
			return err
		}
		longest *= 2
	}
}

// isConflict tells that the lake holds other contents under the batch's name.
func isConflict(err error) bool {
	var conflict *lake.Conflict
	return errors.As(err, &conflict)
}
