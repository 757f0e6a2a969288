package pages

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
)

const (
	// pageBytes is where a page of PLAIN values ends, as the format advises.
	pageBytes = 1 << 20
	// smallBytes is up to where a column is not worth a Zstandard frame.
	smallBytes = 64
	// MaxStatistic bounds the least and the greatest value of a column that
	// the footer repeats, in bytes; Arrow's writer has the same limit. Every
	// reader reads the whole footer, whatever it looks for.
	MaxStatistic = 4 << 10
)

// A chunk is a column of the file as it is written.
type chunk struct {
	*Writer
	dst   *bytes.Buffer
	start int   // of the row group in dst
	at    int64 // of the row group in the file
	meta  format.ColumnMetaData
}

// write writes a column that has at least one row.
func (k *chunk) write(c *column) error {
	k.meta = format.ColumnMetaData{
		Type:         physical(c.Type),
		PathInSchema: []string{c.Name},
		NumValues:    int64(c.rows()),
	}
	nulls := c.rows() - c.values
	if c.repeats > 0 && c.values == 1 {
		nulls = 0
	}
	k.meta.Statistics.NullCount = int64(nulls)
	switch {
	case c.values == 0:
		return k.writeNulls(c)
	case c.isText():
		return k.writeTexts(c)
	default:
		return k.writeNumbers(c)
	}
}

func physical(t event.Type) format.Type {
	switch t {
	case event.String, event.Bytes:
		return format.ByteArray
	case event.Float64:
		return format.Double
	}
	return format.Int64
}

func (k *chunk) writeNulls(c *column) error {
	k.page = appendLevelRun(k.page[:0], 0, c.rows())
	k.compress(0)
	k.meta.Encoding = []format.Encoding{format.Plain, format.RLE}
	return k.data(c.rows(), format.Plain)
}

func appendLevelRun(dst []byte, level byte, rows int) []byte {
	begin := len(dst)
	dst = appendRun(append(dst, 0, 0, 0, 0), level, rows)
	binary.LittleEndian.PutUint32(dst[begin:], uint32(len(dst)-begin-4))
	return dst
}

func (k *chunk) writeTexts(c *column) error {
	if c.repeats > 0 || c.Dictionary {
		k.bound(c.words.bounds())
		if c.repeats > 0 || len(c.words.entries)+len(c.words.ids) < c.words.size {
			return k.writeIndexed(c, c.words.entries, len(c.words.at), c.words.ids)
		}
		for _, id := range c.words.ids {
			c.addText(c.words.entry(id))
		}
	} else {
		k.bound(boundsOf(c.plain))
	}
	return k.writePlain(c, c.plain, func(rest []byte) int { return 4 + int(binary.LittleEndian.Uint32(rest)) })
}

// boundsOf returns the least and the greatest of texts behind their lengths.
func boundsOf(plain []byte) (least, greatest []byte) {
	for rest := plain; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest)
		text := rest[4:][:size]
		if least == nil {
			least, greatest = text, text
		}
		least, greatest = widen(least, greatest, text)
		rest = rest[4+size:]
	}
	return least, greatest
}

// bound states the least and the greatest value, if they are short. An empty
// one would not be told from none.
func (k *chunk) bound(least, greatest []byte) {
	if len(least) > 0 && len(least) <= MaxStatistic && len(greatest) <= MaxStatistic {
		k.meta.Statistics.MinValue, k.meta.Statistics.MaxValue = bytes.Clone(least), bytes.Clone(greatest) // the columns are used again before the footer is written
	}
}

func (k *chunk) writeNumbers(c *column) error {
	if c.Type == event.Float64 {
		k.boundFloats(c.numbers)
	}
	least, greatest := c.numbers[0], c.numbers[0]
	for _, n := range c.numbers {
		least, greatest = min(least, n), max(greatest, n)
	}
	if c.Type != event.Float64 {
		k.bound(appendNumbers(nil, []int64{least}), appendNumbers(nil, []int64{greatest}))
	}
	if c.repeats > 0 {
		return k.writeIndexed(c, appendNumbers(nil, c.numbers), 1, nil)
	}
	unit := int64(1)
	if c.Type == event.Timestamp {
		unit = unitOf(c.numbers)
	}
	if k.numbers.number(c.numbers, least, greatest, unit) {
		return k.writeIndexed(c, appendNumbers(nil, k.numbers.distinct), len(k.numbers.distinct), k.numbers.ids)
	}
	c.plain = appendNumbers(c.plain, c.numbers)
	return k.writePlain(c, c.plain, func([]byte) int { return 8 })
}

