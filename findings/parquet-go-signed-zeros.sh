#!/bin/sh
# parquet-go 0.32.0 writes bounds of FLOAT64 columns with the sign of the zero
# that it saw: a page of -0.0 alone gets the greatest value -0.0, one of 0.0
# alone the least value 0.0. The format asks for the other sign (ColumnOrder
# TypeDefinedOrder in parquet.thrift: a least value of zero is written as -0.0, a
# greatest one as +0.0), because readers may compare by bits or by value. NaN is
# left out of the bounds, as it asks.
#
# Writes such columns, and prints their bounds. Needs Go. Exits 1 when the
# behaviour has changed.
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
	"encoding/binary"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go"
)

type row struct {
	Value float64 `parquet:"value"`
}

func number(bits []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(bits)) }

func main() {
	minus := math.Copysign(0, -1)
	for _, values := range [][]float64{{minus}, {0}, {-1, minus}, {0, 1}, {math.NaN(), 1}} {
		var file bytes.Buffer
		writer := parquet.NewGenericWriter[row](&file)
		for _, value := range values {
			if _, err := writer.Write([]row{{value}}); err != nil {
				panic(err)
			}
		}
		if err := writer.Close(); err != nil {
			panic(err)
		}
		read, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			panic(err)
		}
		bounds := read.Metadata().RowGroups[0].Columns[0].MetaData.Statistics
		fmt.Println(values, "from", number(bounds.MinValue), "to", number(bounds.MaxValue))
	}
}
GO
go get github.com/parquet-go/parquet-go@v0.32.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run . | tr '\n' ';')
echo "parquet-go 0.32.0: $seen"
[ "$seen" = "[-0] from -0 to -0;[0] from 0 to 0;[-1 -0] from -1 to -0;[0 1] from 0 to 1;[NaN 1] from 1 to 1;" ] || { echo "the behaviour has changed"; exit 1; }
