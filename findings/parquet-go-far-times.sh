#!/bin/sh
# parquet-go 0.32.0 reads a time.Time through 64 bits of nanoseconds, even from
# columns that are timestamp(microsecond) or timestamp(millisecond), which hold
# every year that BigQuery has and which it writes rightly. Outside of 1677 to
# 2262 the number wraps around, without an error: 9999-12-31, which many systems
# write for "no end", is read as a day in 1816, and one in 1600 as one in 2185.
# A field without a unit has nanoseconds, and wraps around when it is written.
#
# Instead: read into an int64 with timestamp(microsecond), and make the time
# with time.UnixMicro; give every time.Time that is written a unit.
#
# Writes such times, reads them both ways, and prints the years. Needs Go. Exits
# 1 when the behaviour has changed.
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
	"bytes"
	"fmt"
	"time"

	"github.com/parquet-go/parquet-go"
)

type row struct {
	Micros time.Time `parquet:"micros,timestamp(microsecond)"`
	Plain  time.Time `parquet:"plain"`
}

type numbers struct {
	Micros int64 `parquet:"micros,timestamp(microsecond)"`
}

func read[T any](file []byte) T {
	rows, err := parquet.Read[T](bytes.NewReader(file), int64(len(file)))
	if err != nil {
		panic(err)
	}
	return rows[0]
}

func main() {
	for _, year := range []int{2026, 9999, 1600} {
		moment := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)
		var file bytes.Buffer
		if err := parquet.Write(&file, []row{{moment, moment}}); err != nil {
			panic(err)
		}
		times, exact := read[row](file.Bytes()), read[numbers](file.Bytes())
		fmt.Printf("%d: micros read as time.Time %d, as int64 %d, without a unit %d\n", year,
			times.Micros.UTC().Year(), time.UnixMicro(exact.Micros).UTC().Year(), times.Plain.UTC().Year())
	}
}
GO
go get github.com/parquet-go/parquet-go@v0.32.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
wanted="2026: micros read as time.Time 2026, as int64 2026, without a unit 2026
9999: micros read as time.Time 1816, as int64 9999, without a unit 1816
1600: micros read as time.Time 2185, as int64 1600, without a unit 2185"
[ "$seen" = "$wanted" ] || { echo "the behaviour has changed"; exit 1; }
