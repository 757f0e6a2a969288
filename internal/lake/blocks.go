package lake

import (
	"context"
	"errors"
	"io"

	"cloud.google.com/go/storage"
)

// blockBytes is how much of an object is fetched at once. Most objects have
// fewer bytes; of large ones, what lies between the columns is not fetched.
const blockBytes = 1 << 20

// Blocks reads an object in blocks, the last of which it holds. It is for one
// goroutine at a time.
type Blocks struct {
	ctx    context.Context
	object *storage.ObjectHandle
	size   int64

	number int64
	held   []byte
}

// NewBlocks returns a reader of an object of so many bytes. ctx bounds every
// read.
func NewBlocks(ctx context.Context, object *storage.ObjectHandle, size int64) *Blocks {
	return &Blocks{ctx: ctx, object: object, size: size}
}

// An outage is why an object could not be fetched.
type outage struct{ error }

// Unwrap returns the client's error.
func (o *outage) Unwrap() error { return o.error }

// Outage marks an error as why an object could not be fetched.
func Outage(err error) error { return &outage{err} }

// IsOutage reports whether an error is why an object could not be fetched,
// which says nothing of what it holds.
func IsOutage(err error) bool {
	var fetching *outage
	return errors.As(err, &fetching)
}

// ReadAt fetches the blocks that it needs. An error but io.EOF and
// io.ErrUnexpectedEOF is one that IsOutage knows.
func (b *Blocks) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) {
		if offset >= b.size {
			return n, io.EOF
		}
		if err := b.fetch(offset / blockBytes); err != nil {
			return n, err
		}
		start := offset % blockBytes
		if start >= int64(len(b.held)) {
			return n, io.ErrUnexpectedEOF
		}
		copied := copy(p[n:], b.held[start:])
		n, offset = n+copied, offset+int64(copied)
	}
	return n, nil
}

func (b *Blocks) fetch(number int64) error {
	if b.held != nil && b.number == number {
		return nil
	}
	first := number * blockBytes
	reader, err := b.object.NewRangeReader(b.ctx, first, min(blockBytes, b.size-first))
	if err == nil {
		b.held, err = io.ReadAll(reader)
		err = errors.Join(err, reader.Close())
	}
	if err != nil {
		b.held = nil
		return Outage(err)
	}
	b.number = number
	return nil
}
