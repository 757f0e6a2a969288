#!/bin/sh
# cloud.google.com/go/bigquery 1.77.0 reads and writes INTERVAL values wrongly:
# - ParseInterval forgets the sign where the first number behind it is 0: "0-0 0
#   -0:30:0", which BigQuery writes for -30 minutes, becomes +30 minutes, and
#   "-0-3 0 0:0:0" +3 months. Python's client (3.47.0) reads both as negative.
# - String does not write that sign either, and puts one within the fraction:
#   -0.5 s is "0:0:0.-5".
# - ToDuration overflows on every fraction of a second: 1.5 s made with
#   IntervalValueFromDuration come back as 0.256690688 s.
#
# Instead: select EXTRACT parts, or a difference in microseconds as INT64.
#
# Parses, writes and converts such values, and prints them. Needs Go. Exits 1
# when the behaviour has changed.
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
	"time"

	"cloud.google.com/go/bigquery"
)

func main() {
	for _, text := range []string{"0-0 0 -0:30:0", "-0-3 0 0:0:0", "0-0 0 -1:30:0"} {
		parsed, err := bigquery.ParseInterval(text)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %d months, %d minutes\n", text, parsed.Months, 60*parsed.Hours+parsed.Minutes)
	}
	for _, value := range []bigquery.IntervalValue{{Minutes: -30}, {SubSecondNanos: -500_000_000}} {
		fmt.Println(value.String())
	}
	fmt.Println(bigquery.IntervalValueFromDuration(1500 * time.Millisecond).ToDuration())
}
GO
go get cloud.google.com/go/bigquery@v1.77.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
wanted="0-0 0 -0:30:0: 0 months, 30 minutes
-0-3 0 0:0:0: 3 months, 0 minutes
0-0 0 -1:30:0: 0 months, -90 minutes
0-0 0 0:30:0
0-0 0 0:0:0.-5
256.690688ms"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
