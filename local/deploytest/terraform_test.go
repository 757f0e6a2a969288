// Package deploytest holds a deployment to what the rest of the project says:
// what Terraform plans, and what the functions are built from. Nothing here
// needs an account.
//
// The tests of plans need terraform and its providers. Where terraform is
// missing or a provider cannot be had they are skipped, and say so.
package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// repository is this repository's root.
const repository = "../.."

// A workspace is a copy of what Terraform reads, with its providers. Making
// one and planning in it takes seconds, so the tests share them.
type workspace struct {
	folder  string
	missing string // why there is none
	gcloud  string // file with the calls of a fake gcloud; "" for the machine's own

	mu    sync.Mutex
	plans map[string]*plan
}

// shared is filled by TestMain.
var shared *workspace

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "stationflow-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = &workspace{folder: folder, plans: map[string]*plan{}}
	shared.missing = shared.prepare()
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// prepare copies the repository and fetches the providers. It returns why
// that cannot be, or "".
func (w *workspace) prepare() string {
	if _, err := exec.LookPath("terraform"); err != nil {
		return "terraform is not installed"
	}
	if err := copyTree(repository, w.folder); err != nil {
		return err.Error()
	}
	if out, err := w.terraform("init", "-backend=false", "-input=false", "-no-color"); err != nil {
		_, reason, _ := strings.Cut(string(out), "Error: ")
		reason, _, _ = strings.Cut(reason, "\n")
		return "terraform init cannot get the providers: " + reason
	}
	return ""
}

// copyTree copies the repository without what Terraform does not read.
func copyTree(from, to string) error {
	skip := map[string]bool{".git": true, ".terraform": true, ".upload": true, "bin": true, "docs": true, "local": true, "stationflow-data": true}
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		name := entry.Name()
		switch {
		case relative == ".":
			return nil
		case entry.IsDir() && (skip[name] || strings.HasPrefix(name, ".venv")):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o755)
		case !entry.Type().IsRegular() || strings.Contains(name, ".tfstate") || strings.HasSuffix(name, ".tfvars") || name == ".terraform.lock.hcl" || name == "backend.tf":
			return nil // what a person has there is not what is tested
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, relative), content, info.Mode())
	})
}

func (w *workspace) terraform(args ...string) ([]byte, error) {
	return w.terraformIn("terraform", args...)
}

// terraformIn runs a command in a folder of the workspace, with the providers
// that prepare fetched and credentials that open nothing. It collects its
// garbage later than it would: a quarter of its processor time, for 0.2 GB.
func (w *workspace) terraformIn(folder string, args ...string) ([]byte, error) {
	cmd := exec.Command("terraform", append([]string{"-chdir=" + filepath.Join(w.folder, folder)}, args...)...)
	cmd.Env = append(os.Environ(), "TF_DATA_DIR="+filepath.Join(w.folder, "terraform/.terraform"), "GOOGLE_OAUTH_ACCESS_TOKEN=none", "CONFLUENT_CLOUD_API_KEY=none",
		"CONFLUENT_CLOUD_API_SECRET=none", "CHECKPOINT_DISABLE=1", "NO_COLOR=1", "TF_IN_AUTOMATION=1", "GOGC=400")
	return cmd.CombinedOutput()
}

func last(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[max(0, len(text)-2000):]
}

// terraformOrSkip returns the workspace.
func terraformOrSkip(t *testing.T) *workspace {
	t.Helper()
	if shared.missing != "" {
		t.Skip("skipped: " + shared.missing)
	}
	return shared
}

// base are the variables that every scenario has.
var base = map[string]any{
	"project":             "my-stations-4711",
	"region":              "europe-west1",
	"bridge_image":        "europe-west1-docker.pkg.dev/p/r/bridge@sha256:" + strings.Repeat("0", 64),
	"propagation_seconds": 0,
}

