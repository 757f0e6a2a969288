package deploytest

import (
	"strings"
	"testing"
)

// grpcLess is the flag by which Cloud Storage's client leaves out what only its
// gRPC needs.
const grpcLess = "-tags=disable_grpc_modules"

// Whatever builds what is deployed leaves it out, and there is nothing of it
// then: a tenth of an instance's memory at rest is not there for it.
func TestBuilds_LeaveOutWhatOnlyGRPCNeeds(t *testing.T) {
	for _, file := range []string{"Makefile", "bridge/Dockerfile", "cloudbuild.yaml", "scripts/release.sh", ".ci/run"} {
		if !strings.Contains(read(t, file), grpcLess) {
			t.Errorf("%s builds without %s", file, grpcLess)
		}
	}
	functions := planOf(t, "alert").all("google_cloudfunctions2_function")
	for _, f := range functions {
		if got := f.text("build_config.0.environment_variables.GOFLAGS"); got != grpcLess {
			t.Errorf("%s is built with GOFLAGS=%q", f.text("name"), got)
		}
	}
	packages := strings.Fields(goCommand(t, repository, "list", "-deps", "./cmd/functions", "./bridge/cmd/bridge"))
	for _, name := range packages {
		if strings.HasPrefix(name, "google.golang.org/grpc/xds") {
			t.Errorf("what is deployed needs %s", name)
		}
	}
	if len(functions) == 0 || len(packages) < 100 {
		t.Errorf("%d functions, %d packages", len(functions), len(packages))
	}
}
