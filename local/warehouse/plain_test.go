package warehouse

import "testing"

func TestPlain(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1 -- it's; x\n, 2":              "select 1           \n, 2",
		"select /* a\nb */ 1":                   "select     \n     1",
		"select '''it's\n\"x\" \\' ''', r'\\d'": `select "it's\n\"x\" \' ", r'\d'`,
		`select r"""a\b"""`:                     `select "a\\b"`,
		"select b'''x'''":                       `select b"x"`,
		"select `a--b`":                         "select `a--b`",
		"":                                      "",
	} {
		if got := plain(sql); got != want {
			t.Errorf("%q:\n got %q\nwant %q", sql, got, want)
		}
		if got := plain(plain(sql)); got != plain(sql) {
			t.Errorf("%q: again %q", sql, got)
		}
	}
}
