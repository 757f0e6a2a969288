package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/stationflow/stationflow/internal/deadletter"
)

// One is shown with what it carries, and taken away for ever only with a reason.
func TestDeadLetters_ShowAndDiscard(t *testing.T) {
	m := newMail(t)
	m.bury(10, map[string]string{"CloudPubSubDeadLetterSourceDeliveryCount": "7", "CloudPubSubDeadLetterSourceSubscription": "stationflow-ingest"})
	second := m.bury(20, deadletter.Cause{Attempts: 20, Since: time.Unix(2, 0), Source: "bridge g", Reason: "answered 500: poison"}.Attributes())
	m.publish(&pubsubpb.PubsubMessage{Data: []byte("hello"), Attributes: map[string]string{"a": "b"}})

	id := second.Attributes["ce-id"]
	m.mustSay(0, []string{"show", "--wait", "1s", id}, "answered 500: poison", "attempts  20", "ce-recordcount: 2", "partition 3, offset 20, key null, value of 1 bytes")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "ingest takes no such event", "in its lines with batch "+topicID+"-3-10-11", "3 dead letters")

	var list struct {
		Letters []letterJSON `json:"dead_letters"`
	}
	m.json(&list, "list", "--wait", "1s", "--json")
	var shown struct {
		Letter struct {
			Message string
			Held    []letterRecordJSON `json:"records_held"`
		} `json:"dead_letter"`
	}
	m.json(&shown, "show", "--wait", "1s", "--json", id)
	if len(list.Letters) != 3 || len(shown.Letter.Held) != 2 || shown.Letter.Held[1].Offset != 21 {
		t.Errorf("list --json: %+v, show --json: %+v", list, shown)
	}

	m.mustSay(0, []string{"discard", "--wait", "1s", "--reason", "a test's", id}, `"msg":"dead letter discarded","reason":"a test's"`,
		`"event":"`+id+`"`, `"cause":"answered 500: poison"`, "1 dead letter discarded")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "2 dead letters")
	m.mustSay(0, []string{"discard", "--wait", "1s", "--reason", "a test's", "--all"}, "2 dead letters discarded")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "no dead letters")
	if got := m.resent(); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
}

// json runs the command and reads what it prints.
func (m *mail) json(to any, args ...string) {
	m.t.Helper()
	code, said := m.run(args...)
	if err := json.Unmarshal([]byte(said[strings.Index(said, "{"):]), to); err != nil || code != 0 {
		m.t.Fatalf("%v: exit code %d, %v: %s", args, code, err, said)
	}
}
