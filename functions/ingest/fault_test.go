package ingest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// What each status of Cloud Storage, or of a proxy before it, says: of a
// service in JSON, and as a page of HTML. None of them but the two that name
// the request is a verdict on the batch.
func TestClassify_HTTP(t *testing.T) {
	const out, person, fault = transient, misconfigured, permanent
	for code := 300; code < 600; code++ {
		service, page := person, person
		switch code {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			service = fault
		case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
			service, page = out, out
		}
		if code < 400 || code >= 500 {
			service, page = out, out
		}
		json := &googleapi.Error{Code: code, Message: "no", Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}}}
		html := &googleapi.Error{Code: code, Body: "<html>no</html>", Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}}
		bare := &googleapi.Error{Code: code, Body: "\n<!DOCTYPE html>"}
		if got := classify(fmt.Errorf("creating x: %w", json)); got != service {
			t.Errorf("%d of the service is %s, want %s", code, got, service)
		}
		if got := classify(fmt.Errorf("creating x: %w", html)); got != page {
			t.Errorf("%d as a page is %s, want %s", code, got, page)
		}
		if got := classify(bare); got != page {
			t.Errorf("%d as a page without a type is %s, want %s", code, got, page)
		}
	}
}

// What each status of BigQuery says, of a request as a whole: bad rows are
// reported each for itself.
func TestClassify_GRPC(t *testing.T) {
	for code, want := range map[codes.Code]faultClass{
		codes.Canceled:           transient,
		codes.Unknown:            unknown, // also what a proxy's 500, 501 or 505 becomes
		codes.InvalidArgument:    misconfigured,
		codes.DeadlineExceeded:   transient,
		codes.NotFound:           misconfigured,
		codes.AlreadyExists:      transient,
		codes.PermissionDenied:   misconfigured,
		codes.ResourceExhausted:  transient,
		codes.FailedPrecondition: misconfigured,
		codes.Aborted:            transient,
		codes.OutOfRange:         transient,
		codes.Unimplemented:      misconfigured,
		codes.Internal:           transient,
		codes.Unavailable:        transient,
		codes.DataLoss:           transient,
		codes.Unauthenticated:    misconfigured,
		codes.Code(17):           transient,
	} {
		err := fmt.Errorf("appending: %w", status.Error(code, "no"))
		if got := classify(err); got != want {
			t.Errorf("%v is %s, want %s", code, got, want)
		}
		if got := statusOf(err); got != http.StatusServiceUnavailable {
			t.Errorf("%v is answered %d, want 503", code, got)
		}
	}
}

func TestClassify(t *testing.T) {
	down := &googleapi.Error{Code: 503}
	forbidden := fmt.Errorf("creating x: %w", &googleapi.Error{Code: 403})
	conflict := fmt.Errorf("x: %w", &lake.Conflict{Name: "n"})
	post := func(err error) error { return &url.Error{Op: "Post", URL: "https://storage.example/", Err: err} }
	token := func(code int) error {
		return post(&auth.Error{Response: &http.Response{StatusCode: code}, Err: errors.New("no token")})
	}
	for _, test := range []struct {
		name string
		err  error
		want faultClass
	}{
		{"too fast", &googleapi.Error{Code: 403, Errors: []googleapi.ErrorItem{{Reason: "rateLimitExceeded"}}}, transient},
		{"quota is used up", &googleapi.Error{Code: 403, Errors: []googleapi.ErrorItem{{Reason: "quotaExceeded"}}}, misconfigured},
		{"the stream ends", io.EOF, transient},
		{"the answer ends", post(io.ErrUnexpectedEOF), transient},
		{"no answer in time", context.DeadlineExceeded, transient},
		{"the caller is gone", post(context.Canceled), transient},
		{"connection refused", fmt.Errorf("creating x: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), transient},
		{"connection reset", post(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), transient},
		{"no such host", post(&net.DNSError{Err: "no such host", Name: "storage.example", IsNotFound: true}), transient},
		{"TLS: the other side alerts", post(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), transient},
		{"TLS: no TLS there", post(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), transient},
		{"TLS: unknown authority", post(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), misconfigured},
		{"the body ends", fmt.Errorf("%w: %v", errInterrupted, io.ErrUnexpectedEOF), transient},
		{"token: account is disabled", token(400), misconfigured},
		{"token: no right", token(403), misconfigured},
		{"token: too many", token(429), transient},
		{"token: server is down", token(500), transient},
		{"token: no answer", post(&auth.Error{Err: io.EOF}), transient},
		{"a page instead of an answer", post(&json.SyntaxError{}), transient},
		{"a page instead of an object", &json.SyntaxError{}, unknown},
		{"anything else", errors.New("something else"), unknown},

		{"other contents", conflict, permanent},
		{"no batch", &batch.Malformed{Attribute: "data"}, permanent},
		{"a strange topic", &foreignTopic{}, permanent},
		{"a crash", &crash{}, permanent},
		{"a row that nothing takes", &unstorable{}, permanent},

		{"down, and no right", errors.Join(down, forbidden), misconfigured},
		{"no right, and down", errors.Join(forbidden, down), misconfigured},
		{"no right, and other contents", errors.Join(forbidden, conflict), permanent},
		{"other contents, and no right", errors.Join(conflict, forbidden), permanent},
		{"down twice", errors.Join(down, io.EOF), transient},
		{"down, and anything else", errors.Join(down, errors.New("something else")), unknown},
		{"down, and no right, wrapped", fmt.Errorf("archiving: %w", errors.Join(down, forbidden)), misconfigured},
		{"down, and anything else, in a failure", &failure{err: fmt.Errorf("archiving: %w", errors.Join(down, errors.New("something else")))}, unknown},
		{"down, and other contents, joined twice", errors.Join(down, fmt.Errorf("x: %w", errors.Join(io.EOF, conflict))), permanent},
		{"the object is gone", fmt.Errorf("comparing x: %w", fmt.Errorf("%w: %w", storage.ErrObjectNotExist, &googleapi.Error{Code: 404})), transient},
		{"the object is gone, and no right", errors.Join(fmt.Errorf("%w: %w", storage.ErrObjectNotExist, &googleapi.Error{Code: 404}), forbidden), misconfigured},
		{"no such bucket", fmt.Errorf("creating x: %w", &googleapi.Error{Code: 404}), misconfigured},
		{"a failure with a cause", &failure{err: errors.Join(down, conflict)}, permanent},
	} {
		if got := classify(test.err); got != test.want {
			t.Errorf("%s: %v is %s, want %s", test.name, test.err, got, test.want)
		}
	}
}

func TestRetrying(t *testing.T) {
	for name, test := range map[string]struct {
		errs  []error // of the attempts, in order
		tries int
		fails bool
	}{
		"success":       {[]error{nil}, 1, false},
		"passing fault": {[]error{io.EOF, io.EOF, nil}, 3, false},
		"lasting fault": {[]error{io.EOF, io.EOF, io.EOF, io.EOF, nil}, maxAttempts, true},
		"misconfigured": {[]error{&googleapi.Error{Code: 403}, nil}, 1, true},
	} {
		tries := 0
		err := retrying(t.Context(), func() error { tries++; return test.errs[tries-1] })
		if tries != test.tries || (err != nil) != test.fails {
			t.Errorf("%s: %d tries, error %v", name, tries, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	tries := 0
	err := retrying(ended, func() error { tries++; cancel(); return io.EOF })
	if tries != 1 || err == nil {
		t.Errorf("%d tries after the call ended, error %v", tries, err)
	}
}
