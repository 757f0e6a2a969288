package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/fault"
)

// A record at which the program crashes goes to quarantine, and the records
// behind it are decided about as if it were not there; more than a few of them
// are a crash of the batch.
func TestDecode_CrashesAtSingleRecords(t *testing.T) {
	for _, crashes := range []int{1, 2, maxPoison, maxPoison + 1} {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			tp, d := offline("incidents")
			tp.reading.Location = nil // has a timestamp without an offset crash
			b := sampleBatch("incidents", 100, 1)
			for i := range b.Records {
				if r := &b.Records[i]; i%11 != 3 || i/11 >= crashes {
					r.Value = bytes.Replace(r.Value, []byte(`","severity"`), []byte(`Z","severity"`), 1)
				}
			}
			b.Records[50].Value = []byte("x")
			err := d.decode(t.Context(), tp, b, noon)
			if crashes > maxPoison {
				if classify(err) != fault.OfBatch {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || d.crash == nil || len(d.good.Rows) != 99-crashes || len(d.rejections) != 1+crashes {
				t.Fatalf("%d good and %d rejected, the crash is %v, error %v", len(d.good.Rows), len(d.rejections), d.crash, err)
			}
			for i, row := range d.good.Rows {
				if id, key := d.good.Own[0].Text(row), b.Records[d.records[i]].Key; string(id) != string(key) {
					t.Fatalf("row %d holds event %s, want %s", i, id, key)
				}
			}
			for _, r := range d.rejections {
				if r.record != 50 && (r.record%11 != 3 || r.reason != event.Undecodable || !strings.HasPrefix(r.detail, "panic: ")) {
					t.Errorf("rejected %+v", r)
				}
			}
			tp.reading.Location = noon.Location()
			clear(d.readers)
			if decode(t, d, tp, b); d.crash != nil || len(d.good.Rows) != 99 {
				t.Errorf("the next time %d are good", len(d.good.Rows))
			}
		})
	}
}
