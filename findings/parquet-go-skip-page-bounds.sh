#!/bin/sh
# parquet-go 0.29.0 with SkipPageBounds: the column index says that the least
# and the greatest value of each page are the empty string, not that they are
# unknown. A reader that prunes pages by the index then skips rows that match.
#
# Writes two rows with such a column, and prints what the index says of it.
# Needs Go. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'MOD'
module finding

go 1.24
MOD
cat > main.go <<'GO'
package main

import (
	"bytes"
	"fmt"

	"github.com/parquet-go/parquet-go"
)

type row struct {
	Station string `parquet:"station"`
}

func main() {
	var file bytes.Buffer
	writer := parquet.NewGenericWriter[row](&file, parquet.SkipPageBounds("station"))
	if _, err := writer.Write([]row{{"Arsenal"}, {"Bellevue"}}); err != nil {
		panic(err)
	}
	if err := writer.Close(); err != nil {
		panic(err)
	}
	read, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		panic(err)
	}
	index, err := read.RowGroups()[0].ColumnChunks()[0].ColumnIndex()
	if err != nil {
		panic(err)
	}
	fmt.Printf("pages %d, null page %t, least %q, greatest %q\n", index.NumPages(), index.NullPage(0), index.MinValue(0).ByteArray(), index.MaxValue(0).ByteArray())
}
GO
go get github.com/parquet-go/parquet-go@v0.29.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "parquet-go 0.29.0: $seen"
[ "$seen" = 'pages 1, null page false, least "", greatest ""' ] || { echo "the behaviour has changed"; exit 1; }
