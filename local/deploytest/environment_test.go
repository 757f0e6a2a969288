package deploytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/functions/audit"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/page"
	"github.com/stationflow/stationflow/functions/replay"
	"github.com/stationflow/stationflow/functions/scale"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/registry"
)

// A setting is an environment variable as planned: its value, or the secret
// it comes from. Both are "" when they are known only after apply.
type setting struct{ value, secret string }

// environments returns what each workload is started with.
func environments(p *plan) map[string]map[string]setting {
	all := map[string]map[string]setting{}
	for _, f := range p.all("google_cloudfunctions2_function") {
		variables := map[string]setting{}
		values, _ := f.get("service_config.0.environment_variables").(map[string]any)
		for name, value := range values {
			text, _ := value.(string)
			variables[name] = setting{value: text}
		}
		later, _ := at(f.unknown, "service_config.0.environment_variables").(map[string]any)
		for name := range later {
			variables[name] = setting{}
		}
		list, _ := f.get("service_config.0.secret_environment_variables").([]any)
		for _, item := range list {
			name, _ := at(item, "key").(string)
			secret, _ := at(item, "secret").(string)
			variables[name] = setting{secret: secret}
		}
		all[f.text("name")] = variables
	}
	for _, r := range p.all("google_cloud_run_v2_worker_pool") {
		all["bridge"] = container(r, "template.0.containers.0.env")
	}
	for _, r := range p.all("google_cloud_run_v2_job") {
		all["simulator"] = container(r, "template.0.template.0.containers.0.env")
	}
	return all
}

func container(r *resource, path string) map[string]setting {
	variables := map[string]setting{}
	list, _ := r.get(path).([]any)
	for _, item := range list {
		name, _ := at(item, "name").(string)
		value, _ := at(item, "value").(string)
		secret, _ := at(item, "value_source.0.secret_key_ref.0.secret").(string)
		variables[name] = setting{value, secret}
	}
	return variables
}

// readers are the programs' own readers of their environment. Each returns the
// configuration that it reads, for comparison.
var readers = map[string]func(getenv func(string) string) (any, error){
	"audit":   func(getenv func(string) string) (any, error) { return audit.FromEnv(getenv) },
	"bridge":  func(getenv func(string) string) (any, error) { return bridge.FromEnv(getenv) },
	"alert":   func(getenv func(string) string) (any, error) { return alert.FromEnv(getenv) },
	"compact": func(getenv func(string) string) (any, error) { return compact.FromEnv(getenv) },
	"ingest":  func(getenv func(string) string) (any, error) { return ingest.FromEnv(getenv) },
	"scale":   func(getenv func(string) string) (any, error) { return scale.FromEnv(getenv) },
	"page":    func(getenv func(string) string) (any, error) { return page.FromEnv(getenv) },
	"replay":  func(getenv func(string) string) (any, error) { return replay.FromEnv(getenv) },
	"transform": func(getenv func(string) string) (any, error) {
		config, err := transform.FromEnv(getenv)
		config.Getenv = nil // no two functions are the same
		return config, err
	},
	// As simulator/cmd/simulator does.
	"simulator": func(getenv func(string) string) (any, error) {
		r := env.NewReader(getenv)
		location := r.Location("STATION_TIMEZONE", "UTC")
		return []any{kafka.FromEnv(r), registry.FromEnv(r), location}, r.Err()
	},
}

// notOurs are variables that Terraform does not set: the platform does, or
// the local system, where emulators stand for the cloud.
var notOurs = regexp.MustCompile(`^(PORT|K_[A-Z]+|CLOUD_RUN_[A-Z_]+|FUNCTION_[A-Z]+|[A-Z_]+_EMULATOR_HOST)$`)

// tunable are variables with good defaults that a user may set in the maps
// called settings, files in kafka.files, and those of schema_registry.
var tunable = map[string]*regexp.Regexp{
	"audit":     regexp.MustCompile(`^(AUDIT|KAFKA)_`),
	"bridge":    regexp.MustCompile(`^(BRIDGE|KAFKA)_`),
	"alert":     regexp.MustCompile(`^(ALERT|SCHEMA_REGISTRY)_`),
	"compact":   regexp.MustCompile(`^COMPACT_`),
	"ingest":    regexp.MustCompile(`^(INGEST|SCHEMA_REGISTRY)_`),
	"page":      regexp.MustCompile(`^PAGE_`),
	"replay":    regexp.MustCompile(`^(REPLAY|KAFKA)_`),
	"scale":     regexp.MustCompile(`^((SCALE|KAFKA)_|BRIDGE_LAKE_AGE$)`),
	"transform": regexp.MustCompile(`^TRANSFORM_`),
	"simulator": regexp.MustCompile(`^(KAFKA|SCHEMA_REGISTRY)_`),
}