// boundFloats states the least and the greatest number. As the format asks,
// there are none where one is not a number, and zero stands for both zeros.
func (k *chunk) boundFloats(numbers []int64) {
	least, greatest := math.Inf(1), math.Inf(-1)
	for _, n := range numbers {
		f := math.Float64frombits(uint64(n))
		if math.IsNaN(f) {
			return
		}
		least, greatest = min(least, f), max(greatest, f)
	}
	if least == 0 {
		least = math.Copysign(0, -1)
	}
	if greatest == 0 {
		greatest = 0
	}
	bits := func(f float64) []byte { return appendNumbers(nil, []int64{int64(math.Float64bits(f))}) }
	k.bound(bits(least), bits(greatest))
}

// writeIndexed writes a dictionary page, and one page of ids. A repeated value
// has none.
func (k *chunk) writeIndexed(c *column, entries []byte, count int, ids []uint32) error {
	k.meta.Encoding = []format.Encoding{format.Plain, format.RLE, format.RLEDictionary}
	k.compress(len(entries) + len(ids))
	k.meta.DictionaryPageOffset = k.offset()
	header := format.PageHeader{
		Type:                 format.DictionaryPage,
		DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(count), Encoding: format.Plain}),
	}
	if err := k.put(&header, entries); err != nil {
		return err
	}
	k.page = k.page[:0]
	if c.repeats > 0 {
		if c.Nullable {
			k.page = appendLevelRun(k.page, 1, c.repeats)
		}
		k.page = appendRun(append(k.page, 1), 0, c.repeats)
	} else {
		if c.Nullable {
			k.page = appendLevels(k.page, c.levels)
		}
		k.page = appendIDs(k.page, ids, count)
	}
	return k.data(c.rows(), format.RLEDictionary)
}

// writePlain writes values, as PLAIN pages of about pageBytes; size is that of
// the first of the rest, in bytes.
func (k *chunk) writePlain(c *column, values []byte, size func(rest []byte) int) error {
	k.meta.Encoding = []format.Encoding{format.Plain, format.RLE}
	k.compress(len(values))
	for row := 0; row < c.rows(); {
		first, end := row, 0
		for ; row < c.rows() && end < pageBytes; row++ {
			if !c.Nullable || c.levels[row] == 1 {
				end += size(values[end:])
			}
		}
		k.page = k.page[:0]
		if c.Nullable {
			k.page = appendLevels(k.page, c.levels[first:row])
		}
		k.page = append(k.page, values[:end]...)
		values = values[end:]
		if err := k.data(row-first, format.Plain); err != nil {
			return err
		}
	}
	return nil
}

// compress has the column compressed where that is worth it. In a file of several
// row groups it always is: some readers take the codec of a column's first chunk
// for that of all.
func (k *chunk) compress(size int) {
	if size > smallBytes || k.groups {
		k.meta.Codec = format.Zstd
	}
}

// data writes k.page as a data page of so many rows.
func (k *chunk) data(rows int, encoding format.Encoding) error {
	if k.meta.DataPageOffset == 0 {
		k.meta.DataPageOffset = k.offset()
	}
	return k.put(&format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{
		NumValues:               int32(rows),
		Encoding:                encoding,
		DefinitionLevelEncoding: format.RLE,
		RepetitionLevelEncoding: format.RLE,
	})}, k.page)
}

func (k *chunk) offset() int64 { return k.at + int64(k.dst.Len()-k.start) }

// put writes a page behind its header, which has all but the sizes.
func (k *chunk) put(header *format.PageHeader, page []byte) error {
	stored := page
	if k.meta.Codec == format.Zstd {
		k.compressed = k.encoder.EncodeAll(page, k.compressed[:0])
		stored = k.compressed
	}
	header.UncompressedPageSize, header.CompressedPageSize = int32(len(page)), int32(len(stored))
	before := k.dst.Len()
	if err := marshal(k.dst, header); err != nil {
		return err
	}
	size := k.dst.Len() - before
	k.dst.Write(stored)
	k.meta.TotalUncompressedSize += int64(size + len(page))
	k.meta.TotalCompressedSize += int64(size + len(stored))
	return nil
}
