package dbtequal

import (
	"os"
	"strconv"
	"testing"
)

// number is a whole number of the environment, or the fallback.
func number(t testing.TB, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	check(t, err)
	return n
}
