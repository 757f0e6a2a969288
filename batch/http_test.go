package batch

import (
	"encoding/binary"
	"net/http"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
)

// A batch keeps everything on its way through attributes and data.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("k"), []byte(`{"id":"1"}`), "h", []byte("v"), uint16(3), int64(41), int64(1764000000000))
	f.Add([]byte(nil), []byte(nil), "", []byte(nil), uint16(1), int64(0), int64(-1))
	f.Add([]byte{}, []byte{}, "\xff", []byte{}, uint16(300), int64(1)<<61, int64(0))
	f.Fuzz(func(t *testing.T, key, value []byte, header string, headerValue []byte, count uint16, first, timestamp int64) {
		b := &Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: LakeLane}
		for i := range int64(count%500) + 1 {
			r := Record{Partition: int32(i) % int32(count%7+1), Offset: first&(1<<62-1) + i*(i+1), Timestamp: max(timestamp&(1<<62-1)+i, -1)}
			switch i % 4 { // null, empty, part and whole, in turn
			case 1:
				r.Key, r.Value = []byte{}, []byte{}
			case 2:
				r.Key, r.Value = key, value[:len(value)/2]
			case 3:
				r.Key, r.Value = binary.AppendVarint(key[:len(key):len(key)], i), value
				r.Headers = []Header{{Key: headerKey(header), Value: headerValue}}
			}
			b.Records = append(b.Records, r)
		}
		e, err := b.Event(stamp, "")
		if err != nil {
			t.Skip() // beyond the limits of a batch
		}
		for _, e := range []cloudevents.Event{e, compressed(t, b)} {
			received, err := FromMessage(Attributes(e), e.Data())
			if err != nil {
				t.Fatal(err)
			}
			got, err := FromEvent(received)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b, got); diff != "" {
				t.Fatalf("(-sent +received):\n%s", diff)
			}
		}
	})
}

func TestFromHTTP_NoCloudEvent(t *testing.T) {
	for name, header := range map[string]http.Header{
		"nothing":     {},
		"old":         {"Ce-Specversion": {"0.3"}},
		"bad time":    {"Ce-Specversion": {"1.0"}, "Ce-Time": {"noon"}},
		"structured":  {"Ce-Specversion": {"1.0"}, "Content-Type": {"application/cloudevents+json"}},
		"batched":     {"Ce-Specversion": {"1.0"}, "Content-Type": {"application/cloudevents-batch+json"}},
		"odd source":  {"Ce-Specversion": {"1.0"}, "Ce-Source": {"%zz"}},
		"odd version": {"Ce-Specversion": {"1"}},
	} {
		if _, err := FromHTTP(header, nil); err == nil {
			t.Errorf("%s: took it", name)
		} else if _, ok := err.(*Malformed); !ok {
			t.Errorf("%s: %v is not a *Malformed", name, err)
		}
	}
}
