package pubsub

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kept is what a journal holds, as text: message, data and who still needs it.
func kept(live map[uint64]*message) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(live)) {
		out = append(out, fmt.Sprintf("%d %s %s", id, live[id].pb.Data, strings.Join(live[id].pending, "+")))
	}
	return out
}

func openTestJournal(t *testing.T, path string) (*journal, map[uint64]*message) {
	t.Helper()
	j, live, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.end() })
	return j, live
}

// writeTestJournal writes three publishes and two acknowledgements, and returns the file's size after each.
func writeTestJournal(t *testing.T, path string) (sizes []int64) {
	t.Helper()
	j, _ := openTestJournal(t, path)
	step := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, j.size)
	}
	step(j.publish([]*message{newMessage(1, text("a"), []string{"x", "y"}), newMessage(2, text("b"), []string{"x"})}))
	step(j.publish([]*message{newMessage(3, text("c"), []string{"y"})}))
	step(j.appendDone(1, "x"))
	step(j.appendDone(2, "x"))
	step(j.publish([]*message{newMessage(4, text("d"), []string{"x"})}))
	return sizes
}

func TestJournal_Reopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages.log")
	writeTestJournal(t, path)
	_, live := openTestJournal(t, path)
	if diff := cmp.Diff([]string{"1 a y", "3 c y", "4 d x"}, kept(live)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// TestJournal_TornAnywhere cuts the file at every byte: all writes before the cut are there, and the journal goes on.
func TestJournal_TornAnywhere(t *testing.T) {
	dir := t.TempDir()
	sizes := writeTestJournal(t, filepath.Join(dir, "whole"))
	whole, err := os.ReadFile(filepath.Join(dir, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	after := [][]string{nil, {"1 a x+y", "2 b x"}, {"1 a x+y", "2 b x", "3 c y"}, {"1 a y", "2 b x", "3 c y"}, {"1 a y", "3 c y"}, {"1 a y", "3 c y", "4 d x"}}
	for size := range whole {
		path := filepath.Join(dir, fmt.Sprint(size))
		if err := os.WriteFile(path, whole[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		j, live := openTestJournal(t, path)
		want := after[len(slices.DeleteFunc(slices.Clone(sizes), func(s int64) bool { return s > int64(size) }))]
		got := kept(live)
		if len(want) == 0 && len(got) == 1 {
			got = nil // the first write has two messages: one may be whole
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cut at byte %d (-want +got):\n%s", size, diff)
		}
		if err := j.publish([]*message{newMessage(9, text("new"), []string{"x"})}); err != nil {
			t.Fatal(err)
		}
		if _, live := openTestJournal(t, path); live[9] == nil {
			t.Fatalf("cut at byte %d: a message written after the cut is lost", size)
		}
	}
}

// TestJournal_CorruptedAnywhere changes each byte in turn: reading stops there instead of believing it.
func TestJournal_CorruptedAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages.log")
	writeTestJournal(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x20
		live, size, err := replay(bytes.NewReader(damaged), int64(len(damaged)))
		if err != nil || size > int64(at) {
			t.Fatalf("byte %d is damaged, and %d bytes were read, %v", at, size, err)
		}
		for _, m := range live {
			if m.id > 4 || len(m.pb.Data) != 1 {
				t.Fatalf("byte %d is damaged: message %d came out as %q", at, m.id, m.pb.Data)
			}
		}
	}
}

// TestStore_IDsGrow gives out no id that a recovered message has, even when the clock was set back.
func TestStore_IDsGrow(t *testing.T) {
	const future = 1 << 62
	s := newStore(Config{}, nil, map[uint64]*message{future: newMessage(future, text("a"), []string{"x"})})
	if first, next := s.nextIDs(3), s.nextIDs(1); first != future+1 || next != first+3 {
		t.Errorf("ids %d and %d, want %d and three more", first, next, future+1)
	}
}

// TestJournal_Compaction writes and acknowledges until the file is rewritten: it shrinks to what is live.
func TestJournal_Compaction(t *testing.T) {
	dir := t.TempDir()
	cfg, err := Config{DataDir: dir}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	first := newMessage(1, text("first"), []string{"x", "y"})
	if err := s.add([]*message{first}, false); err != nil {
		t.Fatal(err)
	}
	s.done(first, "x")
	body := string(bytes.Repeat([]byte("x"), 4<<20))
	for id := uint64(2); id < 40; id++ {
		m := newMessage(id, text(body), []string{"x"})
		if err := s.add([]*message{m}, false); err != nil {
			t.Fatal(err)
		}
		s.done(m, "x")
		if s.journal.size > minWastefulBytes+5<<20 {
			t.Fatalf("the file has %d bytes for one small message", s.journal.size)
		}
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	_, live := openTestJournal(t, filepath.Join(dir, "messages.log"))
	if diff := cmp.Diff([]string{"1 first y"}, kept(live)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// TestJournal_FailedWrite lets a write fail: the error is told, and what was written before stays readable.
func TestJournal_FailedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages.log")
	writeTestJournal(t, path)
	j, before := openTestJournal(t, path)
	if err := j.file.Close(); err != nil {
		t.Fatal(err)
	}
	message := []*message{newMessage(9, text("new"), []string{"x"})}
	for range 2 {
		if j.publish(message) == nil {
			t.Fatal("a write to a closed file succeeded")
		}
	}
	_, after := openTestJournal(t, path)
	if diff := cmp.Diff(kept(before), kept(after)); diff != "" {
		t.Errorf("kept (-before +after):\n%s", diff)
	}
}

// FuzzReplay reads any bytes without harm, and never claims more than there is.
func FuzzReplay(f *testing.F) {
	record, err := appendPublished(nil, newMessage(7, text("a"), []string{"x"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	b, start := beginRecord(bytes.Clone(record), recordDone, 7)
	f.Add(endRecord(append(b, 'x'), start))
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, size, _ := replay(bytes.NewReader(in), int64(len(in))); size > int64(len(in)) {
			t.Errorf("%d bytes read of %d", size, len(in))
		}
		// The same bytes as a whole record reach the parser behind the checksum.
		whole := endRecord(append(make([]byte, recordHeaderBytes), in...), 0)
		_, _, _ = replay(bytes.NewReader(whole), int64(len(whole)))
	})
}
