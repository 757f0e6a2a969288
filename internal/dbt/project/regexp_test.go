package project

import (
	"strings"
	"testing"
)

// Python's regular expressions give what Python gives, or say that they do not.
func TestModules_RegularExpressions(t *testing.T) {
	for source, want := range map[string]string{
		`modules.re.sub('[ -]+', '_', 'a - b')`:        "a_b",
		`modules.re.sub('(a)(b)', '\\2\\1$', 'ab')`:    "ba$",
		`modules.re.sub('(?P<x>a)', '<\\g<x>>', 'ab')`: "<a>b",
		`modules.re.match('a(b)', 'abc').group(1)`:     "b",
		`modules.re.match('b', 'abc') is none`:         "True",
		`modules.re.match('a(x)?b', 'ab').group(1)`:    "None",
		`modules.re.findall('a(.)', 'abac')`:           "['b', 'c']",
		`modules.re.fullmatch('a.c', 'abcd') is none`:  "True",
		`modules.re.sub('x*', '-', 'abc')`:             "error: matches nothing",
		`modules.re.sub('(?=a)', '-', 'abc')`:          "error: this regular expression is not supported here",
		`modules.re.sub('a', '-', 'ä')`:                "error: other characters than ASCII",
		`modules.re.search('a$', 'a\n')`:               "error: ends with a line end",
		`modules.re.sub('a', '\\n', 'a')`:              "error: the replacement",
		`modules.re.match('a', 'a').group(1)`:          "error: there is no group 1",
		`modules.datetime.datetime.now()`:              "error: modules.datetime is not supported: use current_timestamp()",
		`modules.re.split('a', 'bab')`:                 "error: modules.re.split is not supported",
	} {
		p, err := Load(files(map[string]string{"models/raw.sql": "{{ " + source + " }}"}), Target{Project: "p", Dataset: "d"})
		if message, isError := strings.CutPrefix(want, "error: "); isError {
			if err == nil || !strings.Contains(err.Error(), message) || !strings.Contains(err.Error(), "models/raw.sql:1") {
				t.Errorf("%s: got %v, want %q", source, err, message)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if compiled, err := p.Compile(p.models["raw"], Compilation{Execute: true}); err != nil || compiled.SQL != want {
			t.Errorf("%s: got %v %v, want %s", source, compiled, err, want)
		}
	}
}
