package lake

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/stationflow/stationflow/batch"
)

func sample() *batch.Batch {
	return &batch.Batch{
		ClusterID: "c", Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", V1: true,
		Records: []batch.Record{
			{Partition: 3, Offset: 41, Timestamp: 1000, Key: []byte("a"), Value: []byte("one")},
			{Partition: 3, Offset: 42, Timestamp: 1001, Key: nil, Value: []byte("two")},
			{Partition: 3, Offset: 9_000_000_000, Timestamp: -1, Key: []byte{}, Value: nil},
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
	b.V1 = false
	b.Records[1].Partition = 11
	for _, lane := range []batch.Lane{batch.LakeLane, batch.BothLanes} { // the ranges are 3:41-9000000000,11:42-42
		b.Lane = lane
		if got, want := RawObject(b, at), "raw/incidents/dt=2026-11-22/hour=23/incidents-0f9b3c52-47031c8fd65cfa14.parquet"; got != want {
			t.Errorf("raw object\n%s, want\n%s", got, want)
		}
		if got, want := QuarantineBatch(b), "quarantine/incidents/incidents-0f9b3c52-47031c8fd65cfa14.parquet"; got != want {
			t.Errorf("quarantined batch\n%s, want\n%s", got, want)
		}
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
		"partition":       func(b *batch.Batch) { b.Records[0].Partition++ },
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

// How records of several partitions alternate depends on the delivery, and has
// no say; which partition a record is of has.
// The digest of a batch of one partition is the hash of all its bytes, however
// long the values are.
func TestDigest_IsTheHashOfAllBytes(t *testing.T) {
	b := &batch.Batch{TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"}
	var plain []byte
	number := func(n int) { plain = binary.LittleEndian.AppendUint64(plain, uint64(n)) }
	value := func(v []byte) {
		number(len(v))
		plain = append(plain, v...)
	}
	value([]byte(b.TopicID))
	number(5)
	for i, size := range []int{0, 1, 900, 1 << 10, 1<<10 - 8, 1<<10 + 1, 3000, 7, 1016} {
		r := batch.Record{Partition: 5, Offset: int64(i), Timestamp: int64(9 * i), Value: bytes.Repeat([]byte{byte(i)}, size)}
		b.Records = append(b.Records, r)
		number(i)
		number(9 * i)
		number(-1) // there is no key
		value(r.Value)
	}
	if got, want := Digest(b), xxhash.Sum64(plain); got != want {
		t.Errorf("digest %x, want %x", got, want)
	}
}

func TestDigest_OfSeveralPartitions(t *testing.T) {
	record := func(partition int32, offset int64) batch.Record {
		return batch.Record{Partition: partition, Offset: offset, Value: []byte("v")}
	}
	of := func(records ...batch.Record) uint64 {
		return Digest(&batch.Batch{Topic: "incidents", TopicID: "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11", Records: records})
	}
	digest := of(record(3, 41), record(3, 42), record(11, 42))
	if want := uint64(0xdfb31043804c2cef); digest != want {
		t.Errorf("digest %#x, want %#x", digest, want)
	}
	if of(record(3, 41), record(11, 42), record(3, 42)) != digest || of(record(11, 42), record(3, 41), record(3, 42)) != digest {
		t.Error("the digest depends on how partitions alternate")
	}
	for name, other := range map[string]uint64{
		"one partition":      of(record(3, 41), record(3, 42), record(3, 43)),
		"another partition":  of(record(3, 41), record(3, 42), record(12, 42)),
		"exchanged":          of(record(11, 41), record(11, 42), record(3, 42)),
		"moved to the other": of(record(3, 41), record(11, 41), record(11, 42)),
	} {
		if other == digest {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

// A selection tells which records there are, and is never that of an object
// which has none.
func TestSelection(t *testing.T) {
	type at struct {
		partition int32
		offset    int64
	}
	selection := func(of []at) uint64 {
		return Selection(func(yield func(int32, int64) bool) {
			for _, c := range of {
				if !yield(c.partition, c.offset) {
					return
				}
			}
		})
	}
	seen := make(map[uint64][]at)
	for _, of := range [][]at{{}, {{3, 41}}, {{3, 42}}, {{3, 41}, {3, 42}}, {{3, 41}, {3, 42}, {3, 43}}, {{3, 41}, {3, 43}}, {{3, 0}},
		{{3, 41}, {11, 42}}, {{3, 42}, {11, 41}}, {{3, 41}, {11, 42}, {11, 43}}, {{3, 41}, {12, 42}}} {
		s := selection(of)
		if s == 0 || s != selection(of) || seen[s] != nil {
			t.Errorf("the selection of %v is %#x, and that of %v", of, s, seen[s])
		}
		seen[s] = append(of, at{-1, -1})
	}
	if selection([]at{{3, 41}, {11, 7}, {3, 42}}) != selection([]at{{11, 7}, {3, 41}, {3, 42}}) {
		t.Error("the selection depends on how partitions alternate")
	}
}
