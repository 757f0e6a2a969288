package lake

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
)

func sample() *batch.Batch {
	return &batch.Batch{
		ClusterID: "c", Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Partition: 3,
		Records: []batch.Record{
			{Offset: 41, Timestamp: 1000, Key: []byte("a"), Value: []byte("one")},
			{Offset: 42, Timestamp: 1001, Key: nil, Value: []byte("two")},
			{Offset: 9_000_000_000, Timestamp: -1, Key: []byte{}, Value: nil},
		},
	}
}

func TestNames(t *testing.T) {
	b := sample()
	paris := time.FixedZone("", 3600)
	at := time.Date(2026, 11, 23, 0, 59, 59, 0, paris) // the day before in UTC
	if got, want := RawObject(b, at), "raw/incidents/dt=2026-11-22/hour=23/incidents-0f9b3c52-00003-00000000000000000041-00000000009000000000.parquet"; got != want {
		t.Errorf("raw object\n%s, want\n%s", got, want)
	}
	if got, want := QuarantineObject("incidents", b.TopicID, 3, 42), "quarantine/incidents/incidents-0f9b3c52-00003-00000000000000000042.bin"; got != want {
		t.Errorf("quarantine object\n%s, want\n%s", got, want)
	}
	if got, want := QuarantineKeyObject("incidents", b.TopicID, 3, 42), "quarantine/incidents/incidents-0f9b3c52-00003-00000000000000000042.key.bin"; got != want {
		t.Errorf("quarantine key object\n%s, want\n%s", got, want)
	}
	if got, want := QuarantineBatch(b), "quarantine/incidents/incidents-0f9b3c52-00003-00000000000000000041-00000000009000000000.parquet"; got != want {
		t.Errorf("quarantined batch\n%s, want\n%s", got, want)
	}
	if got, want := URI("lake", "a/b"), "gs://lake/a/b"; got != want {
		t.Errorf("URI %s, want %s", got, want)
	}
}

// Every part of the source has a say in the digest, and nothing else has.
func TestDigest(t *testing.T) {
	digest := Digest(sample())
	if digest != Digest(sample()) {
		t.Fatal("the same records have two digests")
	}
	// Objects in a lake carry digests: the algorithm cannot change unnoticed.
	if want := uint64(0x344a0f612c939a3b); digest != want {
		t.Errorf("digest %#x, want %#x", digest, want)
	}
	for name, change := range map[string]func(b *batch.Batch){
		"topic id":        func(b *batch.Batch) { b.TopicID = strings.Replace(b.TopicID, "0", "1", 1) },
		"partition":       func(b *batch.Batch) { b.Partition++ },
		"offset":          func(b *batch.Batch) { b.Records[1].Offset++ },
		"timestamp":       func(b *batch.Batch) { b.Records[1].Timestamp++ },
		"key":             func(b *batch.Batch) { b.Records[0].Key = []byte("b") },
		"null key":        func(b *batch.Batch) { b.Records[2].Key = nil },
		"value":           func(b *batch.Batch) { b.Records[0].Value = []byte("onE") },
		"empty value":     func(b *batch.Batch) { b.Records[2].Value = []byte{} },
		"moved bytes":     func(b *batch.Batch) { b.Records[0].Key, b.Records[0].Value = []byte("ao"), []byte("ne") },
		"record left out": func(b *batch.Batch) { b.Records = b.Records[:2] },
		"value in lake":   func(b *batch.Batch) { b.Records[2].ValueURI, b.Records[2].ValueSize = "gs://x", 1 },
	} {
		b := sample()
		if change(b); Digest(b) == digest {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

// A selection tells which offsets there are, and is never that of an object
// which has none.
func TestSelection(t *testing.T) {
	seen := make(map[uint64][]int64)
	for _, offsets := range [][]int64{{}, {41}, {42}, {41, 42}, {41, 42, 43}, {41, 43}, {0}} {
		s := Selection(slices.Values(offsets))
		if s == 0 || s != Selection(slices.Values(offsets)) || seen[s] != nil {
			t.Errorf("the selection of %v is %#x, and that of %v", offsets, s, seen[s])
		}
		seen[s] = append(offsets, -1)
	}
}
