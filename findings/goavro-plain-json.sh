#!/bin/sh
# goavro 2.15.0 with NewCodecForStandardJSONFull, which takes plain JSON without
# the names of a union's branches, changes numbers without an error:
# - In a union with long and double every whole number above 2^53 goes through
#   the double, whichever of the two is named first: 9007199254740993 loses its
#   3.
# - A fraction in a union whose only number is int or long is cut off: 1.5 is 1.
# With the names, as Avro's own JSON has them, the first stays exact.
#
# Instead: NewCodec and Avro's JSON; or JSON decoded into the types of Go that
# the schema asks for, and BinaryFromNative.
#
# Decodes such numbers, and prints what comes out. Needs Go. Exits 1 when the
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

	"github.com/linkedin/goavro/v2"
)

func show(codec *goavro.Codec, err error, text string) {
	if err != nil {
		panic(err)
	}
	value, _, err := codec.NativeFromTextual([]byte(text))
	fmt.Println(text, "is", value, err)
}

func main() {
	codec, err := goavro.NewCodecForStandardJSONFull(`["null","long","double"]`)
	show(codec, err, `9007199254740993`)
	codec, err = goavro.NewCodecForStandardJSONFull(`["null","int"]`)
	show(codec, err, `1.5`)
	codec, err = goavro.NewCodecForStandardJSONFull(`["null","long"]`)
	show(codec, err, `1.5`)
	codec, err = goavro.NewCodec(`["null","long","double"]`)
	show(codec, err, `{"long":9007199254740993}`)
}
GO
go get github.com/linkedin/goavro/v2@v2.15.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
wanted='9007199254740993 is map[double:9.007199254740992e+15] <nil>
1.5 is map[int:1] <nil>
1.5 is map[long:1] <nil>
{"long":9007199254740993} is map[long:9007199254740993] <nil>'
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
