#!/bin/sh
# hamba/avro 2.31.0 decodes local-timestamp-millis and -micros, which are
# readings of a clock on the wall, by way of the machine's time zone, and asks
# for the zone's offset at the wrong moment: at the reading as if it were UTC.
# For as many hours around a change of the clocks as the zone is away from UTC,
# a reading becomes another: 01:30 in Berlin on the day that summer time begins
# comes out as 00:30, 06:30 in New York as 07:30. Nothing fails, and with
# TZ=UTC, as in most tests and containers, nothing shows. What was decoded is
# encoded as the wrong reading again.
#
# Instead: decode into int64, and make the time with time.UnixMicro(n).UTC().
#
# Decodes readings in both zones, and prints them and what comes out. Needs Go.
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
	"os"
	"time"
	_ "time/tzdata"

	"github.com/hamba/avro/v2"
)

func main() {
	plain := avro.MustParse(`"long"`)
	local := avro.MustParse(`{"type":"long","logicalType":"local-timestamp-micros"}`)
	for _, reading := range os.Args[1:] {
		wall, err := time.Parse("2006-01-02T15:04", reading)
		if err != nil {
			panic(err)
		}
		data, err := avro.Marshal(plain, wall.UnixMicro())
		if err != nil {
			panic(err)
		}
		var decoded time.Time
		if err := avro.Unmarshal(local, data, &decoded); err != nil {
			panic(err)
		}
		fmt.Printf("%s %s;", reading, decoded.Format("15:04"))
	}
}
GO
go get github.com/hamba/avro/v2@v2.31.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o finding .
seen="$(TZ=Europe/Berlin ./finding 2026-03-29T00:30 2026-03-29T01:30 2026-03-29T03:30 2026-10-25T01:30)$(TZ=America/New_York ./finding 2026-03-08T06:30)"
echo "hamba/avro 2.31.0: $seen"
[ "$seen" = "2026-03-29T00:30 00:30;2026-03-29T01:30 00:30;2026-03-29T03:30 03:30;2026-10-25T01:30 02:30;2026-03-08T06:30 07:30;" ] || { echo "the behaviour has changed"; exit 1; }
