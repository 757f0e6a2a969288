package deploytest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/event"
)

func TestTerraform_IsFormattedAndValid(t *testing.T) {
	w := terraformOrSkip(t)
	if out, err := w.terraform("fmt", "-check", "-recursive"); err != nil {
		t.Errorf("run terraform fmt -recursive on these: %s", last(out))
	}
	if out, err := w.terraform("validate"); err != nil {
		t.Error(last(out))
	}
}

// Its own tests plan every scenario without providers of the network.
func TestTerraform_PassesItsOwnTests(t *testing.T) {
	w := terraformOrSkip(t)
	files, err := filepath.Glob(filepath.Join(w.folder, "terraform/tests/*.tftest.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	var filters []string
	for _, file := range files {
		if name := filepath.Base(file); name != validations {
			filters = append(filters, "-filter=tests/"+name)
		}
	}
	if len(filters) == 0 || len(filters) != len(files)-1 {
		t.Fatalf("the tests are %q, want %s and others", files, validations)
	}
	w.passes(t, "terraform", filters...)
}

// validations lets every validation of a variable fail once.
const validations = "validations.tftest.hcl"

// Validations are judged before anything is planned, and look at variables
// alone: what is made from these, which takes seconds of a processor for each
// run, is left out.
func TestTerraform_ValidationsFailAsTheyShould(t *testing.T) {
	w := terraformOrSkip(t)
	for _, pattern := range []string{"variables*.tf", "versions.tf", "schemas/*.json", ".terraform.lock.hcl", "tests/" + validations} {
		files, err := filepath.Glob(filepath.Join(w.folder, "terraform", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("there is no %s (%v)", pattern, err)
		}
		for _, file := range files {
			to := strings.Replace(file, filepath.Join(w.folder, "terraform"), filepath.Join(w.folder, "variables"), 1)
			if err := copyFile(file, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.passes(t, "variables")
}

// passes runs Terraform's tests in a folder of the workspace.
func (w *workspace) passes(t *testing.T, folder string, filters ...string) {
	t.Helper()
	out, err := w.terraformIn(folder, append([]string{"test", "-no-color"}, filters...)...)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if said := lines[len(lines)-1]; err != nil || !regexp.MustCompile(`^Success! [1-9]\d* passed, 0 failed\.$`).MatchString(said) {
		t.Fatal(last(out))
	} else {
		t.Log(said)
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// offline has Terraform apply with providers that create nothing. It cannot
// be told whether they are such: the person who runs the tests says so.
func offline(t *testing.T) *workspace {
	t.Helper()
	if os.Getenv("STATIONFLOW_TERRAFORM_OFFLINE") == "" {
		t.Skip("skipped: set STATIONFLOW_TERRAFORM_OFFLINE=1 if terraform finds stand-in providers that create nothing anywhere")
	}
	terraformOrSkip(t)
	w := &workspace{folder: t.TempDir()}
	w.gcloud = filepath.Join(t.TempDir(), "calls")
	fakeGcloud(t, w.gcloud)
	if reason := w.prepare(); reason != "" {
		t.Fatal(reason)
	}
	return w
}

// fakeGcloud puts a gcloud on the PATH that does nothing but note its
// arguments, a line each call.
func fakeGcloud(t *testing.T, calls string) {
	t.Helper()
	bin := t.TempDir()
	script := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'" + calls + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "gcloud"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// run runs a command of Terraform with a scenario's variables.
func (w *workspace) run(t *testing.T, scenario, command string) string {
	t.Helper()
	variables, err := w.variables(scenario)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{command, "-input=false", "-var-file=" + variables}
	if command != "plan" {
		args = append(args, "-auto-approve")
	} else {
		args = append(args, "-detailed-exitcode") // 2 when something would change
	}
	out, err := w.terraform(args...)
	if err != nil {
		t.Fatalf("%s of %s: %v\n%s", command, scenario, err, last(out))
	}
	return string(out)
}

// After an apply nothing is left to change, and destroy takes all of it.
func TestTerraform_AppliesAndDestroys(t *testing.T) {
	for _, scenario := range []string{"defaults", "kafka", "everything"} {
		t.Run(scenario, func(t *testing.T) {
			w := offline(t)
			w.run(t, scenario, "apply")
			w.run(t, scenario, "plan")
			if calls, err := os.ReadFile(w.gcloud); err == nil && strings.Contains(string(calls), "builds submit") {
				t.Errorf("apply builds an image although one was named: %s", calls)
			}
			uploads, err := filepath.Glob(filepath.Join(w.folder, "terraform/.upload/functions-*.zip"))
			if err != nil || len(uploads) != 1 {
				t.Errorf("uploads are %v (%v), want one", uploads, err)
			}
			outputs, err := w.terraform("output", "-json")
			if err != nil {
				t.Fatal(last(outputs))
			}
			for _, name := range []string{"looker_studio_url", "logs", "functions", "bridge_image", "scheduler_job"} {
				if !strings.Contains(string(outputs), `"`+name+`"`) {
					t.Errorf("there is no output %s, which the docs name", name)
				}
			}
			w.run(t, scenario, "destroy")
			out, err := w.terraform("state", "list")
			if err != nil || strings.TrimSpace(string(out)) != "" {
				t.Errorf("destroy left %s (%v)", out, err)
			}
		})
	}
}

// A feature that takes further services, added to what runs, leaves the
// project's number known, and with it the grants to Google's agents: to make
// those again would stop deliveries until they are known everywhere.
func TestTerraform_LaterFeatureKeepsGrants(t *testing.T) {
	w := offline(t)
	w.run(t, "defaults", "apply")
	for _, scenario := range []string{"keys", "everything"} {
		variables, err := w.variables(scenario)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.terraform("plan", "-input=false", "-no-color", "-var-file="+variables)
		if err != nil {
			t.Fatal(last(out))
		}
		if strings.Contains(string(out), "google_project.this will be read during apply") {
			t.Errorf("%s: the project's number is known only after apply", scenario)
		}
	}
}

// The image is built by apply when its sources change, and only then.
func TestTerraform_BuildsTheImageWhenItsSourcesChange(t *testing.T) {
	w := offline(t)
	touch := func(name string) {
		t.Helper()
		file := filepath.Join(w.folder, name)
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, append(text, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	builds := func() []string {
		t.Helper()
		text, err := os.ReadFile(w.gcloud)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(call string) bool {
			return !strings.HasPrefix(call, "builds ")
		})
	}

	w.run(t, "built", "apply")
	first := builds()
	if len(first) != 1 || !strings.HasPrefix(first[0], "builds submit . --config=cloudbuild.yaml --project=my-stations-4711 --region=europe-west1 --service-account=projects/my-stations-4711/serviceAccounts/") {
		t.Fatalf("apply calls gcloud %q", first)
	}
	w.run(t, "built", "apply")
	touch("README.md")
	touch("bridge/window_test.go")
	w.run(t, "built", "apply")
	if again := builds(); len(again) != 1 {
		t.Errorf("apply builds again although no source changed: %q", again[1:])
	}
	touch("bridge/window.go")
	w.run(t, "built", "apply")
	if after := builds(); len(after) != 2 || after[0] == after[1] {
		t.Errorf("apply calls gcloud %q after a source changed", after)
	}
}

// A copy of the example in which only names are changed gives a plan.
func TestTerraform_ExampleIsComplete(t *testing.T) {
	w := terraformOrSkip(t)
	example := filepath.Join(w.folder, "terraform/terraform.tfvars.example")
	variables := filepath.Join(w.folder, "example.tfvars") // Terraform goes by the ending
	text, err := os.ReadFile(example)
	if err == nil {
		err = os.WriteFile(variables, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := w.terraform("plan", "-input=false", "-lock=false", "-var-file="+variables); err != nil {
		t.Error(last(out))
	}
}

// What destroy leaves in the project has a line in the script that takes it
// over: a later apply would find it there and fail.
func TestAdopt_TakesOverWhatDestroyLeaves(t *testing.T) {
	script := read(t, "scripts/adopt.sh")
	left := 0
	for _, r := range planOf(t, "defaults").resources {
		if r.text("deletion_policy") != "ABANDON" && r.Type != "google_cloud_quotas_quota_preference" { // which nothing can delete
			continue
		}
		left++
		if !strings.Contains(script, unindexed(r.Address)) {
			t.Errorf("scripts/adopt.sh does not take over %s", r.Address)
		}
	}
	if want := 2 + 2 + len(event.Topics()) + 2 + 1; left != want {
		t.Errorf("destroy leaves %d resources, want %d: two buckets, two datasets, a table of each topic and two more, the limit of queries", left, want)
	}
}

// A person's credentials count on no project's quota by themselves, which
// some APIs refuse.
func TestTerraform_CallsCountOnTheProject(t *testing.T) {
	for _, want := range []string{`billing_project\s+= var\.project`, `user_project_override\s+= true`} {
		if !regexp.MustCompile(want).MatchString(read(t, "terraform/versions.tf")) {
			t.Errorf("the provider lacks %s", want)
		}
	}
}