// scenarios are the configurations that are planned: the default, each large
// choice, and all of them at once.
var scenarios = map[string]map[string]any{
	"defaults": {},
	"built":    {"bridge_image": nil},
	"kafka":    {"kafka": existingKafka, "schema_registry": map[string]any{"url": "https://registry.example.com", "username": "u", "password_secret": "registry-password"}},
	"demo":     {"demo": true, "simulate": true},
	"http":     {"transport": "http", "traces": map[string]any{}},
	"alert": {"alert": map[string]any{"webhook_url_secret": "alert-webhook", "webhook_key_secret": "alert-key"},
		"replay": map[string]any{"callers": []string{"user:ana@example.com"}},
		"page":   map[string]any{"viewers": []string{"user:ana@example.com", "group:stations@example.com"}},
		"kafka":  existingKafka, "schema_registry": map[string]any{"url": "https://registry.example.com", "username": "u", "password_secret": "registry-password"}},
	"keys": {"kms_key": "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k", "compact": nil},
	"everything": {
		"alert":             map[string]any{"webhook_url_secret": "alert-webhook", "topic": "pager", "settings": map[string]any{"ALERT_LATE": "2h"}},
		"compact":           map[string]any{"settings": map[string]any{"COMPACT_GRACE": "12h"}},
		"alert_emails":      []string{"ops@example.com"},
		"canary":            true,
		"dashboard_viewers": []string{"group:stations@example.com"},
		"kms_key":           "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k",
		"network":           map[string]any{"subnetwork": "projects/p/regions/europe-west1/subnetworks/s", "egress": "ALL_TRAFFIC"},
		"transport":         "http",
		"simulate":          true,
		"labels":            map[string]any{"team": "stations"},
		"objectives":        true,
		"bridge":            map[string]any{"idle": "stay", "min_instances": 2, "max_instances": 4, "settings": map[string]any{"BRIDGE_BATCH_AGE": "250ms", "BRIDGE_LAKE_AGE": "90s", "KAFKA_START": "latest", "SCALE_LAG": "3m"}},
		"ingest":            map[string]any{"settings": map[string]any{"INGEST_CALL_TIMEOUT": "1m"}},
		"traces":            map[string]any{"endpoint": "http://collector.internal:4318", "share": 0.5},
		"transform":         map[string]any{"settings": map[string]any{"TRANSFORM_WAIT": "200s"}},
		"station_timezone":  "Europe/Paris",
		"confluent_cluster": map[string]any{"type": "standard", "availability": "MULTI_ZONE"},
		"schema_registry":   map[string]any{"compatibility": "FULL"},

		"replay": map[string]any{"settings": map[string]any{"REPLAY_LIMIT": "20m"}},
		"page":   map[string]any{"viewers": []string{}, "settings": map[string]any{"PAGE_MAX_BYTES": "21474836480"}},

		"lake_retention_days": 400,
	},
}

// deploysCompact reports whether a scenario has the function compact, as those
// have that do not say null.
func deploysCompact(scenario string) bool {
	value, said := scenarios[scenario]["compact"]
	return !said || value != nil
}

var existingKafka = map[string]any{
	"bootstrap_servers":    "a.example.com:9092, b.example.com:9092",
	"security_protocol":    "SASL_SSL",
	"sasl_mechanism":       "PLAIN",
	"sasl_username":        "stationflow",
	"sasl_password_secret": "kafka-password",
	"files":                map[string]any{"KAFKA_CA_FILE": "kafka-ca"},
}

// variables writes a scenario's variables to a file.
func (w *workspace) variables(scenario string) (string, error) {
	all := map[string]any{}
	for name, value := range base {
		all[name] = value
	}
	for name, value := range scenarios[scenario] {
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	file := filepath.Join(w.folder, scenario+".tfvars.json")
	return file, os.WriteFile(file, text, 0o600)
}

// planOf plans a scenario, once.
func planOf(t *testing.T, scenario string) *plan {
	t.Helper()
	w := terraformOrSkip(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.plans[scenario]; p != nil {
		return p
	}
	variables, err := w.variables(scenario)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.folder, scenario+".tfplan")
	if out, err := w.terraform("plan", "-input=false", "-lock=false", "-var-file="+variables, "-out="+file); err != nil {
		t.Fatalf("planning %s: %v\n%s", scenario, err, last(out))
	}
	out, err := w.terraform("show", "-json", file)
	if err != nil {
		t.Fatalf("showing the plan of %s: %v\n%s", scenario, err, last(out))
	}
	p, err := readPlan(out)
	if err != nil {
		t.Fatalf("reading the plan of %s: %v", scenario, err)
	}
	w.plans[scenario] = p
	return p
}

// each runs a test on the plan of every scenario.
func each(t *testing.T, test func(t *testing.T, scenario string, p *plan)) {
	for scenario := range scenarios {
		t.Run(scenario, func(t *testing.T) { test(t, scenario, planOf(t, scenario)) })
	}
}
