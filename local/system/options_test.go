package system_test

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/local/system"
)

func TestParseOptions(t *testing.T) {
	for name, test := range map[string]struct {
		command string
		args    []string
		want    func(system.Options) bool
	}{
		"demo has the stations":    {"demo", nil, func(o system.Options) bool { return o.Simulate && o.Port == 8080 }},
		"up has none":              {"up", nil, func(o system.Options) bool { return !o.Simulate && o.Transport == "pubsub" }},
		"up with stations":         {"up", []string{"--simulate", "--for", "60s"}, func(o system.Options) bool { return o.Simulate && o.For == time.Minute }},
		"straight to the function": {"up", []string{"--transport", "http"}, func(o system.Options) bool { return o.Transport == "http" }},
		"a bridge that stays":      {"up", nil, func(o system.Options) bool { return o.Idle == "stay" }},
		"a bridge that sleeps":     {"up", []string{"--idle", "stop"}, func(o system.Options) bool { return o.Idle == "stop" }},
		"functions run elsewhere":  {"up", []string{"--without", "functions", "--functions", "http://127.0.0.1:1"}, func(o system.Options) bool { return o.FunctionsURL == "http://127.0.0.1:1" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := system.ParseOptions(test.command, test.args, &bytes.Buffer{})
			if err != nil || !test.want(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// Every mistake is named, all of them at once.
func TestParseOptions_NamesMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"unknown flag":            {[]string{"--nonsense"}, []string{": --nonsense", "see stationflow up --help"}},
		"an argument":             {[]string{"now"}, []string{`"now"`}},
		"several":                 {[]string{"--port", "70000", "--transport", "pigeon", "--simulate", "--speed", "0"}, []string{"--port is 70000", `--transport is "pigeon"`, "--speed is 0"}},
		"a variable not set":      {[]string{"--data", "", "--kafka="}, []string{"--data is empty", "--kafka is empty"}},
		"pace of nothing":         {[]string{"--speed", "5", "--seed", "2"}, []string{"--speed is for the simulated stations: add --simulate", "--seed is for"}},
		"unknown part":            {[]string{"--without", "kafka"}, []string{`--without is "kafka"`}},
		"unknown rest":            {[]string{"--idle", "sleep"}, []string{`--idle is "sleep": use stay or stop`}},
		"nothing to stop":         {[]string{"--idle", "stop", "--without", "bridge"}, []string{"leave out --without bridge"}},
		"functions without a URL": {[]string{"--without", "functions"}, []string{"--functions http://host:port"}},
		"a URL without need":      {[]string{"--functions", "http://127.0.0.1:1"}, []string{"--functions goes with"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := system.ParseOptions("up", test.args, &bytes.Buffer{})
			if program.ExitCode(err) != 2 {
				t.Fatalf("%v is not a mistake in the call", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q, want it to name %q", err, want)
				}
			}
		})
	}
}

func TestParseOptions_Help(t *testing.T) {
	var output bytes.Buffer
	_, err := system.ParseOptions("up", []string{"--help"}, &output)
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("got %v, want flag.ErrHelp", err)
	}
	for _, name := range []string{"simulate", "for", "endpoints", "port", "data", "kafka", "transport"} {
		if !strings.Contains(output.String(), "--"+name) {
			t.Errorf("the help does not name --%s", name)
		}
	}
}
