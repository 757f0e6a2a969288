package deploytest

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// projectRoles are all rights that are granted on the whole project, by the
// resource that grants them. BigQuery's jobs run nowhere smaller. The builder
// runs no workload: its two are what building a function takes.
var projectRoles = map[string]string{
	"module.functions.google_project_iam_member.audit_jobs":       "roles/bigquery.jobUser",
	"module.functions.google_project_iam_member.transform_jobs":   "roles/bigquery.jobUser",
	"module.warehouse.google_project_iam_member.viewer":           "roles/bigquery.jobUser",
	"module.functions.google_project_iam_member.replay_jobs":      "roles/bigquery.jobUser",
	"module.functions.google_project_iam_member.page_jobs":        "roles/bigquery.jobUser",
	"module.foundation.google_project_iam_member.builder_logs":    "roles/logging.logWriter",
	"module.foundation.google_project_iam_member.builder_sources": "roles/storage.objectViewer",
}

func TestSecurity_RightsAreNarrow(t *testing.T) {
	each(t, func(t *testing.T, _ string, p *plan) {
		for _, r := range p.resources {
			role := r.text("role")
			if strings.Contains(r.Type, "_iam_binding") || strings.Contains(r.Type, "_iam_policy") {
				t.Errorf("%s takes away what others have granted", r.Address)
			}
			if strings.HasPrefix(r.Type, "google_project_iam") && role != projectRoles[unindexed(r.Address)] {
				t.Errorf("%s grants %s on the whole project", r.Address, role)
			}
			if regexp.MustCompile(`^roles/(owner|editor|viewer)$|[aA]dmin$`).MatchString(role) {
				t.Errorf("%s grants %s", r.Address, role)
			}
		}
		sources := p.one(t, "module.foundation.google_project_iam_member.builder_sources")
		if !strings.Contains(sources.text("condition.0.expression"), "buckets/gcf-v2-sources-") {
			t.Errorf("the builder reads more than the sources of functions")
		}
	})
}

// The check may read and update the bridge's pool, act as the identity that the
// pool runs as, which updating takes, and nothing else but read its secrets.
func TestSecurity_TheCheckSetsOnePool(t *testing.T) {
	each(t, func(t *testing.T, _ string, p *plan) {
		roles := p.all("google_project_iam_custom_role")
		if len(roles) != 1 || fmt.Sprint(roles[0].get("permissions")) != "[run.workerpools.get run.workerpools.update]" {
			t.Errorf("there are %d roles of our own, want one that reads and updates worker pools", len(roles))
		}
		member := p.one(t, "module.bridge.google_cloud_run_v2_worker_pool_iam_member.scaler")
		if !member.from("role", "google_project_iam_custom_role.scaler.name") || !member.from("name", "google_cloud_run_v2_worker_pool.bridge.name") {
			t.Errorf("the role is granted on %v", member.references("name"))
		}
		granted := map[string]bool{}
		for _, r := range p.resources {
			for _, reference := range append(r.references("member"), r.Address) {
				if reference == "var.scaler" || strings.HasPrefix(reference, `module.functions.google_secret_manager_secret_iam_member.reader["scale `) {
					granted[unindexed(r.Address)+" "+r.text("role")] = true
				}
			}
		}
		want := map[string]bool{
			"module.bridge.google_cloud_run_v2_worker_pool_iam_member.scaler ":                                   true, // the role's name is known after apply
			"module.bridge.google_service_account_iam_member.scaler roles/iam.serviceAccountUser":                true,
			"module.functions.google_secret_manager_secret_iam_member.reader roles/secretmanager.secretAccessor": true,
		}
		if !maps.Equal(granted, want) {
			t.Errorf("scale may %v, want %v", granted, want)
		}
	})
}

