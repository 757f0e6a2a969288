#!/bin/sh
# CloudEvents over HTTP in binary mode: the protocol has spaces, quotes, percent
# signs and all that is not printable ASCII in an attribute percent-encoded in
# the header, and decoded by the reader. Python's SDK (cloudevents 2.2.0) does
# both. Go's (sdk-go 2.16.2), as JavaScript's (10.0.0) and Java's (4.0.1), does
# neither. So the subject "Gare du Nord" from Python is "Gare%20du%20Nord" in
# Go, and "50%20 late" from Go is "50  late" in Python. No side sees an error,
# and within one language all agree.
#
# Instead: keep attributes to letters, digits and "-._:,/" where languages meet,
# or send events in structured mode.
#
# Sends a subject each way, and prints headers and what is read. Needs Go and
# Python. Exits 1 when the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check cloudevents==2.2.0
cat > finding.py <<'PY'
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent

required = {"id": "1", "source": "/station", "type": "arrival", "specversion": "1.0"}
if sys.argv[1] == "write":
    print(to_binary_event(CloudEvent(attributes={**required, "subject": sys.argv[2]}, data=None)).headers["ce-subject"])
else:
    headers = {"ce-" + name: value for name, value in {**required, "subject": sys.argv[2]}.items()}
    print(from_binary_event(HTTPMessage(headers, b"")).get_attributes()["subject"])
PY
cat > go.mod <<'MOD'
module finding

go 1.25.0
MOD
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/protocol/http"
)

func main() {
	event := cloudevents.NewEvent()
	event.SetID("1")
	event.SetSource("/station")
	event.SetType("arrival")
	event.SetSubject(os.Args[2])
	request, err := http.NewHTTPRequestFromEvent(context.Background(), "http://localhost/", event)
	if err != nil {
		panic(err)
	}
	if os.Args[1] == "write" {
		fmt.Println(request.Header.Get("Ce-Subject"))
		return
	}
	request.Header.Set("Ce-Subject", os.Args[2])
	read, err := http.NewEventFromHTTPRequest(request)
	fmt.Println(read.Subject(), err)
}
GO
go get github.com/cloudevents/sdk-go/v2@v2.16.2 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o finding .
python=$(venv/bin/python finding.py write 'Gare du Nord')
go=$(./finding write '50%20 late')
seen="from Python: $python is in Go $(./finding read "$python"), in Python $(venv/bin/python finding.py read "$python")
from Go: $go is in Go $(./finding read "$go"), in Python $(venv/bin/python finding.py read "$go")"
echo "$seen"
wanted="from Python: Gare%20du%20Nord is in Go Gare%20du%20Nord <nil>, in Python Gare du Nord
from Go: 50%20 late is in Go 50%20 late <nil>, in Python 50  late"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
