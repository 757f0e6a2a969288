package dbtequal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/staged"
)

// A tool is one of the two programs that run the project. Both are called
// from the shell and judged by the files they leave in their target folder.
type tool struct {
	t       *testing.T
	name    string
	command []string // what comes before the name of a dbt command, and after it the flags below
	flags   []string
	env     []string
	dataset string // of the models
	target  string // folder
}

const projectDir = "../../dbt"

// tools are dbt-core and the native runner on one warehouse, each with a
// dataset of its own. vars is what both are told by --vars.
func tools(t *testing.T, w *staged.Warehouse, dbt string, vars map[string]string) (core, native *tool) {
	encoded, err := json.Marshal(vars)
	check(t, err)
	env := append(os.Environ(),
		"GOOGLE_CLOUD_PROJECT="+staged.Project, "BIGQUERY_EMULATOR_HOST="+w.Config.RESTEndpoint,
		"BIGQUERY_STORAGE_EMULATOR_HOST="+w.Config.GRPCEndpoint, "STAGING_DATASET="+staged.Staging, "STATION_TIMEZONE="+vars["timezone"],
		"DBT_SEND_ANONYMOUS_USAGE_STATS=false", "DBT_VERSION_CHECK=false", "DBT_USE_COLORS=false", "DBT_PROFILES_DIR="+projectDir, "DBT_TARGET=local")
	flags := []string{"--project-dir", projectDir, "--vars", string(encoded)}
	core = &tool{t: t, name: "dbt-core", command: []string{dbt}, dataset: coreDataset, target: t.TempDir()}
	core.flags = append(slices.Clip(flags), "--target-path", core.target, "--log-path", core.target)
	native = &tool{t: t, name: "native", command: []string{built.Program(t, "stationflow"), "dbt"}, dataset: nativeDataset, target: t.TempDir()}
	native.flags = append(slices.Clip(flags), "--target-path", native.target)
	for _, tool := range []*tool{core, native} {
		tool.env = append(slices.Clip(env), "PROD_DATASET="+tool.dataset)
	}
	return core, native
}

// A cost is what a call took: the warehouse's part of the wall time is the same
// for both tools, its CPU is not counted.
type cost struct{ wall, cpu time.Duration }

// call runs a dbt command and reports whether it succeeded. A failure that is not an answer
// of the tool, but a failure to work at all, ends the test.
func (x *tool) call(command string, flags ...string) (cost, bool) {
	x.t.Helper()
	args := slices.Concat(x.command[1:], strings.Fields(command))
	process := exec.Command(x.command[0], append(append(args, x.flags...), flags...)...)
	process.Env = x.env
	start := time.Now()
	output, err := process.CombinedOutput()
	took := cost{wall: time.Since(start)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatalf("%s %s: %v", x.name, command, err)
	}
	took.cpu = process.ProcessState.UserTime() + process.ProcessState.SystemTime()
	check(x.t, os.WriteFile(filepath.Join(x.target, command+".log"), output, 0o644))
	if code := process.ProcessState.ExitCode(); code > 1 { // 1: a model or a test failed
		x.t.Fatalf("%s %s ended with %d:\n%s", x.name, command, code, output)
	}
	return took, err == nil
}

// succeed is call, which must succeed.
func (x *tool) succeed(command string, flags ...string) cost {
	x.t.Helper()
	took, ok := x.call(command, flags...)
	if !ok {
		log, _ := os.ReadFile(filepath.Join(x.target, command+".log"))
		x.t.Fatalf("%s %s failed:\n%s", x.name, command, log)
	}
	return took
}

// A result is what run_results.json says of a model or test.
type result struct {
	ID       string  `json:"unique_id"`
	Status   string  `json:"status"`
	Failures *int64  `json:"failures"`
	SQL      string  `json:"compiled_code"`
	Message  *string `json:"message"`
}

// results are those of the last call, by type and name, as model.incidents_hourly.
func (x *tool) results() map[string]result {
	x.t.Helper()
	content, err := os.ReadFile(filepath.Join(x.target, "run_results.json"))
	check(x.t, err)
	var read struct {
		Results []result `json:"results"`
	}
	check(x.t, json.Unmarshal(content, &read))
	byName := map[string]result{}
	for _, r := range read.Results {
		parts := strings.Split(r.ID, ".") // type, project, name, and a hash of what a generic test is asked
		name := parts[0] + "." + parts[2]
		if parts[0] == "unit_test" {
			name = parts[0] + "." + parts[3]
		}
		r.SQL = x.normal(r.SQL)
		byName[name] = r
	}
	return byName
}

// freshness is the status of each source that the last call judged.
func (x *tool) freshness() map[string]string {
	x.t.Helper()
	content, err := os.ReadFile(filepath.Join(x.target, "sources.json"))
	check(x.t, err)
	var read struct {
		Results []result `json:"results"`
	}
	check(x.t, json.Unmarshal(content, &read))
	statuses := map[string]string{}
	for _, r := range read.Results {
		statuses[r.ID] = r.Status
	}
	return statuses
}

// reads are the models that a test reads, as model.incidents_hourly.
func (x *tool) reads(id string) []string {
	x.t.Helper()
	content, err := os.ReadFile(filepath.Join(x.target, "manifest.json"))
	check(x.t, err)
	var manifest struct {
		Nodes map[string]struct {
			DependsOn struct {
				Nodes []string `json:"nodes"`
			} `json:"depends_on"`
		} `json:"nodes"`
	}
	check(x.t, json.Unmarshal(content, &manifest))
	var models []string
	for _, node := range manifest.Nodes[id].DependsOn.Nodes {
		if parts := strings.Split(node, "."); parts[0] == "model" {
			models = append(models, "model."+parts[2])
		}
	}
	return models
}

// compiled are the SQL files that the last call left, by path.
func (x *tool) compiled() map[string]string {
	x.t.Helper()
	root := filepath.Join(x.target, "compiled")
	files := map[string]string{}
	check(x.t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = x.normal(string(content))
		return err
	}))
	return files
}

// normal is SQL with the one thing that must differ, the dataset of the
// models, under one name.
func (x *tool) normal(sql string) string {
	return strings.ReplaceAll(sql, "`"+x.dataset+"`", "`models`")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
