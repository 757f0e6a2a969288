package event

import (
	"slices"
	"strings"
	"testing"
)

// What other formats put into extra may be deeper than JSON may be, and have a
// key twice.
func TestExtraNames(t *testing.T) {
	for extra, want := range map[string][]string{
		`{"a":1,"b":{"c":[2]}}`:     {"a", "b"},
		`{"a":1,"b":{"c":1,"c":2}}`: {"a"},
		`{"a":1,"b":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `,"c":1}`: {"a"},
	} {
		var got []string
		ExtraNames([]byte(extra), func(name []byte) { got = append(got, string(name)) })
		if !slices.Equal(got, want) {
			t.Errorf("%.40s has %q, want %q", extra, got, want)
		}
	}
}
