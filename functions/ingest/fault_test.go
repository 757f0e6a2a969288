package ingest

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/ingest/bigquery"
	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/lake"
	internal "github.com/stationflow/stationflow/internal/lake"
)

// ofSink returns an error as it comes from a sink that claims it so.
func ofSink(fault func(error) fault.Kind, err error) error { return &sinkFault{fault(err), err} }

// A sink's word counts, also against what the error looks like to others; of
// several the worst does.
func TestClassify(t *testing.T) {
	down := ofSink(lake.Fault, &googleapi.Error{Code: 503})
	forbidden := ofSink(lake.Fault, fmt.Errorf("creating x: %w", &googleapi.Error{Code: 403}))
	conflict := ofSink(lake.Fault, fmt.Errorf("x: %w", &internal.Conflict{Name: "n"}))
	unavailable := ofSink(bigquery.Fault, status.Error(codes.Unavailable, "gone"))
	strange := errors.New("something else")
	unclaimed := ofSink(func(error) fault.Kind { return fault.Unknown }, &batch.Malformed{Attribute: "data"})
	for _, test := range []struct {
		name   string
		err    error
		want   fault.Kind
		answer int
	}{
		{"the body ends", fmt.Errorf("%w: %v", errInterrupted, io.ErrUnexpectedEOF), fault.Outage, 503},
		{"no answer", io.EOF, fault.Outage, 503},
		{"anything else", strange, fault.Unknown, 503},

		{"not a batch", &batch.Malformed{Attribute: "data"}, fault.OfBatch, 422},
		{"a strange topic", &foreignTopic{}, fault.OfBatch, 422},
		{"a crash", fault.Guard(func() error { panic("x") }), fault.OfBatch, 500},
		{"a row that nothing takes", &unstorable{}, fault.OfBatch, 500},
		{"other contents", conflict, fault.OfBatch, 500},

		{"down", down, fault.Outage, 503},
		{"a sink's own error, which looks like ours", unclaimed, fault.Unknown, 503},
		{"down, and no right", errors.Join(down, forbidden), fault.Misconfigured, 503},
		{"no right, and down", errors.Join(forbidden, unavailable), fault.Misconfigured, 503},
		{"no right, and other contents", errors.Join(forbidden, conflict), fault.OfBatch, 500},
		{"other contents, and no right", errors.Join(conflict, forbidden), fault.OfBatch, 500},
		{"down twice", errors.Join(down, unavailable), fault.Outage, 503},
		{"down, and anything else", errors.Join(down, strange), fault.Unknown, 503},
		{"down, and anything else, wrapped", fmt.Errorf("storing: %w", errors.Join(down, strange)), fault.Unknown, 503},
		{"down, and other contents, joined twice", errors.Join(down, fmt.Errorf("x: %w", errors.Join(unavailable, conflict))), fault.OfBatch, 500},
	} {
		for _, err := range []error{test.err, &failure{batch: "b", err: test.err}} {
			if got := classify(err); got != test.want {
				t.Errorf("%s: %v is %s, want %s", test.name, err, got, test.want)
			}
			if got := statusOf(err); got != test.answer {
				t.Errorf("%s: %v is answered %d, want %d", test.name, err, got, test.answer)
			}
		}
	}
}
