package fault

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
)

func TestOfConnection(t *testing.T) {
	post := func(err error) error { return &url.Error{Op: "Post", URL: "https://storage.example/", Err: err} }
	token := func(code int) error {
		return post(&auth.Error{Response: &http.Response{StatusCode: code}, Err: errors.New("no token")})
	}
	for _, test := range []struct {
		name string
		err  error
		want Kind
	}{
		{"the stream ends", io.EOF, Outage},
		{"the answer ends", post(io.ErrUnexpectedEOF), Outage},
		{"no answer in time", context.DeadlineExceeded, Outage},
		{"the caller is gone", post(context.Canceled), Outage},
		{"connection refused", fmt.Errorf("creating x: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), Outage},
		{"connection reset", post(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), Outage},
		{"no such host", post(&net.DNSError{Err: "no such host", Name: "storage.example", IsNotFound: true}), Outage},
		{"TLS: the other side alerts", post(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), Outage},
		{"TLS: no TLS there", post(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), Outage},
		{"TLS: unknown authority", post(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), Misconfigured},
		{"token: account is disabled", token(400), Misconfigured},
		{"token: no right", token(403), Misconfigured},
		{"token: too many", token(429), Outage},
		{"token: server is down", token(500), Outage},
		{"token: no answer", post(&auth.Error{Err: io.EOF}), Outage},
		{"a page instead of an answer", post(&json.SyntaxError{}), Outage},
		{"a page instead of an object", &json.SyntaxError{}, Unknown},
		{"anything else", errors.New("something else"), Unknown},
	} {
		if got := OfConnection(test.err); got != test.want {
			t.Errorf("%s: %v is %s, want %s", test.name, test.err, got, test.want)
		}
	}
}

// Joined errors are found behind what wraps them, and the worst kind counts;
// one that is not a kind is Unknown.
func TestWorst(t *testing.T) {
	of := func(err error) Kind { return Kind(err.Error()) }
	for _, test := range []struct {
		parts []string
		want  Kind
	}{
		{[]string{"transient"}, Outage},
		{[]string{"misconfigured", "transient"}, Misconfigured},
		{[]string{"transient", "", "misconfigured"}, Unknown},
		{[]string{"no kind", "permanent"}, OfBatch},
	} {
		var errs []error
		for _, part := range test.parts {
			errs = append(errs, errors.New(part))
		}
		if got := Worst(Parts(fmt.Errorf("storing: %w", errors.Join(errs...))), of); got != test.want {
			t.Errorf("%q are %s, want %s", test.parts, got, test.want)
		}
	}
	if parts := Parts(fmt.Errorf("storing: %w", io.EOF)); parts != nil {
		t.Errorf("one error has the parts %v", parts)
	}
}

func TestRetry(t *testing.T) {
	for name, test := range map[string]struct {
		errs  []error // of the attempts, in order
		tries int
		fails bool
	}{
		"success":       {[]error{nil}, 1, false},
		"passing fault": {[]error{io.EOF, io.EOF, nil}, 3, false},
		"lasting fault": {[]error{io.EOF, io.EOF, io.EOF, io.EOF, nil}, maxAttempts, true},
		"unclaimed":     {[]error{errors.New("strange"), nil}, 2, false},
		"misconfigured": {[]error{&tls.CertificateVerificationError{Err: io.EOF}, nil}, 1, true},
	} {
		tries := 0
		err := Retry(t.Context(), OfConnection, func() error { tries++; return test.errs[tries-1] })
		if tries != test.tries || (err != nil) != test.fails {
			t.Errorf("%s: %d tries, error %v", name, tries, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	tries := 0
	err := Retry(ended, OfConnection, func() error { tries++; cancel(); return io.EOF })
	if tries != 1 || err == nil {
		t.Errorf("%d tries after the call ended, error %v", tries, err)
	}
}
