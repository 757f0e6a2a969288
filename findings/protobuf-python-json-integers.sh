#!/bin/sh
# ProtoJSON allows a 64-bit integer to be written with a fraction of zeros or an
# exponent, as a number or in quotes. Go's protojson (protobuf 1.36.12) reads it
# exactly. Python's json_format (protobuf 7.36.2) reads it through a float, so
# above 2^53 it becomes a neighbour, without an error: 9007199254740993.0 is
# 9007199254740992. A program that writes all its numbers as decimals, as many
# databases' JSON does, sends such texts.
#
# Instead: write 64-bit integers as strings of digits, which both read exactly.
#
# Parses the same texts with both, and prints what they make of them. Needs Go
# and Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check protobuf==7.36.2
cat > finding.py <<'PY'
import sys

from google.protobuf import json_format, wrappers_pb2

for text in sys.argv[1:]:
    print(text, json_format.Parse(text, wrappers_pb2.Int64Value()).value)
PY
cat > go.mod <<'MOD'
module finding

go 1.25.0
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	for _, text := range os.Args[1:] {
		var message wrapperspb.Int64Value
		if err := protojson.Unmarshal([]byte(text), &message); err != nil {
			panic(err)
		}
		fmt.Println(text, message.Value)
	}
}
GO
go get google.golang.org/protobuf@v1.36.12 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o finding .
set -- 9007199254740993 9007199254740993.0 '"9007199254740993.0"' 9007199254740993e0
seen="$(venv/bin/python finding.py "$@" | sed 's/^/Python /')
$(./finding "$@" | sed 's/^/Go /')"
echo "$seen"
wanted='Python 9007199254740993 9007199254740993
Python 9007199254740993.0 9007199254740992
Python "9007199254740993.0" 9007199254740992
Python 9007199254740993e0 9007199254740992
Go 9007199254740993 9007199254740993
Go 9007199254740993.0 9007199254740993
Go "9007199254740993.0" 9007199254740993
Go 9007199254740993e0 9007199254740993'
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
