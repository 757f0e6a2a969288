package pages

import (
	"encoding/binary"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Pages are compressed each to one Zstandard frame. Some frames are put
// together here, of blocks that need no work:
// https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1

// compressor is shared by all writers: it has the memory for as many pages as
// are compressed at the same time.
var compressor = sync.OnceValue(func() *zstd.Encoder {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(pageBytes)) // 4 MiB otherwise, of which a page fills one
	if err != nil {
		panic(err) // the options above are valid
	}
	return encoder
})

const (
	frameMagic = 0xFD2FB528
	// frameOfSize is the descriptor of a frame that says its size in four
	// bytes and is its own window.
	frameOfSize = 2<<6 | 1<<5
	// rawBlockBytes is the most that a block may have.
	rawBlockBytes = 128 << 10
)

// appendFrame begins a frame that holds so many bytes.
func appendFrame(dst []byte, size int) []byte {
	dst = append(binary.LittleEndian.AppendUint32(dst, frameMagic), frameOfSize)
	return binary.LittleEndian.AppendUint32(dst, uint32(size))
}

// appendRaw adds the data in blocks that are not compressed, of which the last
// may be the frame's last.
func appendRaw(dst, data []byte, last bool) []byte {
	for {
		block := data[:min(len(data), rawBlockBytes)]
		data = data[len(block):]
		header := uint32(len(block)) << 3
		if last && len(data) == 0 {
			header |= 1
		}
		dst = append(dst, byte(header), byte(header>>8), byte(header>>16))
		dst = append(dst, block...)
		if len(data) == 0 {
			return dst
		}
	}
}

// blocksOf returns the blocks of a frame that the compressor made.
func blocksOf(frame []byte) []byte {
	var header zstd.Header
	if err := header.Decode(frame); err != nil {
		panic(err) // it is whole
	}
	return frame[header.HeaderSize:]
}
