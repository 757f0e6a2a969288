#!/bin/sh
# cloud.google.com/go/bigquery 1.77.0 rounds a civil.Time to microseconds and
# does not carry: CivilTimeString of 23:59:59.9999996 is "23:59:59.1000000",
# nine tenths of a second too early to every reader that takes seven digits, as
# Go's own time.Parse and civil.ParseTime do. The client uses it for TIME and
# DATETIME in rows that it inserts and in parameters of queries. Every time with
# a fraction from .9999995 on is concerned, which clocks with nanoseconds give.
#
# Instead: truncate to microseconds first.
#
# Writes such times, reads them back, and prints both. Needs Go. Exits 1 when
# the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'MOD'
module finding

go 1.25.0
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
)

func main() {
	for _, nanoseconds := range []int{999_999_400, 999_999_600} {
		text := bigquery.CivilTimeString(civil.Time{Hour: 23, Minute: 59, Second: 59, Nanosecond: nanoseconds})
		read, err := civil.ParseTime(text)
		if err != nil {
			panic(err)
		}
		fmt.Println(nanoseconds, text, read)
	}
}
GO
go get cloud.google.com/go/bigquery@v1.77.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
wanted="999999400 23:59:59.999999 23:59:59.999999000
999999600 23:59:59.1000000 23:59:59.100000000"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