// Who may do what to the lake. Only compact may delete a record's file.
func TestSecurity_LakeRightsAreNarrow(t *testing.T) {
	allowed := map[string]string{ // "" is the whole bucket
		"audit roles/storage.objectViewer":        "",
		"compact roles/storage.objectViewer":      "", // listing takes the whole bucket
		"compact_merges roles/storage.objectUser": "raw/",
		"ingest roles/storage.objectCreator":      "",
		"ingest roles/storage.objectViewer":       "",
		"bridge roles/storage.objectCreator":      "quarantine/",
		"bridge roles/storage.objectViewer":       "quarantine/",
		"transform roles/storage.objectUser":      "dbt/",
		"alert roles/storage.objectUser":          "alerts/",
		"replay roles/storage.objectCreator":      "quarantine/",
		"replay roles/storage.objectViewer":       "",
	}
	each(t, func(t *testing.T, scenario string, p *plan) {
		granted, want := 0, len(allowed)
		if scenarios[scenario]["alert"] == nil {
			want--
		}
		if scenarios[scenario]["replay"] == nil {
			want -= 2
		}
		if !deploysCompact(scenario) {
			want -= 2
		}
		for _, r := range p.all("google_storage_bucket_iam_member") {
			if !r.from("bucket", "var.bucket") {
				continue // the builder's
			}
			granted++
			_, who, _ := strings.Cut(unindexed(r.Address), "iam_member.")
			prefix, known := allowed[who+" "+r.text("role")]
			if !known {
				t.Errorf("%s grants %s on the lake", r.Address, r.text("role"))
			}
			if condition := r.text("condition.0.expression"); (condition == "") != (prefix == "") || !strings.Contains(condition, prefix) {
				t.Errorf("%s holds where %q, want objects below %q", r.Address, condition, prefix)
			}
		}
		if granted != want {
			t.Errorf("%d rights on the lake, want %d", granted, want)
		}
	})
}

// The page is off unless somebody asks for it. It reads the marts and two tables of
// staging, writes nowhere, and is open to those whom the variable names.
func TestSecurity_ThePageOnlyReads(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		var want []string
		asked, _ := scenarios[scenario]["page"].(map[string]any)
		if asked != nil {
			want = []string{"google_bigquery_dataset_iam_member roles/bigquery.dataViewer", "google_bigquery_table_iam_member roles/bigquery.dataViewer",
				"google_bigquery_table_iam_member roles/bigquery.dataViewer", "google_project_iam_member roles/bigquery.jobUser"}
			for _, viewer := range asked["viewers"].([]string) {
				want = append(want, "google_cloud_run_v2_service_iam_member roles/run.invoker "+viewer, "google_cloud_run_v2_service_iam_member roles/run.viewer "+viewer)
			}
		}
		var granted []string
		for _, r := range p.resources {
			_, name, _ := strings.Cut(unindexed(r.Address), "module.functions.")
			if !strings.HasSuffix(name, ".page") && !strings.HasSuffix(name, ".page_jobs") || !strings.Contains(r.Type, "_iam_") {
				continue
			}
			member := ""
			if r.Type == "google_cloud_run_v2_service_iam_member" {
				member = " " + r.text("member")
			}
			granted = append(granted, r.Type+" "+r.text("role")+member)
			if table := r.text("table_id"); r.Type == "google_bigquery_table_iam_member" && table != "incidents" && table != "equipment_failures" {
				t.Errorf("the page reads %s of staging", table)
			}
			if r.Type == "google_bigquery_dataset_iam_member" && !r.from("dataset_id", "var.prod_dataset") {
				t.Errorf("the page reads all of %v", r.references("dataset_id"))
			}
		}
		slices.Sort(want)
		if slices.Sort(granted); !slices.Equal(granted, want) {
			t.Errorf("the page has the rights %q, want %q", granted, want)
		}
		for _, r := range p.resources { // nor any that is granted elsewhere
			if !strings.HasPrefix(r.Address, "module.functions.") && strings.Contains(fmt.Sprint(r.references("member")), "page") {
				t.Errorf("%s grants the page %s", r.Address, r.text("role"))
			}
		}
		deployed := false
		for _, f := range p.all("google_cloudfunctions2_function") {
			if f.text("name") != "page" {
				continue
			}
			deployed = true
			if f.number("service_config.0.min_instance_count") != 0 || f.number("service_config.0.max_instance_count") != 1 {
				t.Errorf("the page has %v to %v instances", f.get("service_config.0.min_instance_count"), f.get("service_config.0.max_instance_count"))
			}
		}
		if deployed != (asked != nil) {
			t.Errorf("the page is deployed: %v", deployed)
		}
	})
}

func TestSecurity_NoKeysAndNothingPublic(t *testing.T) {
	each(t, func(t *testing.T, _ string, p *plan) {
		for _, r := range p.resources {
			if r.Type == "google_service_account_key" || r.Type == "google_storage_hmac_key" {
				t.Errorf("%s is a key that can be lost", r.Address)
			}
		}
		p.strings(func(r *resource, s string) {
			if s == "allUsers" || s == "allAuthenticatedUsers" {
				t.Errorf("%s is open to %s", r.Address, s)
			}
		})
		if len(p.all("google_storage_bucket")) != 2 {
			t.Errorf("there are %d buckets", len(p.all("google_storage_bucket")))
		}
		for _, b := range p.all("google_storage_bucket") {
			if b.get("uniform_bucket_level_access") != true || b.text("public_access_prevention") != "enforced" {
				t.Errorf("%s could be made public", b.Address)
			}
		}
	})
}

