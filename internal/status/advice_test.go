package status

import (
	"slices"
	"strings"
	"testing"
)

// What waits in the dead letter is named, and each line of the remedy ends with
// its command.
func TestBuried(t *testing.T) {
	for name, row := range map[string]struct {
		messages int64
		foreign  []string
		note     string
		commands []string
	}{
		"a batch": {1, nil, "1 batch waits in the dead letter.", []string{"stationflow deadletters list", "stationflow deadletters resend --all"}},
		"a foreign message": {1, []string{"m1"}, "1 message that is not a batch waits in the dead letter.",
			[]string{"stationflow deadletters show m1", `stationflow deadletters discard --reason "not a batch" m1`}},
		"both": {4, []string{"m1", "m2"}, "2 batches wait in the dead letter. 2 messages that are not batches wait in the dead letter.",
			[]string{"stationflow deadletters list", "stationflow deadletters resend --all", "stationflow deadletters show m1", `stationflow deadletters discard --reason "not a batch" m1 m2`}},
	} {
		h := Buried(row.messages, row.foreign)
		var commands []string
		for line := range strings.SplitSeq(h.Remedy, "\n") {
			words, command := Command(line)
			if !strings.HasSuffix(words, ":") {
				t.Errorf("%s: %q", name, line)
			}
			commands = append(commands, command)
		}
		if h.State != Failing || h.Note != row.note || !slices.Equal(commands, row.commands) {
			t.Errorf("%s: %+v, want %q and %q", name, h, row.note, row.commands)
		}
	}
}

// A second thing to say of a hop does not hide the first.
func TestHealth_And(t *testing.T) {
	both := Health{Failing, "One.", "Do this: stationflow status"}.And(Health{Behind, "Two.", "Then that."})
	if want := (Health{Failing, "One. Two.", "Do this: stationflow status\nThen that."}); both != want {
		t.Errorf("%+v", both)
	}
	if one := (Health{State: Flowing}).And(Health{Note: "Two."}); one != (Health{Flowing, "Two.", ""}) {
		t.Errorf("%+v", one)
	}
}
