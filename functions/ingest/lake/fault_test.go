package lake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/internal/lake"
)

// What each status of Cloud Storage, or of a proxy before it, says: of a
// service in JSON, and as a page of HTML. None of them but the two that name
// the request is a verdict on the batch.
func TestFault_HTTP(t *testing.T) {
	const out, person, batch = fault.Outage, fault.Misconfigured, fault.OfBatch
	for code := 300; code < 600; code++ {
		service, page := person, person
		switch code {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			service = batch
		case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
			service, page = out, out
		}
		if code < 400 || code >= 500 {
			service, page = out, out
		}
		json := &googleapi.Error{Code: code, Message: "no", Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}}}
		html := &googleapi.Error{Code: code, Body: "<html>no</html>", Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}}
		bare := &googleapi.Error{Code: code, Body: "\n<!DOCTYPE html>"}
		if got := Fault(fmt.Errorf("creating x: %w", json)); got != service {
			t.Errorf("%d of the service is %s, want %s", code, got, service)
		}
		if got := Fault(fmt.Errorf("creating x: %w", html)); got != page {
			t.Errorf("%d as a page is %s, want %s", code, got, page)
		}
		if got := Fault(bare); got != page {
			t.Errorf("%d as a page without a type is %s, want %s", code, got, page)
		}
	}
}

func TestFault(t *testing.T) {
	down := &googleapi.Error{Code: 503}
	forbidden := fmt.Errorf("creating x: %w", &googleapi.Error{Code: 403})
	conflict := fmt.Errorf("x: %w", &lake.Conflict{Name: "n"})
	gone := fmt.Errorf("%w: %w", storage.ErrObjectNotExist, &googleapi.Error{Code: 404})
	for _, test := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"rows that are no Parquet", fmt.Errorf("x: %w", &unencodable{errors.New("no")}), fault.Suspect},
		{"too fast", &googleapi.Error{Code: 403, Errors: []googleapi.ErrorItem{{Reason: "rateLimitExceeded"}}}, fault.Outage},
		{"quota is used up", &googleapi.Error{Code: 403, Errors: []googleapi.ErrorItem{{Reason: "quotaExceeded"}}}, fault.Misconfigured},
		{"connection refused", fmt.Errorf("creating x: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), fault.Outage},
		{"anything else", errors.New("something else"), fault.Unknown},
		{"no such bucket", fmt.Errorf("creating x: %w", &googleapi.Error{Code: 404}), fault.Misconfigured},
		{"other contents", conflict, fault.OfBatch},
		{"a crash", fault.Guard(func() error { panic("x") }), fault.OfBatch},
		{"no right, and other contents", errors.Join(forbidden, conflict), fault.OfBatch},
		{"down, and no right, wrapped", fmt.Errorf("archiving: %w", errors.Join(down, forbidden)), fault.Misconfigured},
		{"the object is gone", fmt.Errorf("comparing x: %w", gone), fault.Outage},
		{"the object is gone, and no right", errors.Join(gone, forbidden), fault.Misconfigured},
		{"other contents, and no Parquet", fmt.Errorf("%w: %w", &lake.Conflict{Name: "n"}, io.ErrUnexpectedEOF), fault.OfBatch},
	} {
		if got := Fault(test.err); got != test.want {
			t.Errorf("%s: %v is %s, want %s", test.name, test.err, got, test.want)
		}
	}
}
