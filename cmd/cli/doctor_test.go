package cli

import (
	"context"
	"errors"
	"flag"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// examine has the doctor look at a machine that is made up.
func examine(t *testing.T, environment map[string]string, programs map[string]string, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	streams := Streams{Getenv: func(name string) string { return environment[name] }, Out: &out, Err: &strings.Builder{}}
	d := doctor{streams: streams,
		look: func(name string) (string, error) {
			if _, there := programs[name]; there {
				return "/bin/" + name, nil
			}
			return "", errors.New("none")
		},
		ask: func(_ context.Context, argv ...string) (string, error) {
			said, there := programs[argv[0]]
			if !there {
				return "", errors.New("none")
			}
			return said, nil
		}}
	err := d.run(t.Context(), args)
	var lines []string
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, "  ports  ") && !strings.Contains(line, "credentials") { // of this very machine
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ""), err
}

func TestDoctor(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	_ = listener.Close()

	all := map[string]string{"go": "go1.26.8", "git": "", "make": "", "terraform": "Terraform v1.11.4\non linux", "gcloud": "me@example.com"}
	got, err := examine(t, nil, all)
	want := `ok        Go           go1.26.8
ok        git          /bin/git
ok        make         /bin/make
ok        terraform    Terraform v1.11.4
ok        gcloud       me@example.com
unneeded  broker       none is named: set KAFKA_BOOTSTRAP_SERVERS, or start a local system with ` + "`stationflow up`" + `
unneeded  registry     none is named: only JSON is read: for Avro, Protobuf or JSON Schema set SCHEMA_REGISTRY_URL
unneeded  warehouse    no project is named: set GOOGLE_CLOUD_PROJECT, or start a local system with ` + "`stationflow up`" + `
`
	if diff := cmp.Diff(want, got); diff != "" || err != nil && !strings.Contains(err.Error(), "1 thing") { // a port may be in use here
		t.Errorf("%v %s", err, diff)
	}

	got, err = examine(t, map[string]string{"KAFKA_BOOTSTRAP_SERVERS": closed, "SCHEMA_REGISTRY_URL": "http://" + closed, "GOOGLE_CLOUD_PROJECT": "p", "BIGQUERY_EMULATOR_HOST": "http://" + closed},
		map[string]string{"go": "go1.25.9", "terraform": "Terraform v1.8.0", "gcloud": "(unset)"})
	for _, want := range []string{
		"missing   Go           go1.25.9 is too old: install Go 1.26 or newer from",
		"missing   git          it is not on the PATH: install it",
		"unneeded  terraform    Terraform v1.8.0 is too old: to deploy, install 1.9 or newer",
		"unneeded  gcloud       nobody is logged in: log in with `gcloud auth login`",
		"missing   broker       no Kafka broker can be reached at " + closed,
		"missing   registry     ",
		"missing   warehouse    nothing listens at " + closed,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("does not say %q:\n%s", want, got)
		}
	}
	if !errors.Is(err, errUnfit) || strings.Count(got, "\n") != 8 {
		t.Errorf("%v, %d lines", err, strings.Count(got, "\n"))
	}

	got, err = examine(t, nil, all, "--cloud")
	if !errors.Is(err, errUnfit) || !strings.Contains(got, "missing   broker       none is named") {
		t.Errorf("of a project: %v, %s", err, got)
	}
	if _, err := examine(t, nil, all, "--help"); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	if got, _ := examine(t, nil, all, "--json"); !strings.Contains(got, `"what": "Go",`) || !strings.Contains(got, `"state": "ok",`) {
		t.Error(got)
	}
}

func TestOlder(t *testing.T) {
	for version, want := range map[string]bool{"go1.26": false, "go1.26.8": false, "go1.27rc1": false, "go2.0": false, "go1.9.1": true, "go1.25.9": true, "devel": true} {
		if older(version, leastGo) != want {
			t.Errorf("%s older than %s: %v", version, leastGo, !want)
		}
	}
}
