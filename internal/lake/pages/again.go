package pages

import (
	"bytes"

	"github.com/parquet-go/parquet-go/format"
)

// The key of a record is mostly its event's id: two columns with the same texts.
// These are compressed once. Only levels make the one page another than the
// other, and they go before the values, into a block of their own.

// writeOnePage writes the values of a column without NULLs as one page, and
// keeps the blocks of texts.
func (k *chunk) writeOnePage(c *column, values []byte) {
	k.compressed = compressor().EncodeAll(values, k.compressed[:0])
	k.blocks = append(k.blocks[:0], blocksOf(k.compressed)...)
	if c.isText() {
		c.blocks, c.statistics = append(c.blocks[:0], k.blocks...), k.meta.Statistics
	}
	k.writeBlocks(c, values, k.blocks)
}

// writeBlocks writes one page of a column without NULLs, of which the values
// are compressed to the blocks.
func (k *chunk) writeBlocks(c *column, values, blocks []byte) {
	k.page = c.appendLevels(k.page[:0], 0, c.rows())
	size := len(k.page) + len(values)
	k.compressed = appendFrame(k.compressed[:0], size)
	if len(k.page) > 0 {
		k.compressed = appendRaw(k.compressed, k.page, false)
	}
	k.compressed = append(k.compressed, blocks...)
	k.data(c.rows(), format.Plain, size, k.compressed)
}

// sameTexts returns the column, of those that are written, that has the very
// texts of this one, nil for none: the key of a record is mostly its event's id.
func (k *chunk) sameTexts(c *column) *column {
	if c.held.Nulls > 0 {
		return nil
	}
	for i := range k.columns {
		other := &k.columns[i]
		if len(other.blocks) > 0 && bytes.Equal(other.held.Texts, c.held.Texts) {
			return other
		}
	}
	return nil
}

// writeAgain writes what the other column has.
func (k *chunk) writeAgain(c, other *column) {
	k.meta.Statistics.MinValue, k.meta.Statistics.MaxValue = other.statistics.MinValue, other.statistics.MaxValue
	k.meta.Encoding, k.meta.Codec = []format.Encoding{format.Plain, format.RLE}, format.Zstd
	k.writeBlocks(c, c.held.Texts, other.blocks)
}