// What Terraform sets is what the program reads, and the other way round; and
// the program takes it.
func TestEnvironment_IsWhatProgramsRead(t *testing.T) {
	authority := certificate(t)
	each(t, func(t *testing.T, scenario string, p *plan) {
		for workload, variables := range environments(p) {
			if workload == "bridge" && variables["BRIDGE_TRANSPORT"].value == "http" && !knowsHTTP() {
				t.Log("this bridge has no http transport yet: its variables are not compared")
				continue
			}
			read := map[string]bool{}
			_, err := readers[workload](func(name string) string {
				read[name] = true
				v, set := variables[name]
				return stand(name, v, set, authority)
			})
			if err != nil {
				t.Errorf("%s refuses its environment: %v", workload, err)
			}
			for name := range variables {
				if !read[name] {
					t.Errorf("Terraform sets %s for %s, which does not read it", name, workload)
				}
			}
			for name := range read {
				if _, set := variables[name]; !set && !notOurs.MatchString(name) && !tunable[workload].MatchString(name) {
					t.Errorf("%s reads %s, which Terraform neither sets nor lets a user set", workload, name)
				}
			}
		}
		want := []string{"audit", "bridge", "compact", "ingest", "scale", "transform"}
		if !deploysCompact(scenario) {
			want = slices.DeleteFunc(want, func(workload string) bool { return workload == "compact" })
		}
		if scenarios[scenario]["alert"] != nil {
			want = append(want, "alert")
		}
		for _, optional := range []string{"replay", "page"} {
			if scenarios[scenario][optional] != nil {
				want = append(want, optional)
			}
		}
		if got := len(environments(p)); got != len(want) && scenarios[scenario]["simulate"] == nil {
			t.Errorf("%d workloads have an environment", got)
		}
	})
}

// stand is the value that a program sees: the planned one, or one of the kind
// that is known after apply.
func stand(name string, v setting, set bool, authority string) string {
	switch {
	case !set:
		return ""
	case strings.HasSuffix(name, "_FILE"):
		return authority
	case v.value != "":
		return v.value
	case strings.HasSuffix(name, "_SERVERS"):
		return "pkc-1.europe-west1.gcp.confluent.cloud:9092"
	case strings.HasSuffix(name, "_URL"), name == "ALERT_WEBHOOK", strings.HasSuffix(name, "_AUDIENCE"):
		return "https://ingest-1.europe-west1.run.app/ingest"
	default:
		return "known-after-apply"
	}
}

func knowsHTTP() bool {
	var told []string
	_, err := bridge.FromEnv(func(name string) string {
		told = append(told, name)
		return map[string]string{"BRIDGE_TRANSPORT": "http"}[name]
	})
	return slices.Contains(told, "BRIDGE_HTTP_URL") && err != nil
}

// certificate writes a PEM file of an authority and returns its path.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// In a worker pool Cloud Run names no port and perhaps no service: the bridge
// listens where the probes look, on every interface, and its log lines are those
// that alerts count.
func TestEnvironment_OfAWorkerPool(t *testing.T) {
	authority := certificate(t)
	each(t, func(t *testing.T, _ string, p *plan) {
		variables := environments(p)["bridge"]
		config, err := bridge.FromEnv(func(name string) string {
			v, set := variables[name]
			return stand(name, v, set, authority)
		})
		if err != nil {
			t.Fatal(err)
		}
		if !config.CloudLog {
			t.Error("log lines are not those that Cloud Logging reads")
		}
		pool := p.one(t, "module.bridge.google_cloud_run_v2_worker_pool.bridge")
		for _, probe := range []string{"startup_probe", "liveness_probe"} {
			at := "template.0.containers.0." + probe + ".0.http_get.0."
			if port := fmt.Sprintf(":%v", pool.number(at+"port")); port != config.Addr || pool.text(at+"path") != "/livez" {
				t.Errorf("the %s asks %s%s, and the bridge listens at %s", probe, port, pool.text(at+"path"), config.Addr)
			}
		}
	})
}

// The check reads Kafka as the bridge does, and sets the pool that there is, as
// the variable says.
func TestEnvironment_OfTheCheck(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		all := environments(p)
		scale, bridge := all["scale"], all["bridge"]
		for name, v := range bridge {
			if (strings.HasPrefix(name, "KAFKA_") && name != "KAFKA_START" || name == "BRIDGE_LAKE_AGE") && scale[name] != v {
				t.Errorf("%s is %v for the bridge and %v for scale", name, v, scale[name])
			}
		}
		idle, least, most := "stop", "1", "2"
		if scenario == "everything" {
			idle, least, most = "stay", "2", "4"
		}
		pool := p.one(t, "module.bridge.google_cloud_run_v2_worker_pool.bridge")
		for name, want := range map[string]string{
			"SCALE_IDLE": idle, "SCALE_MIN_INSTANCES": least, "SCALE_MAX_INSTANCES": most,
			"SCALE_POOL": "projects/my-stations-4711/locations/europe-west1/workerPools/" + pool.text("name"),
		} {
			if got := scale[name].value; got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := fmt.Sprint(pool.number("scaling.0.manual_instance_count")); got != least {
			t.Errorf("the pool begins with %s instances, want %s", got, least)
		}
	})
}
