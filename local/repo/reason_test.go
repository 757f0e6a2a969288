package repo_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An edit adds lines behind those that a file has once.
type edit struct{ file, behind, lines string }

// The examples of CONTRIBUTING.md, each by the file that a step names.
var (
	rule = []edit{
		{"event/event.go", `json:"wagon_count" rule:"min=0`, ",max=40"},
	}
	reason = []edit{
		{"event/row.go", "	UnknownValue       Reason = \"unknown_value\"\n", "	Placeholder        Reason = \"placeholder\"\n"},
		{"event/row.go", "WrongType, OutOfRange, UnknownValue, ", "Placeholder, "},
		{"event/rules.go", "func (j *Judge) checkText(f *field, text []byte) {\n", `	for _, placeholder := range placeholders {
		if f.NonEmpty && string(text) == placeholder {
			j.refuse(Placeholder, "field %q is %s, which names nothing", f.Name, quote(text))
		}
	}
`},
		{"event/rules.go", "const maxFields = 64\n", "\n// placeholders are what producers write that have no name.\nvar placeholders = []string{\"null\", \"N/A\"}\n"},
		{"event/oracle_test.go", "	case f.NonEmpty && text == \"\":\n		return MissingField\n", "	case f.NonEmpty && (text == \"null\" || text == \"N/A\"):\n		return Placeholder\n"},
		{"event/decode_test.go", "		{UnknownValue, \"direction\", `\"Up\"`},\n", "		{Placeholder, \"id\", `\"null\"`},\n"},
		{"cmd/generate/examples.go", "case counts.\", Topic: \"train_departures\", Example: `\"direction\": \"north\"`},\n",
			"	{Reason: event.Placeholder, Meaning: \"id or station is a word that stands for nothing: null or N/A.\", Topic: \"incidents\", Example: `\"station\": \"N/A\"`},\n"},
		{"simulator/spoiler.go", "		return s.with(value, name, pick(c, `\"Unknown\"`, `\"minor\"`, `\"NORTH\"`, `\"\"`))\n", `	case event.Placeholder:
		return s.with(value, pick(c, s.named(func(c event.Column) bool { return c.NonEmpty })...), pick(c, ` + "`\"null\"`, `\"N/A\"`" + `))
`},
		{"local/e2e/events_test.go", "		{event.UnknownValue, \"incidents\", incident(`\"severity\":\"minor\"`)},\n", "		{event.Placeholder, \"incidents\", incident(`\"station\":\"null\"`)},\n"},
	}
)

// The steps name each file that has to be written for a rule and for a reason,
// and no other.
func TestContributing_NamesWhatARuleAndAReasonNeed(t *testing.T) {
	for heading, edits := range map[string][]edit{"A rule": rule, "A reason": reason} {
		_, chapter, _ := strings.Cut(read(t, "CONTRIBUTING.md"), "\n### "+heading+"\n")
		chapter, _, _ = strings.Cut(chapter, "\n##")
		named, wanted := map[string]bool{}, map[string]bool{}
		for _, file := range regexp.MustCompile("`([a-z0-9_/]+\\.go)`").FindAllStringSubmatch(chapter, -1) {
			named[file[1]] = true
		}
		for _, e := range edits {
			wanted[e.file] = true
			if strings.Count(read(t, e.file), e.behind) != 1 {
				t.Errorf("%s does not have %q once", e.file, e.behind)
			}
		}
		if diff := cmp.Diff(wanted, named); diff != "" {
			t.Errorf("### %s names other files than are written: %s", heading, diff)
		}
	}
}

// addRuleAndReason does these steps.
func (c *repositoryCopy) addRuleAndReason() {
	c.t.Helper()
	for _, e := range slices.Concat(rule, reason) {
		c.insert(e.file, e.behind, e.lines)
	}
}
