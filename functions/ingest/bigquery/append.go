package bigquery

import (
	"context"
	"fmt"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"

	"github.com/stationflow/stationflow/functions/ingest/fault"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/tracing"
)

// requestBytes bounds the rows of one append; a larger row, of at most 3 MiB, is
// one alone. gRPC uses the memory of messages again up to 1 MiB. BigQuery takes
// 10 MB a request, gRPC servers by default 4 MiB a message
// (https://cloud.google.com/bigquery/quotas#write-api-limits).
const requestBytes = 1<<20 - 4<<10

// Store makes the rows durable in their table, except those that BigQuery
// refuses. Requests are cut by encoded size; a refused row is taken out and
// the others of its request are sent again. Each attempt stamps ingested_at
// with its own time.
//
// After an error any of the rows may have been appended, some more than once.
func (s *Sink) Store(ctx context.Context, b *rows.Batch) (rows.Stored, error) {
	var refusals []rows.Refusal
	to := s.streams[b.Table.Name]
	pending := count(len(b.Rows)) // indexes of the rows to append
	for len(pending) > 0 {
		sent, refused, err := s.appendSome(ctx, to, b.Set, pending)
		if err != nil {
			return rows.Stored{}, err
		}
		if len(refused) == 0 {
			pending = pending[sent:]
			continue
		}
		refusals = append(refusals, refused...)
		pending = without(pending, refused)
	}
	return rows.Stored{Refused: refusals}, nil
}

// count returns 0, 1, … n-1.
func count(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// without returns pending but for the rows refused.
func without(pending []int, refused []rows.Refusal) []int {
	gone := make(map[int]bool, len(refused))
	for _, r := range refused {
		gone[r.Row] = true
	}
	kept := pending[:0]
	for _, row := range pending {
		if !gone[row] {
			kept = append(kept, row)
		}
	}
	return kept
}

// appendSome sends one request with as many pending rows as fit, and again
// while that may help. It returns how many rows it appended, or, when
// that is none, the rows the warehouse refused.
func (s *Sink) appendSome(ctx context.Context, to *stream, all rows.Set, pending []int) (sent int, refused []rows.Refusal, err error) {
	ctx, span := tracing.Begin(ctx, "append rows")
	defer func() {
		span.SetString("stationflow.table", to.table)
		span.SetInt("stationflow.rows", int64(sent))
		span.SetInt("stationflow.refused", int64(len(refused)))
		span.End(err)
	}()
	err = fault.Retry(ctx, Fault, func() error {
		r := requests.Get().(*Request)
		answer, err := to.send(ctx, func(encoder *Encoder) [][]byte {
			r.Fill(encoder, all, pending, s.now().UnixMicro())
			sent = len(r.Rows)
			return r.Rows
		})
		if err == nil || answer != nil { // the library is done with the memory
			requests.Put(r)
		}
		if refused = refusedRows(answer, pending[:sent]); len(refused) > 0 {
			return nil
		}
		if err == nil && len(answer.GetRowErrors()) > 0 {
			return fmt.Errorf("appending %d rows to %s: it refuses some that it was not sent", sent, to.table)
		}
		return err
	})
	if len(refused) > 0 {
		sent = 0
	}
	return sent, refused, err
}

// refusedRows reads which rows of a request the warehouse refused; it then
// took none of the request.
func refusedRows(answer *storagepb.AppendRowsResponse, sent []int) []rows.Refusal {
	var refused []rows.Refusal
	for _, e := range answer.GetRowErrors() {
		if e.Index < 0 || e.Index >= int64(len(sent)) {
			continue
		}
		refused = append(refused, rows.Refusal{Row: sent[e.Index], Detail: fmt.Sprintf("%s: %s", e.Code, e.Message)})
	}
	return refused
}
