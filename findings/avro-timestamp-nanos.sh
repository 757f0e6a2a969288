#!/bin/sh
# hamba/avro 2.31.0 does not know the logical type timestamp-nanos (Avro 1.12):
# a long that carries it decodes to int64 nanoseconds, without an error, while
# timestamp-micros decodes to time.Time. Code that handles times by their Go
# type takes the first for a plain number.
#
# Decodes one moment in both types and prints what comes out. Needs Go.
# Exits 1 when the behaviour has changed.
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
	"fmt"

	"github.com/hamba/avro/v2"
)

func main() {
	for name, value := range map[string]int64{"timestamp-micros": 1_795_000_000_000_000, "timestamp-nanos": 1_795_000_000_000_000_000} {
		plain := avro.MustParse(`"long"`)
		logical := avro.MustParse(`{"type":"long","logicalType":"` + name + `"}`)
		data, err := avro.Marshal(plain, value)
		if err != nil {
			panic(err)
		}
		var decoded any
		if err := avro.Unmarshal(logical, data, &decoded); err != nil {
			panic(err)
		}
		fmt.Printf("%s %T\n", name, decoded)
	}
}
GO
go get github.com/hamba/avro/v2@v2.31.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run . | sort | tr '\n' ';')
echo "hamba/avro 2.31.0: $seen"
[ "$seen" = "timestamp-micros time.Time;timestamp-nanos int64;" ] || { echo "the behaviour has changed"; exit 1; }
