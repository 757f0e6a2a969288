// Package env reads configuration from environment variables. It collects
// every fault, so that a person sees all of them at once, each with the
// variable's name and the remedy.
package env

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Reader reads variables through a lookup function, os.Getenv in a process
// and a map in a test. It is not safe for concurrent use.
type Reader struct {
	getenv func(string) string
	faults []error
}

// NewReader returns a Reader over getenv.
func NewReader(getenv func(string) string) *Reader { return &Reader{getenv: getenv} }

// Err returns every fault found so far, joined, or nil.
func (r *Reader) Err() error { return errors.Join(r.faults...) }

// Fault records what is wrong with a variable; the text completes the
// sentence that begins with its name.
func (r *Reader) Fault(name, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s "+format, append([]any{name}, args...)...))
}

// String returns the variable, or fallback when it is empty.
func (r *Reader) String(name, fallback string) string {
	if value := strings.TrimSpace(r.getenv(name)); value != "" {
		return value
	}
	return fallback
}

// Text is String for a variable that may be nothing on purpose: one that is set
// to nothing in the process's environment, or to white space, gives "".
func (r *Reader) Text(name, fallback string) string {
	value := r.getenv(name)
	if _, isSet := os.LookupEnv(name); value == "" && isSet || value != "" && strings.TrimSpace(value) == "" {
		return ""
	}
	return r.String(name, fallback)
}

// Required returns the variable; an empty one is a fault. remedy says what to
// set it to.
func (r *Reader) Required(name, remedy string) string {
	value := r.String(name, "")
	if value == "" {
		r.Fault(name, "is not set: %s", remedy)
	}
	return value
}

// OneOf returns the variable, which must be one of allowed; the first is the
// fallback.
func (r *Reader) OneOf(name string, allowed ...string) string {
	value := r.String(name, allowed[0])
	for _, a := range allowed {
		if value == a {
			return value
		}
	}
	r.Fault(name, "is %q: set it to one of %s", value, strings.Join(allowed, ", "))
	return allowed[0]
}

// Int returns the variable as a whole number within [least, most].
func (r *Reader) Int(name string, fallback, least, most int64) int64 {
	text := r.String(name, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		r.Fault(name, "is %q: set it to a whole number from %d to %d", text, least, most)
		return fallback
	}
	return n
}

// Duration returns the variable as a Go duration within [least, most].
func (r *Reader) Duration(name string, fallback, least, most time.Duration) time.Duration {
	text := r.String(name, "")
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		r.Fault(name, "is %q: set it to a duration from %v to %v, for example %v", text, least, most, fallback)
		return fallback
	}
	return d
}

// List returns the variable's comma-separated items, or fallback when it is
// empty.
func (r *Reader) List(name string, fallback ...string) []string {
	text := r.String(name, "")
	if text == "" {
		return fallback
	}
	var items []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Location returns the variable as an IANA time zone.
func (r *Reader) Location(name, fallback string) *time.Location {
	text := r.String(name, fallback)
	location, err := time.LoadLocation(text)
	if err != nil {
		r.Fault(name, "is %q: set it to an IANA time zone such as Europe/Paris", text)
		return time.UTC
	}
	return location
}

// A Secret prints as *** wherever it might be logged; Reveal returns it.
type Secret string

// String hides the secret from every fmt verb that prints strings.
func (Secret) String() string { return "***" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "***" }

// MarshalText hides the secret from encoders, slog's JSON among them.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }
