package deploytest

import (
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/internal/garbage"
)

// A documented variable is a row of docs/settings.md.
type documented struct {
	fallback string // "" where the table names no value
	values   string
	readBy   []string
}

func settings(t *testing.T) map[string]documented {
	t.Helper()
	rows := map[string]documented{}
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|]*)\\| ([^|]*)\\| [^|]*\\| ([^|]*) \\|$")
	for _, cells := range row.FindAllStringSubmatch(read(t, "docs/settings.md"), -1) {
		if _, twice := rows[cells[1]]; twice {
			t.Errorf("docs/settings.md has %s twice", cells[1])
		}
		_, fallback, _ := strings.Cut(cells[2], "`")
		fallback, _, _ = strings.Cut(fallback, "`")
		rows[cells[1]] = documented{fallback, strings.TrimSpace(cells[3]), strings.Split(cells[4], ", ")}
	}
	return rows
}

// surroundings are environments that together have the programs read all they
// ever read.
func surroundings() []map[string]string {
	base := map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "KAFKA_BOOTSTRAP_SERVERS": "k:9092", "SCALE_POOL": "projects/p/locations/l/workerPools/w"}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(base)
		maps.Copy(all, more)
		return all
	}
	return []map[string]string{
		base,
		with(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://telemetry.googleapis.com"}),
		with(map[string]string{"BRIDGE_TRANSPORT": "http", "BRIDGE_HTTP_URL": "http://127.0.0.1:8081/ingest"}),
		with(map[string]string{"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p"}),
		with(map[string]string{
			"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p",
			"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN_URL": "https://id.example.com/token",
		}),
	}
}

