#!/bin/sh
# Go's Avro libraries encode a decimal that does not fit its schema as another
# number, without an error, where Java's (1.12.2) refuses it:
# - hamba/avro 2.31.0 and goavro 2.15.0 cut off digits behind the scale,
#   downwards: with scale 2, 1.999 becomes 1.99, and -1.001 becomes -1.01.
# - goavro does not look at the precision. In a fixed it keeps the low bytes, in
#   bytes it writes digits that the schema excludes: 12345.67 in a fixed of 2
#   bytes, precision 4, scale 2, is read as 0, -327.69 as 327.67. hamba refuses
#   both.
#
# Instead: round to the scale first, and compare with the greatest value.
#
# Encodes such numbers, and prints what is read back. Needs Go. Exits 1 when the
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
	"fmt"
	"math/big"

	"github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
)

const schema = `{"type":"fixed","name":"price","size":2,"logicalType":"decimal","precision":4,"scale":2}`

func main() {
	hamba := avro.MustParse(schema)
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"1.999", "-1.001", "12345.67", "-327.69"} {
		number, _ := new(big.Rat).SetString(text)
		first := "refused"
		if data, err := avro.Marshal(hamba, number); err == nil {
			var read *big.Rat
			if err := avro.Unmarshal(hamba, data, &read); err != nil {
				panic(err)
			}
			first = read.FloatString(2)
		}
		second := "refused"
		if data, err := codec.BinaryFromNative(nil, number); err == nil {
			read, _, err := codec.NativeFromBinary(data)
			if err != nil {
				panic(err)
			}
			second = read.(*big.Rat).FloatString(2)
		}
		fmt.Printf("%s: hamba %s, goavro %s\n", text, first, second)
	}
}
GO
go get github.com/hamba/avro/v2@v2.31.0 github.com/linkedin/goavro/v2@v2.15.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
wanted="1.999: hamba 1.99, goavro 1.99
-1.001: hamba -1.01, goavro -1.01
12345.67: hamba refused, goavro 0.00
-327.69: hamba refused, goavro 327.67"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
