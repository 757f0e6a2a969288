package pages

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/vectors"
)

const (
	// pageBytes is where a page of PLAIN values ends, as the format advises.
	pageBytes = 1 << 20
	// smallBytes is up to where a column is not worth a Zstandard frame, and
	// smallDictionary up to where a dictionary is not.
	smallBytes      = 64
	smallDictionary = 256
	// fewEntries is up to where ids are not worth one: they are a few bits each.
	fewEntries = 16
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
func (k *chunk) write(c *column) {
	k.meta = format.ColumnMetaData{
		Type:         physical(c.Type),
		PathInSchema: []string{c.Name},
		NumValues:    int64(c.rows()),
	}
	k.meta.Statistics.NullCount = int64(c.nulls())
	switch {
	case c.nulls() == c.rows():
		k.writeNulls(c)
	case c.isText():
		k.writeTexts(c)
	default:
		k.writeNumbers(c)
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

func (k *chunk) writeNulls(c *column) {
	k.page = appendLevelRun(k.page[:0], 0, c.rows())
	k.choose(false)
	k.meta.Encoding = []format.Encoding{format.Plain, format.RLE}
	k.data(c.rows(), format.Plain, len(k.page), k.compress(k.page, false))
}

func appendLevelRun(dst []byte, level byte, rows int) []byte {
	begin := len(dst)
	dst = appendRun(append(dst, 0, 0, 0, 0), level, rows)
	binary.LittleEndian.PutUint32(dst[begin:], uint32(len(dst)-begin-4))
	return dst
}

func (k *chunk) writeTexts(c *column) {
	texts := c.texts()
	if c.repeats > 0 {
		k.bound(boundsOf(texts))
		k.writeIndexed(c, texts, 1, nil)
		return
	}
	if c.own.Kind == vectors.Words {
		k.bound(boundsOf(texts))
		words, ids := &c.held.Words, k.idsOf(c)
		if len(texts)+len(ids) < words.Size {
			k.writeIndexed(c, texts, words.Distinct(), ids)
			return
		}
		texts = words.AppendAll(k.plain[:0], ids)
		k.plain = texts
	} else {
		if same := k.sameTexts(c); same != nil {
			k.writeAgain(c, same)
			return
		}
		k.bound(boundsOf(texts))
	}
	k.writePlain(c, texts, func(rest []byte) int { return 4 + int(binary.LittleEndian.Uint32(rest)) })
}

// bound states the least and the greatest value, if they are short. An empty
// one would not be told from none.
func (k *chunk) bound(least, greatest []byte) {
	if len(least) > 0 && len(least) <= MaxStatistic && len(greatest) <= MaxStatistic {
		// The columns are used again before the footer is written.
		k.meta.Statistics.MinValue, k.meta.Statistics.MaxValue = bytes.Clone(least), bytes.Clone(greatest)
	}
}

func (k *chunk) writeNumbers(c *column) {
	numbers := k.numbersOf(c)
	if c.Type == event.Float64 {
		k.boundFloats(numbers)
	} else {
		k.bound(appendNumbers(nil, []int64{slices.Min(numbers)}), appendNumbers(nil, []int64{slices.Max(numbers)}))
	}
	if c.held.Nulls == 0 && k.writeCounting(c, numbers) {
		return
	}
	indexed := c.repeats == 0 && k.numbers.number(numbers)
	if indexed {
		numbers = k.numbers.distinct
	}
	k.plain = appendNumbers(k.plain[:0], numbers)
	if indexed || c.repeats > 0 {
		k.writeIndexed(c, k.plain, len(numbers), k.numbers.ids)
		return
	}
	k.writePlain(c, k.plain, func([]byte) int { return 8 })
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

// choose has the column compressed where that is worth it. In a file of several
// row groups it always is: some readers take the codec of a column's first chunk
// for that of all.
func (k *chunk) choose(worth bool) {
	if worth || k.groups {
		k.meta.Codec = format.Zstd
	}
}

// writeIndexed writes a dictionary page, and one page of ids. A repeated value
// has none.
func (k *chunk) writeIndexed(c *column, entries []byte, count int, ids []uint32) {
	k.meta.Encoding = []format.Encoding{format.Plain, format.RLE, format.RLEDictionary}
	ordered := count > fewEntries && inOrder(ids)
	k.choose(len(entries) > smallDictionary || ordered)
	k.meta.DictionaryPageOffset = k.offset()
	k.put(pageHeader{format.DictionaryPage, count, format.Plain}, len(entries),
		k.compress(entries, len(entries) > smallDictionary))
	k.page = k.page[:0]
	if c.repeats > 0 {
		if c.Nullable {
			k.page = appendLevelRun(k.page, 1, c.repeats)
		}
		k.page = appendRun(append(k.page, 1), 0, c.repeats)
	} else {
		k.page = appendIDs(c.appendLevels(k.page, 0, c.rows()), ids, count)
	}
	k.data(c.rows(), format.RLEDictionary, len(k.page), k.compress(k.page, ordered))
}

// writePlain writes values, as PLAIN pages of about pageBytes; size is that of
// the first of the rest, in bytes.
func (k *chunk) writePlain(c *column, values []byte, size func(rest []byte) int) {
	k.meta.Encoding = []format.Encoding{format.Plain, format.RLE}
	k.choose(len(values) > smallBytes)
	if len(values) < pageBytes && len(values) > smallBytes && c.held.Nulls == 0 {
		k.writeOnePage(c, values)
		return
	}
	for row := 0; row < c.rows(); {
		first, end := row, 0
		for ; row < c.rows() && end < pageBytes; row++ {
			if !c.held.Null(int32(row)) {
				end += size(values[end:])
			}
		}
		k.page = append(c.appendLevels(k.page[:0], first, row), values[:end]...)
		values = values[end:]
		k.data(row-first, format.Plain, len(k.page), k.compress(k.page, true))
	}
}
