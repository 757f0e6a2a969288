package bigquery

import (
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stationflow/stationflow/functions/ingest/rows"
)

// A Request is the encoded rows of one append. Its memory is reused.
type Request struct {
	Rows   [][]byte // slices of bytes
	bytes  []byte
	ends   []int
	shared []byte // what each row ends with
}

var requests = sync.Pool{New: func() any { return new(Request) }}

// Fill encodes pending rows, at least one, until the next would not fit.
// pending are indexes; stamp is the rows' ingested_at, in microseconds since
// 1970-01-01 UTC.
func (r *Request) Fill(encoder *Encoder, all rows.Set, pending []int, stamp int64) {
	r.bytes, r.Rows, r.ends = r.bytes[:0], r.Rows[:0], r.ends[:0]
	r.shared = encoder.appendShared(r.shared[:0], all.Shared, stamp)
	size := 0
	for _, row := range pending {
		start := len(r.bytes)
		r.bytes = append(encoder.appendOwn(r.bytes, all.Own, all.Rows[row]), r.shared...)
		size += 1 + protowire.SizeBytes(len(r.bytes)-start) // as a field of the request
		if size > requestBytes && len(r.ends) > 0 {
			r.bytes = r.bytes[:start]
			break
		}
		r.ends = append(r.ends, len(r.bytes))
	}
	start := 0
	for _, end := range r.ends { // now that bytes will not move any more
		r.Rows = append(r.Rows, r.bytes[start:end:end])
		start = end
	}
}
