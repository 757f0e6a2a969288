package deploytest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stationflow/stationflow/functions/alert"
)

// Only what the rules name is filtered in, and copied over http.
func TestContract_AlertTopicsAreThoseOfTheRules(t *testing.T) {
	if got := deployment(t).AlertTopics; !slices.Equal(got, alert.Topics()) {
		t.Errorf("deployment.json names %q, the rules %q", got, alert.Topics())
	}
}

// What may hold alerts reaches the function over both transports, within the
// time that it takes, and the function reaches only what is its own.
func TestContract_Alert(t *testing.T) {
	d := deployment(t)
	for _, scenario := range []string{"alert", "everything"} {
		t.Run(scenario, func(t *testing.T) {
			p := planOf(t, scenario)
			function := p.one(t, `module.functions.google_cloudfunctions2_function.function["alert"]`)
			if limit := function.number("service_config.0.timeout_seconds"); limit >= float64(d.PushAckDeadline) || limit <= 120 {
				t.Errorf("alert may take %v s", limit)
			}
			name := map[string]string{"alert": d.AlertSubscription, "everything": d.AlertCopiesSubscription}[scenario]
			s := p.one(t, "module.transport.google_pubsub_subscription.alert[0]")
			if s.text("name") != name || s.text("filter") != d.AlertFilter || s.get("push_config.0.no_wrapper.0.write_metadata") != true ||
				s.number("ack_deadline_seconds") != float64(d.PushAckDeadline) || s.text("message_retention_duration") != fmt.Sprintf("%ds", d.AlertRetention) {
				t.Errorf("subscription %s: filter %s, %v", s.text("name"), s.text("filter"), s.get("push_config"))
			}
			if !s.from("push_config.0.oidc_token.0.audience", "var.alert.uri") {
				t.Error("Pub/Sub's tokens name no audience")
			}
			copies := environments(p)["bridge"]["BRIDGE_ALERT_COPIES_TOPIC"].value
			if want := map[string]string{"alert": "", "everything": d.AlertCopiesTopic}[scenario]; copies != want {
				t.Errorf("the bridge copies to %q, want %q", copies, want)
			}
			if role := p.one(t, "module.functions.google_storage_bucket_iam_member.alert[0]"); role.text("role") != "roles/storage.objectUser" ||
				role.text("condition.0.expression") != `resource.name.startsWith("projects/_/buckets/my-stations-4711-stationflow-lake/objects/alerts/")` {
				t.Errorf("alert has %s where %s", role.text("role"), role.text("condition.0.expression"))
			}
			set := environments(p)["alert"]
			if set["ALERT_WEBHOOK"].secret != "alert-webhook" || set["ALERT_WEBHOOK"].value != "" {
				t.Errorf("the webhook is %+v, want a secret", set["ALERT_WEBHOOK"])
			}
			if got, want := set["ALERT_TOPIC"].value, map[string]string{"everything": "pager"}[scenario]; got != want {
				t.Errorf("alert publishes to %q, want %q", got, want)
			}
		})
	}
}
