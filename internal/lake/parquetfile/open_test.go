package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/stationflow/stationflow/internal/lake/parquetfile"
)

type row struct {
	Topic  string `parquet:"topic,dict"`
	Offset int64  `parquet:"offset"`
}

func content(t *testing.T) []byte { return compressed(t, &zstd.Codec{}) }

func compressed(t *testing.T, by compress.Codec) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.Compression(by), parquet.MaxRowsPerRowGroup(300))
	for offset := range int64(1000) {
		if _, err := w.Write([]row{{"incidents", offset}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns how many values the columns have.
func read(content []byte, columns ...string) (values int64, err error) {
	file, at, err := parquetfile.Open(bytes.NewReader(content), int64(len(content)), columns...)
	if err != nil {
		return 0, err
	}
	for group := range file.RowGroups() {
		for _, column := range at {
			pages, err := file.Pages(group, column)
			if err != nil {
				return 0, err
			}
			for {
				page, err := pages.ReadPage()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return 0, err
				}
				values += page.NumValues()
			}
		}
	}
	return values, nil
}

// A file that is whole is read, one that contradicts itself is told.
// Only what the lake's writers use is decompressed.
func TestPages_OtherCodecs(t *testing.T) {
	for by, want := range map[compress.Codec]string{
		&parquet.Zstd: "", &parquet.Uncompressed: "", &parquet.Lz4Raw: "compressed by LZ4_RAW", &parquet.Gzip: "compressed by GZIP", &parquet.Snappy: "compressed by SNAPPY",
	} {
		values, err := read(compressed(t, by), "topic", "offset")
		if want == "" && (err != nil || values != 2000) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %d values, %v, want %q", by.CompressionCodec(), values, err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	whole := content(t)
	if n, err := read(whole, "topic", "offset"); err != nil || n != 2000 {
		t.Errorf("%d values, %v", n, err)
	}
	footer := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(footer[len(footer)-8:], uint32(len(footer)))
	for name, test := range map[string]struct {
		content []byte
		columns []string
		want    string
	}{
		"a footer as long as the file": {footer, nil, "its footer is of"},
		"nothing":                      {nil, nil, "it has 0 bytes"},
		"text":                         {[]byte("text that is not Parquet"), nil, "it is no Parquet file"},
		"another column":               {whole, []string{"station"}, "it has no column station"},
	} {
		if _, err := read(test.content, test.columns...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A page says how large it is in three places, in its header twice and in its
// compressed bytes; none is believed beyond its column.
func TestPages_SayTheirSize(t *testing.T) {
	whole := content(t)
	file, at, err := parquetfile.Open(bytes.NewReader(whole), int64(len(whole)), "offset")
	if err != nil {
		t.Fatal(err)
	}
	start := file.Metadata().RowGroups[0].Columns[at[0]].MetaData.DataPageOffset
	// Thrift's compact form has a field's number and type, then its zigzag varint:
	// type, uncompressed size, compressed size.
	header := whole[start:]
	if header[0] != 0x15 || header[2] != 0x15 || header[3]&0x80 == 0 {
		t.Fatalf("a header is other than this test knows: % x", header[:16])
	}
	for name, change := range map[string]func(header []byte){
		"a smaller page than what is in it": func(header []byte) { header[3], header[4] = 0x80|0x02, 0 },
		"a larger compressed page":          func(header []byte) { header[6] |= 0x80; header[7] = 0x7f },
		"no thrift":                         func(header []byte) { copy(header, "\xff\xff\xff\xff\xff\xff") },
	} {
		damaged := bytes.Clone(whole)
		change(damaged[start:])
		if n, err := read(damaged, "offset"); err == nil {
			t.Errorf("%s: %d values", name, n)
		}
	}
}