// identities says which attribute names the identity of each kind of
// workload.
var identities = map[string]string{
	"google_cloudfunctions2_function": "service_config.0.service_account_email",
	"google_cloud_run_v2_worker_pool": "template.0.service_account",
	"google_cloud_run_v2_job":         "template.0.template.0.service_account",
	"google_cloud_scheduler_job":      "http_target.0.oidc_token.0.service_account_email",
	"google_pubsub_subscription":      "push_config.0.oidc_token.0.service_account_email",
}

func TestSecurity_EachWorkloadHasItsOwnIdentity(t *testing.T) {
	each(t, func(t *testing.T, _ string, p *plan) {
		used := map[string]string{}
		for kind, path := range identities {
			for _, r := range p.all(kind) {
				if strings.HasSuffix(r.Address, ".dead_letter") {
					continue // nothing runs, a person pulls
				}
				references := r.references(path)
				if !slices.ContainsFunc(references, func(s string) bool { return strings.HasPrefix(s, "google_service_account.") }) {
					t.Errorf("%s runs as the default identity (%v)", r.Address, references)
					continue
				}
				// Functions choose theirs by their own name.
				key := references[0]
				if slices.Contains(references, "each.key") {
					key += r.Address
				}
				if other, taken := used[key]; taken {
					t.Errorf("%s and %s share an identity", r.Address, other)
				}
				used[key] = r.Address
			}
		}
		for _, f := range p.all("google_cloudfunctions2_function") {
			if !f.from("build_config.0.service_account", "var.builder") {
				t.Errorf("%s is built by the default identity", f.Address)
			}
		}
	})
}

func TestSecurity_OnlyCallersThatAreMeantCall(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		want := map[string]string{
			"module.transport.google_cloud_run_v2_service_iam_member.push":       "google_service_account.push.member",
			"module.scheduling.google_cloud_run_v2_service_iam_member.scheduler": "google_service_account.scheduler.member",
		}
		want["module.scheduling.google_cloud_run_v2_service_iam_member.scale_scheduler"] = "google_service_account.scale_scheduler.member"
		if scenarios[scenario]["alert"] != nil {
			want["module.transport.google_cloud_run_v2_service_iam_member.alert_push"] = "google_service_account.alert_push[0].member"
		}
		want["module.scheduling.google_cloud_run_v2_service_iam_member.audit_scheduler"] = "google_service_account.audit_scheduler.member"
		if deploysCompact(scenario) {
			want["module.scheduling.google_cloud_run_v2_service_iam_member.compact_scheduler"] = "google_service_account.compact_scheduler[0].member"
		}
		http := scenario == "http" || scenario == "everything"
		if http {
			want["module.bridge.google_cloud_run_v2_service_iam_member.bridge"] = "google_service_account.bridge.member"
		}
		for _, r := range p.resources {
			if !strings.Contains(r.text("role"), "nvoker") {
				continue
			}
			if unindexed(r.Address) == "module.functions.google_cloud_run_v2_service_iam_member.page" {
				continue // TestSecurity_ThePageOnlyReads
			}
			if unindexed(r.Address) == "module.functions.google_cloud_run_v2_service_iam_member.replay" {
				if scenario != "alert" || r.text("member") != "user:ana@example.com" { // the one that is named
					t.Errorf("%s lets %s call", r.Address, r.text("member"))
				}
				continue
			}
			reference, meant := want[unindexed(r.Address)]
			if !meant || !r.from("member", reference) {
				t.Errorf("%s lets %v call", r.Address, r.references("member"))
			}
			delete(want, unindexed(r.Address))
		}
		for address := range want {
			t.Errorf("%s is missing: its calls would be refused", address)
		}

		push := p.one(t, "module.transport.google_pubsub_subscription.ingest")
		if !push.from("push_config.0.oidc_token.0.audience", "var.ingest.uri") {
			t.Error("Pub/Sub's tokens name no audience")
		}
		for _, function := range []string{"audit", "scale", "transform"} {
			job := p.one(t, "module.scheduling.google_cloud_scheduler_job."+function)
			if !job.from("http_target.0.oidc_token.0.audience", "var."+function+".uri") {
				t.Errorf("the scheduler's tokens for %s name no audience", function)
			}
		}

		if deploysCompact(scenario) && !p.one(t, "module.scheduling.google_cloud_scheduler_job.compact[0]").from("http_target.0.oidc_token.0.audience", "var.compact.uri") {
			t.Error("the scheduler's tokens for compact name no audience")
		}

		ingress := map[string]string{}
		for _, f := range p.all("google_cloudfunctions2_function") {
			ingress[f.text("name")] = f.text("service_config.0.ingress_settings")
		}
		wanted := "ALLOW_INTERNAL_ONLY"
		if scenario == "http" { // the bridge's calls come over the Internet without a network
			wanted = "ALLOW_ALL"
		}
		if ingress["ingest"] != wanted || ingress["transform"] != "ALLOW_INTERNAL_ONLY" || ingress["scale"] != "ALLOW_INTERNAL_ONLY" || ingress["audit"] != "ALLOW_INTERNAL_ONLY" {
			t.Errorf("functions take calls from %v", ingress)
		}
		if from, deployed := ingress["compact"]; deployed != deploysCompact(scenario) || deployed && from != "ALLOW_INTERNAL_ONLY" {
			t.Errorf("compact is deployed: %v, and takes calls from %q", deployed, from)
		}
		if from, deployed := ingress["alert"]; deployed != (scenarios[scenario]["alert"] != nil) || deployed && from != "ALLOW_INTERNAL_ONLY" {
			t.Errorf("alert is deployed: %v, and takes calls from %q", deployed, from)
		}
		if from, deployed := ingress["page"]; deployed != (scenarios[scenario]["page"] != nil) || deployed && from != "ALLOW_ALL" { // from a browser, over gcloud's proxy
			t.Errorf("page is deployed: %v, and takes calls from %q", deployed, from)
		}
		if from, deployed := ingress["replay"]; deployed != (scenarios[scenario]["replay"] != nil) || deployed && from != "ALLOW_ALL" {
			t.Errorf("replay is deployed: %v, and takes calls from %q", deployed, from)
		}
	})
}

