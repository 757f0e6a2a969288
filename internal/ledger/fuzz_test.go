package ledger

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadCoordinates holds a reader against damage: a file is never a crash,
// and one that nothing happened to gives what was written.
func FuzzReadCoordinates(f *testing.F) {
	f.Add([]byte("incidents"), uint64(1))
	f.Add([]byte{}, uint64(2))
	f.Fuzz(func(t *testing.T, damage []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		rows := make([]stored, 1+random.IntN(60))
		want := map[Place][]int64{}
		for i := range rows {
			rows[i] = stored{"incidents", incidents, random.Int64N(3), random.Int64N(1000), "some text"}
			place := Place{rows[i].Topic, rows[i].TopicID, rows[i].Partition}
			want[place] = append(want[place], rows[i].Offset)
		}
		content := file(t, rows...)
		got, err := coordinates(content)
		if err != nil {
			t.Fatal(err)
		}
		for place, offsets := range want {
			if diff := cmp.Diff(Offsets(offsets), got[place]); diff != "" {
				t.Fatal(diff)
			}
		}
		damaged := bytes.Clone(content)
		for i := 0; i+1 < len(damage); i += 2 {
			damaged[(int(damage[i])<<8|random.IntN(256))%len(damaged)] ^= damage[i+1]
		}
		_, _ = coordinates(damaged)                                     // whatever it says, it returns
		_, _ = coordinates(append(damage, content[len(content)-8:]...)) // a footer of other bytes
	})
}
