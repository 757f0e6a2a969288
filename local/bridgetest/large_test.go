package bridgetest

import (
	"bytes"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

const bucket = "lake"

// startLake serves an empty bucket to the clients of this process.
func startLake(t *testing.T) *fakestorage.Server {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(server.HTTPHandler())
	t.Cleanup(front.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", front.URL)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	return server
}

// A value too large for any batch is in the lake before its record is
// published in its place. A large one that fits travels alone.
func TestBridge_LargeRecords(t *testing.T) {
	at := time.UnixMilli(1_795_000_000_000)
	objects := startLake(t)
	cluster := newCluster(t, kfake.BrokerConfigs(map[string]string{
		"group.initial.rebalance.delay.ms": "0", "message.max.bytes": "40000000", "max.message.bytes": "40000000"}))
	// To the byte: what just fits travels, one byte more is put aside.
	fits := bytes.Repeat([]byte("f"), sort.Search(batch.MaxEncodedBytes, func(size int) bool {
		return !new(batch.Encoder).Fits(&batch.Record{Offset: 9, Timestamp: at.UnixMilli(), Value: make([]byte, size)})
	})-1)
	tooLarge := bytes.Repeat([]byte("l"), batch.MaxEncodedBytes)
	largeKey := bytes.Repeat([]byte("k"), batch.MaxEncodedBytes)
	produce(t, cluster, topic, 0, 3)
	produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: []byte("small")})
	produceRecords(t, cluster, &kgo.Record{Topic: topic, Key: []byte("key"), Value: tooLarge})
	produceRecords(t, cluster, &kgo.Record{Topic: topic, Key: largeKey, Value: []byte("small"),
		Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("gate 4")}, {Key: "empty"}}})
	produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: []byte("v"), Headers: make([]kgo.RecordHeader, batch.MaxHeaders+1)})
	produce(t, cluster, topic, 0, 2)
	justTooLarge := append(bytes.Clone(fits), 'f')
	produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: fits, Timestamp: at})
	produceRecords(t, cluster, &kgo.Record{Topic: topic, Value: justTooLarge, Timestamp: at})

	c := config(cluster)
	c.LakeBucket = bucket
	transport := newRecorder(nil)
	start(t, c, transport)
	transport.wait(t, 11)
	transport.check(t, cluster, topic, 0, 0, 11)
	eventually(t, "all is committed", func() bool { return committed(cluster, topic, 0) == 11 })

	id := topicID(cluster, topic)
	content := func(name string) []byte {
		object, err := objects.GetObject(bucket, name)
		if err != nil {
			t.Fatal(err)
		}
		return object.Content
	}
	records := map[int64]batch.Record{}
	for _, b := range transport.batches {
		for _, r := range b.Records {
			records[r.Offset] = r
		}
	}
	if r := records[9]; !bytes.Equal(r.Value, fits) || r.ValueURI != "" {
		t.Error("the value that fits did not travel as it is")
	}
	manyHeaders := "[" + strings.Repeat(`{"key":"","value":null},`, batch.MaxHeaders) + `{"key":"","value":null}]`
	tests := []struct {
		offset                   int64
		key                      string
		value                    []byte
		keyInLake, headersInLake string
		largeInput               string
	}{
		{4, "key", tooLarge, "", "", "a value"},
		{5, "", []byte("small"), string(largeKey), `[{"key":"source","value":"Z2F0ZSA0"},{"key":"empty","value":null}]`, "a key"},
		{6, "", []byte("v"), "", manyHeaders, "headers"},
		{10, "", justTooLarge, "", "", "by a byte, a value"},
	}
	for _, test := range tests {
		r, name := records[test.offset], lake.QuarantineObject(topic, id, 0, test.offset)
		if r.Value != nil || string(r.Key) != test.key || r.ValueURI != "gs://lake/"+name || r.ValueSize != int64(len(test.value)) {
			t.Errorf("too large %s: the record in its place is %.200v", test.largeInput, r)
		}
		if !strings.HasPrefix(name, "quarantine/incidents/incidents-") || !bytes.Equal(content(name), test.value) {
			t.Errorf("too large %s: the object %s holds something else", test.largeInput, name)
		}
		// What else was put aside is found through the record itself.
		left := 0
		for header, want := range map[string]string{batch.HeaderKeyURI: test.keyInLake, batch.HeaderHeadersURI: test.headersInLake} {
			uri := string(r.Header(header))
			if uri != "" {
				left++
			}
			switch name, found := strings.CutPrefix(uri, "gs://lake/"); {
			case found != (want != ""):
				t.Errorf("too large %s: its header %s is %q", test.largeInput, header, uri)
			case found && string(content(name)) != want:
				t.Errorf("too large %s: the object %s holds something else", test.largeInput, name)
			}
		}
		if len(r.Headers) != left {
			t.Errorf("too large %s: it has the headers %.200v", test.largeInput, r.Headers)
		}
	}
}
