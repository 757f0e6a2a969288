package warehouse

import (
	"fmt"
	"strings"
	"testing"
)

// Grants are shown as they were given; they refuse nobody anything.
func TestGrants_AreShown(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s; create table s.t as select 1 as n")
	shown := func() string {
		t.Helper()
		rows := run(t, client, "select object_name, privilege_type, grantee from `region-us`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES "+
			"where object_schema = 's' and split(grantee, ':')[offset(1)] != session_user() order by 1, 2, 3")
		return fmt.Sprint(rows)
	}
	run(t, client, "grant `roles/bigquery.dataViewer`, `roles/x` on table s.t to 'user:a@b', \"user:c@d\"; grant `roles/x` on schema s to 'user:e@f'")
	run(t, client, "revoke `roles/x` on table s.t from 'user:a@b'")
	if got, want := shown(), "[[ roles/x user:e@f] [t roles/bigquery.dataViewer user:a@b] [t roles/bigquery.dataViewer user:c@d] [t roles/x user:c@d]]"; got != want {
		t.Errorf("shown are %s, want %s", got, want)
	}
	for statement, want := range map[string]string{
		"grant `roles/x` on table s.other to 'user:a@b'": "Not found: Table",
		"grant `roles/x` on table s.t to user":           "GRANT wants roles",
		"grant select to 'user:a@b'":                     "GRANT wants roles",
	} {
		if _, err := client.Query(statement).Read(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", statement, err, want)
		}
	}
}
