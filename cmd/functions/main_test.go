package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
)

// environment returns one that the functions can start with, but for changes.
func environment(changes ...string) func(string) string {
	values := map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b"}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func TestRun_NamesTheRemedyOfAPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	err = run(t.Context(), environment("FUNCTION_HOST=127.0.0.1", "PORT="+port))
	if err == nil || !strings.Contains(err.Error(), "port "+port+" is in use: end what listens there, or set PORT to a free one") {
		t.Errorf("the error is %v", err)
	}
}

// Only this machine is served, unless somebody says otherwise: the rule that
// the bridge has.
func TestAddress(t *testing.T) {
	for changes, want := range map[string]string{
		"":                                  "127.0.0.1:8080",
		"PORT=9000":                         ":9000",
		"PORT=8080 K_SERVICE=ingest":        ":8080",
		"FUNCTION_HOST=127.0.0.1 PORT=9000": "127.0.0.1:9000",
		"FUNCTION_HOST=0.0.0.0":             "0.0.0.0:8080",
		"FUNCTION_HOST=::1 PORT=9000":       "[::1]:9000",
	} {
		host, port := address(environment(strings.Fields(changes)...))
		if got := net.JoinHostPort(host, port); got != want {
			t.Errorf("%q: %s, want %s", changes, got, want)
		}
	}
}

// What is missing or wrong ends the program before it serves anything, with a
// sentence for each fault.
func TestRun_NamesWhatIsMissing(t *testing.T) {
	const project = "GOOGLE_CLOUD_PROJECT is not set: set it to the id of the Google Cloud project"
	const bucket = "LAKE_BUCKET is not set: set it to the name of the lake's Cloud Storage bucket"
	const zone = `STATION_TIMEZONE is "Paris": set it to an IANA time zone such as Europe/Paris`
	for _, test := range []struct{ changes, want string }{
		{"GOOGLE_CLOUD_PROJECT=", project},
		{"GOOGLE_CLOUD_PROJECT= FUNCTION_TARGET=ingest", project},
		{"GOOGLE_CLOUD_PROJECT= FUNCTION_TARGET=transform", project},
		{"GOOGLE_CLOUD_PROJECT= LAKE_BUCKET= FUNCTION_TARGET=transform", project},
		{"LAKE_BUCKET=", bucket},
		{"GOOGLE_CLOUD_PROJECT= LAKE_BUCKET= STATION_TIMEZONE=Paris", project + "\n" + bucket + "\n" + zone},
		{"FUNCTION_TARGET=digest", `FUNCTION_TARGET is "digest": set it to one of alert, audit, compact, ingest, page, replay, scale, transform, or leave it out for all`},
		{"ALERT_TIMEOUT=1h", `ALERT_TIMEOUT is "1h": set it to a duration from 100ms to 1m0s, for example 10s`},
		{"SCALE_POOL=bridge KAFKA_BOOTSTRAP_SERVERS=k:9092", `SCALE_POOL is "bridge": set it to the bridge's worker pool, projects/P/locations/REGION/workerPools/NAME`},
	} {
		ended, cancel := context.WithCancel(t.Context())
		cancel() // or what starts all the same would go on
		err := run(ended, environment(append(strings.Fields(test.changes), "FUNCTION_HOST=127.0.0.1", "PORT=0")...))
		if got := fmt.Sprint(err); got != "configuring the functions: "+test.want {
			t.Errorf("%s: the error is\n%s\nwant\n%s", test.changes, got, test.want)
		}
	}
}

// FUNCTION_TARGET may name each function that is registered, as a deployment
// of it does.
func TestCheck_KnowsEveryFunction(t *testing.T) {
	registered, err := os.ReadFile("../../functions.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`functions\.HTTP\("(\w+)"`).FindAllSubmatch(registered, -1)
	if len(names) < 2 {
		t.Fatalf("functions.go registers %d functions", len(names))
	}
	for _, name := range names {
		of := environment("FUNCTION_TARGET="+string(name[1]), "KAFKA_BOOTSTRAP_SERVERS=k:9092", "SCALE_POOL=projects/p/locations/l/workerPools/w")
		if err := check(of); err != nil {
			t.Errorf("%s: %v", name[1], err)
		}
	}
}
