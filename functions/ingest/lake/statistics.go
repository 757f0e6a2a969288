package lake

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// maxStatistic bounds the least and the greatest value of a column that a
// file's footer repeats, in bytes; Arrow's writer has the same limit. Every
// reader reads the whole footer, whatever it looks for.
const maxStatistic = 4 << 10

// withoutLongStatistics writes the footer of a finished file again where
// statistics in it are longer than maxStatistic, without these. The library
// has an option to write none of a column, but then it also says, in the
// index of the column's pages, that all values are empty.
func withoutLongStatistics(file *bytes.Buffer, footer *format.FileMetaData) error {
	found := false
	for g := range footer.RowGroups {
		columns := footer.RowGroups[g].Columns
		for c := range columns {
			if s := &columns[c].MetaData.Statistics; len(s.MinValue) > maxStatistic || len(s.MaxValue) > maxStatistic {
				s.MinValue, s.MaxValue = nil, nil
				found = true
			}
		}
	}
	if !found {
		return nil
	}
	encoded, err := thrift.Marshal(new(thrift.CompactProtocol), footer)
	if err != nil {
		return fmt.Errorf("encoding the footer: %w", err)
	}
	const tail = 8 // the footer's length, and the magic
	length := binary.LittleEndian.Uint32(file.Bytes()[file.Len()-tail:])
	file.Truncate(file.Len() - tail - int(length))
	encoded = binary.LittleEndian.AppendUint32(encoded, uint32(len(encoded)))
	file.Write(append(encoded, "PAR1"...))
	return nil
}
