package cloudlog

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
)

func TestNew(t *testing.T) {
	for level, severity := range map[slog.Level]string{slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING", slog.LevelError: "ERROR"} {
		var line bytes.Buffer
		New(&line).With("topic", "incidents").Log(t.Context(), level, "batch ingested", slog.Group("g", slog.String("level", "kept")))
		var got map[string]any
		if err := json.Unmarshal(line.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got["severity"] != severity || got["message"] != "batch ingested" || got["topic"] != "incidents" || got["time"] == nil ||
			got["g"].(map[string]any)["level"] != "kept" {
			t.Errorf("level %v is logged as %s", level, line.String())
		}
	}
}
