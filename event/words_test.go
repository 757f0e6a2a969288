package event

import (
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// What is looked at in words is what is looked at byte by byte.
func TestWords_AreAsTheirBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		checkWords(t, randomBytes(random))
	}
}

func FuzzWords(f *testing.F) {
	f.Add([]byte(`a "text" \n`))
	f.Add([]byte("0123456789abcdef\x1f\x20\x7f\x80\xff\x00"))
	f.Fuzz(checkWords)
}

func checkWords(t *testing.T, data []byte) {
	ascii := true
	for _, c := range data {
		ascii = ascii && c < utf8.RuneSelf
	}
	if isASCII(data) != ascii {
		t.Fatalf("%q: is it ASCII? %v, want %v", data, !ascii, ascii)
	}
	for at := range len(data) + 1 {
		if padded := append(data[at:len(data):len(data)], make([]byte, 8)...); len(data) >= 8 && wordAt(data, at) != wordOf(padded) {
			t.Fatalf("%q at %d: the word is %x", data, at, wordAt(data, at))
		}
	}
	for start := range len(data) + 1 {
		first := start
		for first < len(data) && plain[data[first]] {
			first++
		}
		at := plainUntil(data, start)
		if at > first || at < first && len(data)-at >= 8 {
			t.Fatalf("%q from %d: looked up to %d, want %d", data, start, at, first)
		}
	}
}

// randomBytes are mostly plain ones, with some next to what ends a text.
func randomBytes(random *rand.Rand) []byte {
	data := make([]byte, random.IntN(80))
	for i := range data {
		data[i] = byte('a' + random.IntN(26))
		if random.IntN(12) == 0 {
			data[i] = []byte{'"', '\\', 0, 0x1f, ' ', '!', '#', '[', ']', 0x7f, 0x80, 0xa2, 0xdc, 0xff}[random.IntN(14)]
		}
	}
	return data
}
