package cli

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

func TestVersion_OfABuild(t *testing.T) {
	platform := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	for _, test := range []struct {
		name     string
		settings map[string]string
		want     string
		time     string // as JSON
	}{
		{"a commit", map[string]string{"vcs.revision": "1edea26", "vcs.modified": "false", "vcs.time": "2026-11-23T09:46:00Z"},
			"stationflow devel, commit 1edea26 of 2026-11-23, " + platform, `"2026-11-23T09:46:00Z"`},
		{"with changes", map[string]string{"vcs.revision": "1edea26", "vcs.modified": "true"},
			"stationflow devel, commit 1edea26 with changes, " + platform, "null"},
		{"outside of git", nil, "stationflow devel, commit unknown, " + platform, "null"},
	} {
		info := &debug.BuildInfo{}
		for key, value := range test.settings {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
		}
		if got := versionOf(info).String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if text, err := json.Marshal(versionOf(info)); err != nil || !strings.Contains(string(text), `"time":`+test.time+`,`) {
			t.Errorf("%s: %s (%v), want the time %s", test.name, text, err, test.time)
		}
	}
}

func TestVersion_Flags(t *testing.T) {
	run := func(args ...string) (int, string, string) {
		var out, errs strings.Builder
		streams := Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &errs}
		code := Main(t.Context(), append([]string{"version"}, args...), streams, Commands())
		return code, out.String(), errs.String()
	}
	if code, out, errs := run(); code != 0 || !strings.HasPrefix(out, "stationflow devel, commit ") || errs != "" {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	code, out, _ := run("--json")
	var said struct {
		Version, Commit, Go, Platform string
		Modified                      bool
		Time                          time.Time
	}
	if err := json.Unmarshal([]byte(out), &said); code != 0 || err != nil || said.Version != "devel" || said.Go != runtime.Version() || said.Platform == "" {
		t.Errorf("exit code %d, %v, %q", code, err, out)
	}
	if code, _, errs := run("now"); code != 2 || !strings.Contains(errs, `unexpected argument "now"`) {
		t.Errorf("exit code %d, %q", code, errs)
	}
}
