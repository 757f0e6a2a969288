package deadletter

import (
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestCause_ThroughAttributes(t *testing.T) {
	original := map[string]string{"ce-id": "1", "Content-Type": "application/avro", "a": "b"}
	for _, cause := range []Cause{
		{},
		{Attempts: 20, Since: time.Date(2026, 11, 22, 7, 30, 0, 123e6, time.UTC), Source: "bridge g", Reason: "answered 422"},
	} {
		attributes := cause.Attributes()
		maps.Copy(attributes, original)
		if got := CauseOf(attributes); got.Attempts != cause.Attempts || !got.Since.Equal(cause.Since) || got.Source != cause.Source || got.Reason != cause.Reason {
			t.Errorf("got %+v, want %+v", got, cause)
		}
		if got := Original(attributes); !maps.Equal(got, original) {
			t.Errorf("got %v back, want %v", got, original)
		}
	}
}

// A reason may be any answer of any server.
func TestCause_FitsAnAttribute(t *testing.T) {
	for _, reason := range []string{strings.Repeat("é", 2000), "x" + strings.Repeat("é", 2000), "\xff\xfe", "two\r\nlines"} {
		got := Cause{Reason: reason}.Attributes()["stationflow-dead-letter-reason"]
		if got == "" || len(got) > maxValueBytes || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%.20q: %d bytes: %.20q", reason, len(got), got)
		}
	}
}
