#!/bin/sh
# Avro identifies a schema by the fingerprint of its Parsing Canonical Form,
# which strips all attributes but a few: a long with a logical type is "long"
# there. Three libraries keep something of it, so that they give another
# fingerprint to one and the same schema: hamba/avro 2.31.0 keeps the logical
# type, goavro 2.15.0 and Apache's avro 1.12.2 for Python the braces around the
# type. fastavro 1.13.1 and Java's library (1.12.2) do as the specification
# says. A message with the fingerprint in front (single object encoding), or a
# cache by fingerprint, is then not understood by a program in another language,
# and only for schemas that have a logical type.
#
# Instead: send the schema's id from a registry, or compute the fingerprint
# once, with Java or fastavro, and hand it on.
#
# Prints four canonical forms of one schema. Needs Go and Python. Exits 1 when
# the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check fastavro==1.13.1 avro==1.12.2
cat > schema.json <<'JSON'
{"type":"record","name":"event","fields":[{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}]}
JSON
cat > finding.py <<'PY'
import json

import avro.schema
import fastavro.schema

schema = open("schema.json").read()
print("fastavro", fastavro.schema.to_parsing_canonical_form(json.loads(schema)))
print("avro", avro.schema.parse(schema).canonical_form)
PY
cat > go.mod <<'MOD'
module finding

go 1.24
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
)

func main() {
	schema, err := os.ReadFile("schema.json")
	if err != nil {
		panic(err)
	}
	codec, err := goavro.NewCodec(string(schema))
	if err != nil {
		panic(err)
	}
	fmt.Println("goavro", codec.CanonicalSchema())
	fmt.Println("hamba", avro.MustParse(string(schema)))
}
GO
go get github.com/hamba/avro/v2@v2.31.0 github.com/linkedin/goavro/v2@v2.15.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(venv/bin/python finding.py && go run .)
echo "$seen"
before='{"name":"event","type":"record","fields":[{"name":"at","type":'
wanted="fastavro $before\"long\"}]}
avro $before{\"type\":\"long\"}}]}
goavro $before{\"type\":\"long\"}}]}
hamba $before{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]}"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
