package ingest

import (
	"context"
	"fmt"
	"sync"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxRequestBytes bounds the rows of one append. BigQuery takes 10 MB a
// request, gRPC servers by default 4 MiB a message
// (https://cloud.google.com/bigquery/quotas#write-api-limits).
const maxRequestBytes = 3 << 20

// A refusal is a row that the warehouse will not take.
type refusal struct {
	row    int // its index among the rows given
	detail string
}

// appendRows makes the rows durable in the table, except those that the
// warehouse refuses, which it returns. Requests are cut by encoded size; a
// refused row is taken out and the others of its request are sent again. Each
// attempt stamps ingested_at anew.
//
// After an error any of the rows may have been appended, some more than once:
// readers keep one of each coordinate. No row may be larger than
// maxRequestBytes once it is encoded.
func (f *Function) appendRows(ctx context.Context, s *stream, all rows) ([]refusal, error) {
	var refusals []refusal
	pending := count(len(all.own)) // indexes of the rows to append
	for len(pending) > 0 {
		sent, refused, err := f.appendSome(ctx, s, all, pending)
		if err != nil {
			return nil, err
		}
		if len(refused) == 0 {
			pending = pending[sent:]
			continue
		}
		refusals = append(refusals, refused...)
		pending = without(pending, refused)
	}
	return refusals, nil
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
func without(pending []int, refused []refusal) []int {
	gone := make(map[int]bool, len(refused))
	for _, r := range refused {
		gone[r.row] = true
	}
	kept := pending[:0]
	for _, row := range pending {
		if !gone[row] {
			kept = append(kept, row)
		}
	}
	return kept
}

// appendSome sends one request with as many pending rows as fit, again while
// the errors are transient. It returns how many rows it appended, or, when
// that is none, the rows the warehouse refused.
func (f *Function) appendSome(ctx context.Context, s *stream, all rows, pending []int) (sent int, refused []refusal, err error) {
	err = retrying(ctx, func() error {
		r := requests.Get().(*request)
		r.fill(s.encoder, all, pending, f.config.Now().UnixMicro())
		sent = len(r.rows)
		answer, err := s.send(ctx, r.rows)
		if err == nil || answer != nil { // the library is done with the memory
			requests.Put(r)
		}
		if refused = refusedRows(answer, pending[:sent]); len(refused) > 0 {
			return nil
		}
		if err == nil && len(answer.GetRowErrors()) > 0 {
			return fmt.Errorf("appending %d rows to %s: it refuses some that it was not sent", sent, s.table)
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
func refusedRows(answer *storagepb.AppendRowsResponse, sent []int) []refusal {
	var refused []refusal
	for _, e := range answer.GetRowErrors() {
		if e.Index < 0 || e.Index >= int64(len(sent)) {
			continue
		}
		refused = append(refused, refusal{row: sent[e.Index], detail: fmt.Sprintf("%s: %s", e.Code, e.Message)})
	}
	return refused
}

// A request is the memory of one append's encoded rows.
type request struct {
	bytes  []byte
	rows   [][]byte // slices of bytes
	ends   []int
	shared []byte // what each row ends with
}

var requests = sync.Pool{New: func() any { return new(request) }}

// fill encodes pending rows, at least one, until the next would not fit.
func (r *request) fill(encoder *rowEncoder, all rows, pending []int, stamp int64) {
	r.bytes, r.rows, r.ends = r.bytes[:0], r.rows[:0], r.ends[:0]
	r.shared = encoder.appendShared(r.shared[:0], all.shared, stamp)
	size := 0
	for _, row := range pending {
		start := len(r.bytes)
		r.bytes = append(encoder.append(r.bytes, all.own[row]), r.shared...)
		size += 1 + protowire.SizeBytes(len(r.bytes)-start) // as a field of the request
		if size > maxRequestBytes && len(r.ends) > 0 {
			r.bytes = r.bytes[:start]
			break
		}
		r.ends = append(r.ends, len(r.bytes))
	}
	start := 0
	for _, end := range r.ends { // now that bytes will not move any more
		r.rows = append(r.rows, r.bytes[start:end:end])
		start = end
	}
}
