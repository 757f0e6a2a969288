#!/bin/sh
# A value of OpenTelemetry's baggage changes between Python and other languages.
# opentelemetry-api 1.45.2 for Python writes a space as "+" and reads "+" as a
# space, as HTML forms do. The W3C's format, and so Go's library (otel 1.43.0)
# and JavaScript's, write %20, and take "+" for itself; Go also writes it so. So
# "Gare du Nord" from Python is "Gare+du+Nord" in Go, and "Nord+Sud" from Go is
# "Nord Sud" in Python. Spaces at the ends of a value are cut off, even when
# they are encoded.
#
# Instead: keep spaces and plus signs out of baggage: send a code, or base64url.
#
# Sends values both ways, and prints headers and values. Needs Go and Python.
# Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check opentelemetry-api==1.45.2
cat > finding.py <<'PY'
import sys

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

propagator = W3CBaggagePropagator()
if sys.argv[1] == "write":
    carrier = {}
    propagator.inject(carrier, baggage.set_baggage("station", sys.argv[2]))
    print(carrier["baggage"])
else:
    print(baggage.get_all(propagator.extract({"baggage": sys.argv[2]}))["station"])
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

	"go.opentelemetry.io/otel/baggage"
)

func main() {
	read, err := baggage.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(read.Member("station").Value())
}
GO
go get go.opentelemetry.io/otel@v1.43.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o finding .
header=$(venv/bin/python finding.py write 'Gare du Nord')
seen="$header is in Go $(./finding "$header"), in Python $(venv/bin/python finding.py read "$header")
station=Nord+Sud is in Go $(./finding station=Nord+Sud), in Python $(venv/bin/python finding.py read station=Nord+Sud)"
echo "$seen"
wanted="station=Gare+du+Nord is in Go Gare+du+Nord, in Python Gare du Nord
station=Nord+Sud is in Go Nord+Sud, in Python Nord Sud"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
