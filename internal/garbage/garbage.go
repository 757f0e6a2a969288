// Package garbage says how soon Go collects garbage in the programs that are
// deployed.
package garbage

import "runtime/debug"

// Percent is how much garbage there may be, in percent of what is in use. What
// these programs hold are few large blocks without pointers, which cost little
// to look through: 75 instead of Go's 100 takes a tenth of the memory away,
// and no processor time that could be measured (docs/benchmarks.md).
const Percent = 75

// Bound has Go collect sooner than by default, unless GOGC says when.
func Bound(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(Percent)
	}
}
