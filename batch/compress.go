package batch

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/stationflow/stationflow/internal/spare"
)

// A compressed file is a row of blocks, each complete as soon as it holds this
// many bytes of records: the most that waits uncompressed. Larger blocks
// compress hardly better.
const blockBytes = 128 << 10

// deflateOverhead bounds what deflate adds to a block of bytes that cannot be
// compressed: five for each 65,535, and a few more
// (https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4).
const deflateOverhead = MaxEncodedBytes/65_535*5 + 64

// compressionLevel is the fastest: events repeat themselves, and shrink to a
// sixth.
const compressionLevel = 1

// maxSpares bounds the memory that waits to be used again: that of as many
// blocks as are worked on at a time, which only computes.
const maxSpares = 4

// A compressor is the memory for compressing a block.
type compressor struct {
	writer *flate.Writer
	block  bytes.Buffer
}

var compressors = spare.List[*compressor]{Most: maxSpares, New: func() *compressor {
	writer, err := flate.NewWriter(nil, compressionLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	return &compressor{writer: writer}
}}

// compress returns the compressed bytes, which are valid until release.
func (c *compressor) compress(data []byte) []byte {
	c.block.Reset()
	c.writer.Reset(&c.block)
	_, _ = c.writer.Write(data) // a bytes.Buffer takes everything
	_ = c.writer.Close()
	return c.block.Bytes()
}

// release gives the memory back, unless one large record has made it large.
func (c *compressor) release() {
	if c.block.Cap() <= 2*blockBytes {
		compressors.Put(c)
	}
}

var decompressors = spare.List[io.ReadCloser]{Most: maxSpares, New: func() io.ReadCloser { return flate.NewReader(bytes.NewReader(nil)) }}

var (
	errTooLarge = errors.New("holds more bytes than a batch may have")
	errTrailing = errors.New("has bytes after its end")
)

// decompress appends what the block holds to the buffer, at most so many bytes.
func decompress(to, block []byte, most int) ([]byte, error) {
	reader := decompressors.Take()
	defer decompressors.Put(reader)
	source := bytes.NewReader(block)
	if err := reader.(flate.Resetter).Reset(source, nil); err != nil {
		return to, err
	}
	end := len(to) + most
	for {
		if len(to) == cap(to) {
			room := min(max(2*cap(to), len(to)+4*len(block)), end) + bytes.MinRead
			to = append(make([]byte, 0, room), to...)
		}
		n, err := reader.Read(to[len(to):cap(to)])
		to = to[:len(to)+n]
		switch {
		case len(to) > end:
			return to, errTooLarge
		case err == io.EOF && source.Len() > 0:
			return to, errTrailing
		case err == io.EOF:
			return to, nil
		case err != nil:
			return to, err
		}
	}
}
