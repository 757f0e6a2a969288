package garbage

import (
	"runtime/debug"
	"testing"
)

func TestBound(t *testing.T) {
	was := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(was) })
	for _, test := range []struct {
		set  string
		want int
	}{{"", Percent}, {"100", 100}, {"off", 100}} {
		debug.SetGCPercent(100)
		Bound(func(name string) string { return map[string]string{"GOGC": test.set}[name] })
		if got := debug.SetGCPercent(100); got != test.want {
			t.Errorf("GOGC=%q: collects at %d percent, want %d", test.set, got, test.want)
		}
	}
}
