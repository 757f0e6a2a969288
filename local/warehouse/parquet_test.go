package warehouse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// Decimals that Spark and others store as whole numbers, and unsigned numbers,
// keep their values, or are an error.
func TestParquet_WholeNumbersThatStandForOthers(t *testing.T) {
	type row struct {
		Price  int64  `parquet:"price,decimal(2:18)"`
		Small  int32  `parquet:"small,decimal(3:9)"`
		Many   uint64 `parquet:"many"`
		Fewer  uint32 `parquet:"fewer"`
		Signed int64  `parquet:"signed"`
	}
	for _, test := range []struct {
		of      row
		want    string
		refused string
	}{
		{of: row{150, -1005, 7, 8, -9}, want: "map[fewer:8 many:7 price:1.50 signed:-9 small:-1.005]"},
		{of: row{-9007199254740991, 1, 1<<63 - 1, 1<<32 - 1, -1}, want: "map[fewer:4294967295 many:9223372036854775807 price:-90071992547409.91 signed:-1 small:0.001]"},
		{of: row{123456789012345678, 0, 0, 0, 0}, refused: "column price: the local warehouse would lose digits"},
		{of: row{0, 0, 1 << 63, 0, 0}, refused: "column many: 9223372036854775808 is more than an INTEGER holds"},
	} {
		var content bytes.Buffer
		w := parquet.NewGenericWriter[row](&content)
		if _, err := w.Write([]row{test.of}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := openParquet(content.Bytes(), true)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		err = file.rows(file.fields, func(values map[string]any) error { got = fmt.Sprint(values); return nil })
		if got != test.want || (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%+v: %s (%v), want %s%s", test.of, got, err, test.want, test.refused)
		}
	}
}
