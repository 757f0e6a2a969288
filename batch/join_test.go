package batch

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// What is joined is what would have been added, compressed or not.
func TestEncoder_Join(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		compress := round%2 == 0
		whole := Encoder{Compress: compress}
		want := Batch{ClusterID: "c", Topic: "incidents", TopicID: "0f9b3c1e-5a7d-4e21-8c44-d2b6a1907e53", Lane: LakeLane}
		next := make([]int64, 4)
		for range 1 + random.IntN(6) {
			part := Encoder{Compress: compress}
			for range 1 + random.IntN(500) {
				p := random.IntN(len(next))
				r := Record{Partition: int32(p), Offset: next[p], Timestamp: random.Int64N(1 << 40), Value: make([]byte, random.IntN(2000))}
				for i := range r.Value {
					r.Value[i] = byte(random.IntN(40))
				}
				next[p] += 1 + random.Int64N(20)
				part.Add(&r)
				want.Records = append(want.Records, r)
			}
			if !whole.Joins(&part) {
				t.Fatal("it does not join")
			}
			size := whole.Size() + part.Size()
			whole.Join(&part)
			if !reflect.DeepEqual(whole.Ranges(), want.Ranges()) || whole.Records() != len(want.Records) || whole.Size() > size {
				t.Fatalf("%d records of %d, ranges %s, %d bytes of at most %d", whole.Records(), len(want.Records), whole.Ranges(), whole.Size(), size)
			}
		}
		got, err := FromEvent(whole.Event(&want, time.Unix(0, 0), ""))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Records, want.Records) {
			t.Fatal("the records are others")
		}
	}
}

// A join that would pass a limit is refused.
func TestEncoder_JoinsWithinTheLimits(t *testing.T) {
	filled := func(records int, partition int32, size int) *Encoder {
		var e Encoder
		for i := range records {
			e.Add(&Record{Partition: partition + int32(i), Offset: 1 << 60, Value: make([]byte, size)})
		}
		return &e
	}
	many := func(records, size int) *Encoder {
		var e Encoder
		for i := range records {
			e.Add(&Record{Offset: int64(i), Value: make([]byte, size)})
		}
		return &e
	}
	for name, two := range map[string][2]*Encoder{
		"records": {many(MaxRecords, 0), many(1, 0)},
		"bytes":   {many(4, 1<<20), many(4, 1<<20)},
		"ranges":  {filled(20, 0, 0), filled(20, 20, 0)},
	} {
		if two[0].Joins(two[1]) {
			t.Errorf("too many %s are joined", name)
		}
	}
	if !filled(20, 0, 0).Joins(filled(20, 0, 0)) {
		t.Error("the same partitions are not joined")
	}
}