var secretName = regexp.MustCompile(`(?i)password|secret|token|credential|_key$`)

func TestSecurity_SecretsAreReferences(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		for workload, variables := range environments(p) {
			for name, v := range variables {
				if secretName.MatchString(name) && v.secret == "" {
					t.Errorf("%s has %s as plain text", workload, name)
				}
			}
		}
		for _, workload := range []string{"bridge", "scale"} {
			if environments(p)[workload]["KAFKA_SASL_PASSWORD"].secret == "" {
				t.Errorf("the %s has no password", workload)
			}
		}
		for name, v := range p.variables {
			given := secretName.MatchString(name) && name != "kms_key" // a name, not a key
			if given && !v.Sensitive {
				t.Errorf("the variable %s is shown in plans", name)
			}
			if v.Description == "" {
				t.Errorf("the variable %s has no description", name)
			}
		}
	})
}

func TestSecurity_DataOutlivesDestroyUnlessDemo(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		demo := scenario == "demo"
		policy := map[bool]string{false: "ABANDON", true: "DELETE"}[demo]
		for _, r := range p.resources {
			switch {
			case r.Type == "google_storage_bucket":
				if r.get("force_destroy") != demo || r.text("deletion_policy") != policy {
					t.Errorf("%s: force_destroy %v, deletion_policy %v", r.Address, r.get("force_destroy"), r.get("deletion_policy"))
				}
			case r.Type == "google_bigquery_dataset":
				if r.get("delete_contents_on_destroy") != demo || r.text("deletion_policy") != policy {
					t.Errorf("%s: delete_contents_on_destroy %v, deletion_policy %v", r.Address, r.get("delete_contents_on_destroy"), r.get("deletion_policy"))
				}
			case strings.HasPrefix(r.Address, "module.warehouse.google_bigquery_table.staging"):
				if r.get("deletion_protection") != !demo || r.text("deletion_policy") != policy {
					t.Errorf("%s: deletion_protection %v, deletion_policy %v", r.Address, r.get("deletion_protection"), r.get("deletion_policy"))
				}
			}
		}
	})
}

