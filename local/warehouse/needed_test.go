package warehouse

import (
	"net/http"
	"strings"
	"testing"
)

// TestEmulator_StillNeedsWhatTheGatewayMends asks the emulator itself. A part that fails is mended upstream: remove the
// gateway's mend with it.
func TestEmulator_StillNeedsWhatTheGatewayMends(t *testing.T) {
	w, _ := start(t, "")
	if err := w.gate.enter(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	defer w.gate.leave()
	ask := func(method, path string, body any) string {
		t.Helper()
		got, fault := w.emulator.call(t.Context(), method, "/projects/"+testProject+path, body)
		if fault != nil {
			t.Fatal(fault)
		}
		return string(got.body)
	}
	query := func(sql string) string { return ask(http.MethodPost, "/queries", map[string]any{"query": sql}) }
	ask(http.MethodPost, "/datasets", map[string]any{"datasetReference": map[string]string{"datasetId": "s"}})
	query("create table s.t as select 1 as a")
	for _, mend := range []struct {
		name   string
		broken func() bool
	}{
		{"script and variables: a variable outlives its request", func() bool {
			query("declare leaked int64 default 7")
			return strings.Contains(query("select leaked"), `"7"`)
		}},
		{"script.transaction: what is not committed stays", func() bool {
			query("begin transaction; insert into s.t values (2)")
			return strings.Contains(query("select count(*) from s.t"), `"2"`)
		}},
		{"plain: a comment is read as statements", func() bool {
			query("select 1 -- ; declare hidden int64 default 8")
			return strings.Contains(query("select hidden"), `"8"`)
		}},
		{"missing: IF does nothing and succeeds", func() bool { return !strings.Contains(query("if true then select error('x'); end if"), `"error"`) }},
		{"missing: ALTER TABLE does nothing and succeeds", func() bool { return !strings.Contains(query("alter table s.t add column b int64"), `"error"`) }},
		{"script.assert: ASSERT always holds", func() bool { return !strings.Contains(query("assert false"), `"error"`) }},
		{"missing: CAST ignores FORMAT", func() bool {
			return strings.Contains(query("select cast(date '2018-01-30' as string format 'YYYY')"), "2018-01-30")
		}},
		{"withTypes: a BOOL is a number in JSON", func() bool { return strings.Contains(query("select to_json_string(true)"), `{"v":"1"}`) }},
		{"nameColumns: columns without a name are $col", func() bool { return strings.Contains(query("select 1"), "$col") }},
		{"runner.createSchema: CREATE SCHEMA makes nothing", func() bool {
			query("create schema made")
			return !strings.Contains(ask(http.MethodGet, "/datasets", nil), "made")
		}},
		{"runner.replace: the old columns stay", func() bool {
			query("create or replace table s.t as select 1 as b")
			return !strings.Contains(ask(http.MethodGet, "/datasets/s/tables/t", nil), `"b"`)
		}},
		{"rest.listRoutines: it fails", func() bool { return strings.Contains(ask(http.MethodGet, "/datasets/s/routines", nil), "error") }},
		{"typedNull: a NULL is an INT64 in a set operation", func() bool {
			return strings.Contains(query("select date '2026-01-01' union all select null"), "Invalid cast")
		}},
		{"changes: it does not say how many rows changed", func() bool { return !strings.Contains(query("delete from s.t where a = 9"), "numDmlAffectedRows") }},
	} {
		if !mend.broken() {
			t.Errorf("not needed any more: %s", mend.name)
		}
	}
}
