// Package cloudlog writes structured logs as Cloud Logging reads them from a
// container's output.
package cloudlog

import (
	"io"
	"log/slog"
)

// IsRead reports whether Cloud Logging reads the output of this process, as it
// does on Cloud Run, which sets K_SERVICE for a service or a function, and
// CLOUD_RUN_WORKER_POOL in a worker pool.
func IsRead(getenv func(string) string) bool {
	return getenv("K_SERVICE") != "" || getenv("CLOUD_RUN_WORKER_POOL") != ""
}

// New returns a logger that writes one JSON object a line to w, with the
// field names that Cloud Logging gives a meaning
// (https://cloud.google.com/logging/docs/structured-logging).
func New(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: rename}))
}

func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		if level, ok := a.Value.Any().(slog.Level); ok && level == slog.LevelWarn {
			a.Value = slog.StringValue("WARNING")
		}
	}
	return a
}
