package sqltext

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	text := " select ';', r'\\';', \"\"\"a;\"b\"\"\" -- ; no\n from `a;b`; # ;\n/* ; */ ;\nGrant `roles/x` on table p-1.d.t to 'x' ; alter table if exists `p`.`d`.t set options () "
	var got []string
	for _, s := range Split(text) {
		got = append(got, strings.Join(s.Words(2), " ")+" | "+s.After("TABLE")+" | "+s.Text)
	}
	want := []string{
		"SELECT |  | select ';', r'\\';', \"\"\"a;\"b\"\"\" -- ; no\n from `a;b`",
		"GRANT | p-1.d.t | Grant `roles/x` on table p-1.d.t to 'x'",
		"ALTER TABLE | p.d.t | alter table if exists `p`.`d`.t set options ()",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRedirect(t *testing.T) {
	to := func(path string) (string, error) {
		if path == "p-1.d.t" || path == "d.t" {
			return "`n`", nil
		}
		return "", nil
	}
	for text, want := range map[string]string{
		"select '`p-1`.`d`.`t`', d.t2 -- d.t\nfrom `p-1`.`d`.`t` as t, d.t, `d.t`, x.d.t where d.t-1 > t.d": "select '`p-1`.`d`.`t`', d.t2 -- d.t\nfrom `n` as t, `n`, `n`, x.d.t where d.t-1 > t.d",
		"p-1.d.t": "`n`", "d . t": "d . t", "": "",
	} {
		if got, err := Redirect(text, to); got != want || err != nil {
			t.Errorf("%s is redirected to %s (%v), want %s", text, got, err, want)
		}
	}
	fault := errors.New("no")
	if _, err := Redirect("select d.t", func(string) (string, error) { return "", fault }); !errors.Is(err, fault) {
		t.Error(err)
	}
}

func FuzzRedirect(f *testing.F) {
	f.Add("select '`a`.b' from `a`.b -- x")
	f.Add("'''")
	f.Fuzz(func(t *testing.T, text string) {
		same, err := Redirect(text, func(string) (string, error) { return "", nil })
		if same != text || err != nil {
			t.Errorf("%q became %q: %v", text, same, err)
		}
		Split(text)
	})
}
