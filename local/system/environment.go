package system

import (
	"fmt"
	"os"
	"strings"
)

// overlay looks variables up in settings (NAME=value) first, then in getenv.
func overlay(getenv func(string) string, settings []string) func(string) string {
	values := make(map[string]string, len(settings))
	for _, variable := range settings {
		name, value := cut(variable)
		values[name] = value
	}
	return func(name string) string {
		if value, ok := values[name]; ok {
			return value
		}
		return getenv(name)
	}
}

// export puts settings into the environment of this process, where the
// functions and Google's clients look for them.
func export(settings []string) error {
	for _, variable := range settings {
		name, value := cut(variable)
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

func cut(variable string) (name, value string) {
	name, value, _ = strings.Cut(variable, "=")
	return name, value
}

// host is the host:port of an http URL.
func host(url string) string { return strings.TrimPrefix(url, "http://") }
