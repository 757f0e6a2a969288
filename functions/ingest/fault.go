package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// A faultClass says what may help against an error.
type faultClass string

const (
	transient     faultClass = "transient"     // trying again, soon
	misconfigured faultClass = "misconfigured" // a person who grants a right or creates what is missing; then trying again
	permanent     faultClass = "permanent"     // nothing: the batch itself is the cause
)

// classify is the one place that decides; of joined errors the worst counts.
// What it does not know is transient: a batch tried too often ends in the
// dead letter, where it is seen.
func classify(err error) faultClass {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		worst := transient
		for _, err := range joined.Unwrap() {
			if class := classify(err); worst == transient || class == permanent {
				worst = class
			}
		}
		return worst
	}
	var malformed *batch.Malformed
	var foreign *foreignTopic
	var conflict *lake.Conflict
	var crashed *crash
	if errors.As(err, &malformed) || errors.As(err, &foreign) || errors.As(err, &conflict) || errors.As(err, &crashed) {
		return permanent
	}
	var refused *googleapi.Error
	if errors.As(err, &refused) {
		return classifyHTTP(refused.Code)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
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
	}
	return transient
}

// A foreignTopic is a batch of a topic that is none of the six.
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

// retrying runs attempt until it succeeds, fails with an error that is not
// transient, has been tried maxAttempts times, or ctx ends. Pauses double,
// each of random length up to its bound so that instances spread out.
func retrying(ctx context.Context, attempt func() error) error {
	pause := firstPause
	for tries := 1; ; tries++ {
		err := attempt()
		if err == nil || classify(err) != transient || tries == maxAttempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause *= 2
	}
}

// isConflict tells that the lake holds other contents under the batch's name.
func isConflict(err error) bool {
	var conflict *lake.Conflict
	return errors.As(err, &conflict)
}
