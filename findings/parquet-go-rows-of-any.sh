#!/bin/sh
# parquet-go 0.32.0, asked for rows of the type any, gives some numbers as what
# they are not, without an error:
# - a decimal that is stored as an integer, as Spark and DuckDB store up to 18
#   digits, comes as a float64: 1234567890123456.78 is 1234567890123456.8. One that
#   is stored as bytes comes as an exact big.Float;
# - UINT_64 comes as int64: 18446744073709551615 is -1. UINT_32 comes as uint32.
#
# Instead: read into a struct whose fields are int64 with decimal(2:18), and uint64.
#
# Writes such a row, reads it both ways, and prints the values. Needs Go. Exits 1
# when the behaviour has changed.
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
	Price int64  `parquet:"price,decimal(2:18)"`
	Wide  uint64 `parquet:"wide"`
	Small uint32 `parquet:"small"`
}

func main() {
	var file bytes.Buffer
	if err := parquet.Write(&file, []row{{123456789012345678, 18446744073709551615, 4294967295}}); err != nil {
		panic(err)
	}
	typed, err := parquet.Read[row](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		panic(err)
	}
	fmt.Println(typed[0].Price, typed[0].Wide, typed[0].Small)
	var loose any
	if err := parquet.NewReader(bytes.NewReader(file.Bytes())).Read(&loose); err != nil {
		panic(err)
	}
	values := loose.(map[string]any)
	fmt.Printf("%T %.2f, %T %v, %T %v\n", values["price"], values["price"], values["wide"], values["wide"], values["small"], values["small"])
}
GO
go get github.com/parquet-go/parquet-go@v0.32.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
wanted="123456789012345678 18446744073709551615 4294967295
float64 1234567890123456.75, int64 -1, uint32 4294967295"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
