package status

import (
	"fmt"
	"strings"
)

// A remedy's commands each go on to the end of their line, so that they can be
// pasted: Command parts a line from the command that ends it, "" where none
// does.
func Command(line string) (words, command string) {
	const tool = "stationflow "
	if strings.HasPrefix(line, tool) {
		return "", line
	}
	words, command, found := strings.Cut(line, ": "+tool)
	if !found {
		return line, ""
	}
	return words + ":", tool + command
}

// mostNamed is how many messages a command names.
const mostNamed = 3

// Buried is the health of a transport with so many messages in the dead letter,
// of which those are named that are not batches: ingest never takes them.
func Buried(messages int64, foreign []string) Health {
	h := Health{State: Failing}
	var notes, remedies []string
	if batches := messages - int64(len(foreign)); batches > 0 {
		notes = append(notes, plural(batches, "batch waits", "batches wait")+" in the dead letter.")
		remedies = append(remedies, "See why: stationflow deadletters list", "Once that is mended: stationflow deadletters resend --all")
	}
	if n := int64(len(foreign)); n > 0 {
		one, them := "it", "it away, which keeps it"
		if n > 1 {
			one, them = "one", "them away, which keeps them"
		}
		notes = append(notes, plural(n, "message that is not a batch waits", "messages that are not batches wait")+" in the dead letter.")
		remedies = append(remedies, fmt.Sprintf("Look at %s: stationflow deadletters show %s", one, foreign[0]),
			fmt.Sprintf("Take %s in the lake: stationflow deadletters discard --reason \"not a batch\" %s", them, strings.Join(foreign[:min(mostNamed, len(foreign))], " ")))
	}
	h.Note, h.Remedy = strings.Join(notes, " "), strings.Join(remedies, "\n")
	return h
}

// And adds to a health what else there is to say of the hop; the state is the
// first one's.
func (h Health) And(more Health) Health {
	h.Note = strings.TrimSpace(h.Note + " " + more.Note)
	h.Remedy = strings.TrimSpace(h.Remedy + "\n" + more.Remedy)
	return h
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