func TestSecurity_EverythingHasALimit(t *testing.T) {
	each(t, func(t *testing.T, _ string, p *plan) {
		for _, f := range p.all("google_cloudfunctions2_function") {
			for _, limit := range []string{"max_instance_count", "max_instance_request_concurrency", "timeout_seconds"} {
				if f.number("service_config.0."+limit) < 1 {
					t.Errorf("%s has no %s", f.Address, limit)
				}
			}
			if f.text("service_config.0.available_memory") == "" || f.text("service_config.0.available_cpu") == "" {
				t.Errorf("%s has no limit of memory or CPU", f.Address)
			}
		}
		bridge := p.one(t, "module.bridge.google_cloud_run_v2_worker_pool.bridge")
		for _, limit := range []string{"cpu", "memory"} {
			if at(bridge.get("template.0.containers.0.resources.0.limits"), limit) == nil {
				t.Errorf("the bridge has no limit of %s", limit)
			}
		}
		if most := environments(p)["scale"]["SCALE_MAX_INSTANCES"].value; most == "" {
			t.Error("the bridge has no limit of instances")
		}
		quota := p.one(t, "module.warehouse.google_cloud_quotas_quota_preference.query")
		if quota.text("quota_id") != "QueryUsagePerDay" || quota.text("quota_config.0.preferred_value") == "" {
			t.Error("BigQuery may bill without limit")
		}
		for _, table := range p.all("google_bigquery_table") {
			if table.get("external_data_configuration.0") != nil && table.get("external_data_configuration.0.hive_partitioning_options.0.require_partition_filter") != true {
				t.Errorf("%s: one query can read the whole lake", table.Address)
			}
		}
	})
}

// keyed says which attribute holds the customer's key.
var keyed = map[string]string{
	"google_artifact_registry_repository": "kms_key_name",
	"google_bigquery_dataset":             "default_encryption_configuration.0.kms_key_name",
	"google_cloud_run_v2_job":             "template.0.template.0.encryption_key",
	"google_cloud_run_v2_worker_pool":     "template.0.encryption_key",
	"google_cloudfunctions2_function":     "kms_key_name",
	"google_pubsub_topic":                 "kms_key_name",
	"google_secret_manager_secret":        "replication.0.user_managed.0.replicas.0.customer_managed_encryption.0.kms_key_name",
	"google_storage_bucket":               "encryption.0.default_kms_key_name",
}

func TestSecurity_OneVariableSetsTheKeyEverywhere(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		key, _ := scenarios[scenario]["kms_key"].(string)
		for kind, path := range keyed {
			for _, r := range p.all(kind) {
				if got := r.text(path); got != key {
					t.Errorf("%s is encrypted with %q, want %q", r.Address, got, key)
				}
			}
		}
		for _, r := range p.all("google_bigquery_table") {
			if got := r.text("encryption_configuration.0.kms_key_name"); strings.Contains(r.Address, ".staging[") && got != key {
				t.Errorf("%s is encrypted with %q, want %q", r.Address, got, key)
			}
		}
		if agents := len(p.all("google_kms_crypto_key_iam_member")); agents != map[bool]int{true: 7, false: 0}[key != ""] {
			t.Errorf("%d agents may use the key", agents)
		}
	})
}

func TestSecurity_OneVariableSendsTrafficThroughANetwork(t *testing.T) {
	each(t, func(t *testing.T, scenario string, p *plan) {
		network, _ := scenarios[scenario]["network"].(map[string]any)
		subnetwork, _ := network["subnetwork"].(string)
		paths := map[string]string{
			"google_cloud_run_v2_job":         "template.0.template.0.vpc_access.0.network_interfaces.0.subnetwork",
			"google_cloud_run_v2_worker_pool": "template.0.vpc_access.0.network_interfaces.0.subnetwork",
			"google_cloudfunctions2_function": "service_config.0.direct_vpc_network_interface.0.subnetwork",
		}
		for kind, path := range paths {
			for _, r := range p.all(kind) {
				if got := r.text(path); got != subnetwork {
					t.Errorf("%s goes through %q, want %q", r.Address, got, subnetwork)
				}
			}
		}
	})
}

func TestSecurity_ProvidersArePinnedByConstraint(t *testing.T) {
	text, err := os.ReadFile(repository + "/terraform/versions.tf")
	if err != nil {
		t.Fatal(err)
	}
	sources := regexp.MustCompile(`source\s*=`).FindAll(text, -1)
	pinned := regexp.MustCompile(`version\s*= "~> \d+\.\d+\.\d+"`).FindAll(text, -1)
	if len(sources) == 0 || len(sources) != len(pinned) {
		t.Errorf("%d providers, %d of them pinned to a minor version", len(sources), len(pinned))
	}
	ignored, err := os.ReadFile(repository + "/.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".terraform.lock.hcl", "*.tfstate", "*.tfvars"} {
		if !slices.Contains(strings.Split(string(ignored), "\n"), name) {
			t.Errorf(".gitignore lets %s in", name)
		}
	}
}