// The names that other people's environments have are a contract, and so is
// who reads them: they are the same locally and deployed.
func TestSettings_Contract(t *testing.T) {
	rows := settings(t)
	for names, program := range map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS KAFKA_SECURITY_PROTOCOL KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME KAFKA_SASL_PASSWORD KAFKA_CA_FILE KAFKA_GROUP_ID KAFKA_TOPICS KAFKA_START": "bridge",
		"STATION_TIMEZONE STATION_EPOCH_UNIT SCHEMA_REGISTRY_URL SCHEMA_REGISTRY_USERNAME SCHEMA_REGISTRY_PASSWORD":                                                          "ingest",
		"TRANSFORM_WAIT STAGING_DATASET PROD_DATASET": "transform",
	} {
		for name := range strings.FieldsSeq(names) {
			if !slices.Contains(rows[name].readBy, program) {
				t.Errorf("the %s reads no %s any more", program, name)
			}
		}
	}
	for name, want := range map[string]string{
		"STATION_TIMEZONE": "UTC", "KAFKA_START": "earliest", "BRIDGE_TRANSPORT": "pubsub", "STAGING_DATASET": "staging_data", "PROD_DATASET": "prod_data", "TRANSFORM_WAIT": "4m",
	} {
		if got := rows[name].fallback; got != want {
			t.Errorf("%s is %s where it is not set, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"KAFKA_SECURITY_PROTOCOL": "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`", "STATION_EPOCH_UNIT": "`none`, `s`, `ms`, `us`, `ns`",
	} {
		if got := rows[name].values; got != want {
			t.Errorf("%s takes %s, want %s", name, got, want)
		}
	}
}

// The programs read what the table says they read, and nothing else.
func TestSettings_AreWhatProgramsRead(t *testing.T) {
	rows := settings(t)
	for program, reader := range readers {
		got := map[string]bool{}
		for _, environment := range surroundings() {
			_, err := reader(func(name string) string {
				got[name] = true
				return environment[name]
			})
			if err != nil {
				t.Fatalf("%s refuses %v: %v", program, environment, err)
			}
		}
		for name := range got {
			if !slices.Contains(rows[name].readBy, program) {
				t.Errorf("the %s reads %s, which docs/settings.md does not say", program, name)
			}
		}
		for name, row := range rows {
			// Google's clients and the programs' mains read these themselves.
			if strings.HasSuffix(name, "_EMULATOR_HOST") || slices.Contains([]string{"K_SERVICE", "CLOUD_RUN_WORKER_POOL", "GOGC"}, name) {
				continue
			}
			if slices.Contains(row.readBy, program) && !got[name] {
				t.Errorf("docs/settings.md says that the %s reads %s, which it does not", program, name)
			}
		}
	}
}

// To set a variable to its default is the same as to leave it out.
func TestSettings_DefaultsAreTheProgramsOwn(t *testing.T) {
	for program, reader := range readers {
		for i, environment := range surroundings() {
			getenv := func(set, value string) func(string) string {
				return func(name string) string {
					if name == set && environment[name] == "" {
						return value
					}
					return environment[name]
				}
			}
			want, err := reader(getenv("", ""))
			if err != nil {
				t.Fatal(err)
			}
			for name, row := range settings(t) {
				// Waiting for the function takes longer than for Pub/Sub; PORT is
				// where the bridge's address comes from when it is set.
				if row.fallback == "" || !slices.Contains(row.readBy, program) || name == "PORT" || name == "BRIDGE_PUBLISH_TIMEOUT" && environment["BRIDGE_TRANSPORT"] == "http" {
					continue
				}
				got, err := reader(getenv(name, row.fallback))
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s in environment %d: %s=%s is not the default (%v)", program, i, name, row.fallback, err)
				}
			}
		}
	}
}

// A program that refuses a value names the bounds that the table has.
func TestSettings_BoundsAreTheProgramsOwn(t *testing.T) {
	between := regexp.MustCompile(`^(?:bytes, )?(\S+(?: [KMG]iB)?) to (\S+(?: [KMG]iB)?)$`)
	found := 0
	for name, row := range settings(t) {
		bounds := between.FindStringSubmatch(row.values)
		if bounds == nil || strings.HasPrefix(name, "OTEL_") { // these are read as OpenTelemetry says
			continue
		}
		found++
		want := " from " + bound(bounds[1]) + " to " + bound(bounds[2])
		for program, reader := range readers {
			if !slices.Contains(row.readBy, program) {
				continue
			}
			var said []string
			for _, environment := range surroundings() {
				_, err := reader(func(asked string) string {
					if asked == name {
						return "x"
					}
					return environment[asked]
				})
				if err != nil {
					said = append(said, err.Error())
				}
			}
			if all := strings.Join(said, "\n"); !regexp.MustCompile(`(?m)` + name + ` is "x": set it to a [a-z ]+` + want + `(,|$)`).MatchString(all) {
				t.Errorf("docs/settings.md says %s of %s, the %s says: %s", row.values, name, program, all)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d settings have bounds", found)
	}
}

// bound is one end of a range of the table as programs print it.
func bound(text string) string {
	number, unit, _ := strings.Cut(text, " ")
	if power := strings.TrimPrefix(number, "10^"); power != number {
		zeros, _ := strconv.Atoi(power)
		return "1" + strings.Repeat("0", zeros)
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return strconv.FormatInt(n<<map[string]int{"KiB": 10, "MiB": 20, "GiB": 30}[unit], 10)
	}
	d, err := time.ParseDuration(number)
	if err != nil {
		return text
	}
	return d.String()
}

// The programs' mains set this one, so that no reader tells its default.
func TestSettings_Garbage(t *testing.T) {
	if said := settings(t)["GOGC"].fallback; said != strconv.Itoa(garbage.Percent) {
		t.Errorf("docs/settings.md says that GOGC is %q, the programs set %d", said, garbage.Percent)
	}
}

// Whatever else asks for a variable by name has it in the table, and each row
// of the table has somebody who asks.
func TestSettings_AreAllThatIsAsked(t *testing.T) {
	rows := settings(t)
	theirs := []string{"PATH", "TERM", "COLUMNS", "XDG_RUNTIME_DIR"} // the system's
	asks := regexp.MustCompile(`(?i:getenv|lookupenv)\("([A-Z_]+)"`)
	tree := os.DirFS(repository)
	var sources strings.Builder
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || strings.HasPrefix(entry.Name(), ".venv")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "settings_test.go") {
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		sources.Write(text)
		for _, match := range asks.FindAllSubmatch(text, -1) {
			name := string(match[1])
			recipes := strings.HasPrefix(name, "PEER_") // what is given to those who are measured: local/bench/peers/README.md
			if rows[name].readBy == nil && !slices.Contains(theirs, name) && !recipes {
				t.Errorf("%s asks for %s, which docs/settings.md does not have", path, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range rows {
		byLibraries := strings.HasSuffix(name, "_EMULATOR_HOST") || name == "FUNCTION_TARGET"
		if !byLibraries && !strings.Contains(sources.String(), `"`+name+`"`) {
			t.Errorf("docs/settings.md has %s, for which nothing asks", name)
		}
	}
}
