package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/batch/batchtest"
	"github.com/stationflow/stationflow/internal/deadletter"
	"github.com/stationflow/stationflow/internal/deadletter/mailbox"
)

const topicID = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"

// A mail is a Pub/Sub with the topic of records and that of dead letters.
type mail struct {
	*pstest.Server
	t   *testing.T
	env map[string]string // besides the project
}

// A swiftClock waits no real time: its own goes on by as much.
type swiftClock struct{ ahead time.Duration }

func (c *swiftClock) Now() time.Time { return time.Now().Add(c.ahead) }

func (c *swiftClock) Wait(ctx context.Context, d time.Duration) error {
	c.ahead += d
	return ctx.Err()
}

func newMail(t *testing.T, options ...pstest.ServerReactorOption) *mail {
	t.Helper()
	options = append(options, pstest.ServerReactorOption{FuncName: "Pull", Reactor: emptyAtOnce{}})
	m := &mail{pstest.NewServer(options...), t, nil}
	t.Cleanup(func() { m.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", m.Addr)
	for topic, subscription := range map[string]string{"stationflow-records": "records", "stationflow-dead-letter": "stationflow-dead-letter"} {
		if _, err := m.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: "projects/p/topics/" + topic}); err != nil {
			t.Fatal(err)
		}
		s := &pubsubpb.Subscription{Name: "projects/p/subscriptions/" + subscription, Topic: "projects/p/topics/" + topic, AckDeadlineSeconds: 60}
		if _, err := m.GServer.CreateSubscription(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// emptyAtOnce says at once that nothing waits. Pub/Sub says so after a while,
// for which a test need not wait: it buries before it looks.
type emptyAtOnce struct{}

func (emptyAtOnce) React(request any) (handled bool, answer any, err error) {
	request.(*pubsubpb.PullRequest).ReturnImmediately = true
	return false, nil, nil
}

// bury puts a batch at the offset into the dead letter topic, the one at 10 in
// the form of an earlier bridge.
func (m *mail) bury(offset int64, more map[string]string) *pubsubpb.PubsubMessage {
	m.t.Helper()
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes,
		Records: []batch.Record{{Partition: 3, Offset: offset, Value: []byte("v")}, {Partition: 3, Offset: offset + 1}}}
	e, err := b.Event(time.Unix(1, 0), "")
	if err != nil {
		m.t.Fatal(err)
	}
	if offset == 10 {
		e = batchtest.V1(m.t, b, time.Unix(1, 0))
	}
	original := &pubsubpb.PubsubMessage{Data: e.Data(), Attributes: batch.Attributes(e)}
	buried := proto.Clone(original).(*pubsubpb.PubsubMessage)
	for name, value := range more {
		buried.Attributes[name] = value
	}
	m.publish(buried)
	return original
}

func (m *mail) publish(message *pubsubpb.PubsubMessage) {
	m.t.Helper()
	request := &pubsubpb.PublishRequest{Topic: "projects/p/topics/stationflow-dead-letter", Messages: []*pubsubpb.PubsubMessage{message}}
	if _, err := m.GServer.Publish(m.t.Context(), request); err != nil {
		m.t.Fatal(err)
	}
}

// resent returns what is in the records topic.
func (m *mail) resent() (all []*pubsubpb.PubsubMessage) {
	for _, message := range m.Messages() {
		if message.Topic == "projects/p/topics/stationflow-records" {
			all = append(all, &pubsubpb.PubsubMessage{Data: message.Data, Attributes: message.Attributes})
		}
	}
	return all
}

// run runs the command and returns its exit code and all it said.
func (m *mail) run(args ...string) (code int, said string) {
	var out strings.Builder
	getenv := func(name string) string {
		if name == "GOOGLE_CLOUD_PROJECT" {
			return "p"
		}
		return m.env[name]
	}
	streams := Streams{Getenv: getenv, Out: &out, Err: &out}
	code = Main(m.t.Context(), append([]string{"deadletters"}, args...), streams, []Command{
		{Name: "deadletters", Run: deadLetters{&swiftClock{}}.run},
	})
	return code, out.String()
}

func (m *mail) mustSay(code int, args []string, parts ...string) {
	m.t.Helper()
	got, said := m.run(args...)
	if got != code {
		m.t.Errorf("%v: exit code %d, want %d: %s", args, got, code, said)
	}
	for _, part := range parts {
		if !strings.Contains(said, part) {
			m.t.Errorf("%v does not say %q:\n%s", args, part, said)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	m := newMail(t)
	list := []string{"list", "--wait", "1s"}
	m.mustSay(0, list, "no dead letters")

	first := m.bury(10, deadletter.Cause{Attempts: 20, Since: time.Unix(2, 0), Source: "bridge g", Reason: "answered 422:\nno batch"}.Attributes())
	second := m.bury(20, map[string]string{"CloudPubSubDeadLetterSourceDeliveryCount": "7", "CloudPubSubDeadLetterSourceSubscription": "stationflow-ingest",
		"CloudPubSubDeadLetterSourceSubscriptionProject": "p", "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-22T07:30:00.000+00:00"})
	foreign := &pubsubpb.PubsubMessage{Data: []byte("hello"), Attributes: map[string]string{"a": "b"}}
	m.publish(proto.Clone(foreign).(*pubsubpb.PubsubMessage))
	for range 2 { // listing takes nothing away
		m.mustSay(0, list, "incidents 3:10-11", topicID+"-3-10-11", "20", "answered 422: no batch",
			"incidents 3:20-21", "7", "Pub/Sub gave up delivering to stationflow-ingest", "no CloudEvent", "3 dead letters with 4 records")
	}

	m.mustSay(1, []string{"resend", "--wait", "1s", "nobody"}, "none of the dead letters is nobody", "0 dead letters sent again")
	m.mustSay(1, []string{"resend", "--wait", "1s", topicID + "-both-92d438cb6812b617", "nobody"}, "1 dead letter sent again", "none of the dead letters is nobody;")
	if got := m.resent(); len(got) != 1 || !proto.Equal(got[0], second) {
		t.Errorf("sent %v, want %v", got, second)
	}
	m.mustSay(0, list, "2 dead letters with 2 records")

	m.mustSay(1, []string{"resend", "--wait", "1s", "--all"}, "1 dead letter sent again", "dead letter m2 stays where it is, because ingest never takes it",
		`stationflow deadletters discard --reason "not a batch" m2`+"\n")
	m.mustSay(1, []string{"resend", "--wait", "1s", "m2"}, "0 dead letters sent again", "because ingest never takes it")
	m.mustSay(0, []string{"resend", "--wait", "1s", "--force", "m2"}, "1 dead letter sent again")
	if got := m.resent(); len(got) != 3 || !(proto.Equal(got[1], first) && proto.Equal(got[2], foreign) || proto.Equal(got[2], first) && proto.Equal(got[1], foreign)) {
		t.Errorf("sent %v", got)
	}
	m.mustSay(0, list, "no dead letters")
}

// A batch of a topic that has no kind of events comes back, however often it is
// sent.
func TestDeadLetters_ResendRefusesStrangeTopics(t *testing.T) {
	m := newMail(t)
	m.bury(20, nil)
	b := &batch.Batch{ClusterID: "c", Topic: "lifts", TopicID: topicID, Lane: batch.BothLanes, Records: []batch.Record{{Partition: 3, Offset: 1, Value: []byte("v")}}}
	e, err := b.Event(time.Unix(1, 0), "")
	if err != nil {
		t.Fatal(err)
	}
	m.publish(&pubsubpb.PubsubMessage{Data: e.Data(), Attributes: batch.Attributes(e)})
	m.mustSay(1, []string{"resend", "--wait", "1s", "--all"}, "1 dead letter sent again", `there is no topic "lifts"`, `stationflow deadletters discard --reason "no such topic" m1`+"\n")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "lifts 3:1", "1 dead letter with 1 record\n")
}

// Pub/Sub may answer a pull with nothing although messages wait, at the
// beginning and in between.
func TestDeadLetters_EmptyAnswersAreNotTheEnd(t *testing.T) {
	pulls := &emptyPulls{}
	m := newMail(t, pstest.ServerReactorOption{FuncName: "Pull", Reactor: pulls})
	for offset := range int64(25) { // more than one pull brings
		m.bury(10*offset, nil)
	}
	m.mustSay(0, []string{"list", "--wait", "1s"}, "25 dead letters with 50 records")
	m.mustSay(0, []string{"resend", "--wait", "1s", "--all"}, "25 dead letters sent again")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "no dead letters")
}

// emptyPulls answers two of three pulls with nothing, at once.
type emptyPulls struct{ pulled atomic.Int64 }

func (e *emptyPulls) React(any) (handled bool, answer any, err error) {
	return e.pulled.Add(1)%3 != 0, &pubsubpb.PullResponse{}, nil
}

// What cannot be sent stays where it is.
func TestDeadLetters_ResendFails(t *testing.T) {
	m := newMail(t)
	m.bury(10, nil)
	m.bury(20, nil)
	var taken []string
	answers := []int{http.StatusServiceUnavailable, http.StatusOK, http.StatusInternalServerError, http.StatusOK}
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := answers[0]
		answers = answers[1:]
		if code == http.StatusOK {
			taken = append(taken, r.Header.Get("Ce-Id"))
		}
		w.WriteHeader(code)
	}))
	defer function.Close()
	post := []string{"resend", "--wait", "1s", "--all", "--url", function.URL}
	m.mustSay(1, post, "503", "0 dead letters sent again", "stays where it is")
	m.mustSay(1, post, "500", "1 dead letter sent again", "stays where it is")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "1 dead letter with 2 records")
	m.mustSay(0, post, "1 dead letter sent again")
	if len(taken) != 2 || taken[0] == taken[1] {
		t.Errorf("the function took %v", taken)
	}
	m.mustSay(0, []string{"list", "--wait", "1s"}, "no dead letters")

	m.bury(30, nil)
	if _, err := m.GServer.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: "projects/p/topics/stationflow-records"}); err != nil {
		t.Fatal(err)
	}
	m.mustSay(1, []string{"resend", "--wait", "1s", "--all"}, "stays where it is")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "1 dead letter with 2 records")
}

// What nobody would receive is not published, and so not lost.
func TestDeadLetters_ResendReachesSomebody(t *testing.T) {
	m := newMail(t)
	m.bury(10, nil)
	resend := []string{"resend", "--wait", "1s", "--all"}

	m.env = map[string]string{"BRIDGE_TRANSPORT": "http"}
	m.mustSay(1, resend, "with BRIDGE_TRANSPORT=http", "--url")
	m.env = nil

	nobody := &pubsubpb.DeleteSubscriptionRequest{Subscription: "projects/p/subscriptions/records"}
	if _, err := m.GServer.DeleteSubscription(t.Context(), nobody); err != nil {
		t.Fatal(err)
	}
	m.mustSay(1, resend, "nothing is subscribed to projects/p/topics/stationflow-records", "--url")
	if got := m.resent(); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
	m.mustSay(0, []string{"list", "--wait", "1s"}, "1 dead letter with 2 records")
}

// A function behind another name gets a token for its own.
func TestDeadLetters_ResendNamesTheAudience(t *testing.T) {
	m := newMail(t)
	m.bury(10, nil)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	resend := []string{"resend", "--wait", "1s", "--all", "--url", "https://ingest.example.com/ingest"}
	m.mustSay(1, resend, "identity token for https://ingest.example.com/ingest")
	m.env = map[string]string{"BRIDGE_HTTP_AUDIENCE": "https://ingest-abc123-ew.a.run.app"}
	m.mustSay(1, resend, "identity token for https://ingest-abc123-ew.a.run.app")
	m.mustSay(0, []string{"resend", "--help"}, "BRIDGE_HTTP_AUDIENCE")
}

// Who may publish need not be allowed to ask who receives.
func TestDeadLetters_ResendMayNotAsk(t *testing.T) {
	for code, says := range map[codes.Code]string{
		codes.PermissionDenied: "1 dead letter sent again",
		codes.NotFound:         "there is no projects/p/topics/stationflow-records",
	} {
		m := newMail(t, pstest.WithErrorInjection("ListTopicSubscriptions", code, "no"))
		m.bury(10, nil)
		exit := 1
		if code == codes.PermissionDenied {
			exit = 0
		}
		m.mustSay(exit, []string{"resend", "--wait", "1s", "--all"}, says)
	}
}

// One that can never be sent does not keep back the others.
func TestDeadLetters_ResendGoesOn(t *testing.T) {
	m := newMail(t)
	for offset := range int64(5) {
		m.bury(10*offset, nil)
	}
	m.publish(&pubsubpb.PubsubMessage{Data: []byte("hello")}) // no batch
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Ranges") == "3:20-21" {
			http.Error(w, "not this one", http.StatusUnprocessableEntity)
		}
	}))
	defer function.Close()
	m.mustSay(1, []string{"resend", "--wait", "1s", "--all", "--url", function.URL},
		"4 dead letters sent again", "422", "not this one", "specversion is \"\"", "stays where it is")
	m.mustSay(0, []string{"list", "--wait", "1s"}, "2 dead letters with 2 records")
}

// Many dead letters, whose leases run out one after another, are shown once
// each, and then it ends.
func TestMailbox_EachEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		step time.Duration // how long one is looked at
		all  bool          // the leases are long enough to get to the last one
	}{
		{"held for long", 7 * time.Second, true},
		{"not even so", 11 * time.Minute, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMail(t)
			var late atomic.Int64
			m.SetTimeNowFunc(func() time.Time { return time.Now().Add(time.Duration(late.Load())) })
			late.Store(int64(24 * time.Hour)) // published then: this Pub/Sub forgets after 10 minutes
			for offset := range int64(40) {
				m.bury(10*offset, nil)
			}
			late.Store(0)
			box, err := mailbox.Open(t.Context(), "p", "stationflow-dead-letter", time.Second, &swiftClock{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			shown := map[string]int{}
			err = box.Each(ctx, 10, func(l *mailbox.Letter) (bool, error) {
				late.Add(int64(test.step))
				shown[l.ID]++
				return false, nil
			})
			cancel()
			if err = errors.Join(err, box.Close()); err != nil {
				t.Fatalf("after %d dead letters: %v", len(shown), err)
			}
			for id, times := range shown {
				if times != 1 {
					t.Errorf("%s is shown %d times", id, times)
				}
			}
			if len(shown) == 0 || test.all && len(shown) != 40 {
				t.Errorf("%d of 40 are shown", len(shown))
			}
		})
	}
}

func TestDeadLetters_Mistakes(t *testing.T) {
	m := newMail(t)
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "say list, show, resend or discard"},
		{"burn", 2, "say list, show, resend or discard"},
		{"show", 2, "show needs the id of one"},
		{"show 7 8", 2, "show needs the id of one"},
		{"show --wait 1s 7", 1, "none of the dead letters is 7"},
		{"discard --all", 2, "discard needs --reason"},
		{"discard --reason old", 2, "either --all or the ids of those to discard"},
		{"discard --wait 1s --reason old 7", 1, "none of the dead letters is 7"},
		{"--help", 0, "usage: stationflow deadletters list"},
		{"list --help", 0, "  --wait DURATION"},
		{"resend --help", 0, "  --url URL"},
		{"list --all", 2, "not defined: --all"},
		{"list 7", 2, "list takes no ids"},
		{"list --wait 1s", 0, "looking for dead letters until none came for 1s"},
		{"resend", 2, "either --all or the ids"},
		{"resend --all 7", 2, "either --all or the ids"},
		{"list --subscription nothing", 1, "there is no projects/p/subscriptions/nothing: check GOOGLE_CLOUD_PROJECT"},
	} {
		m.mustSay(test.code, strings.Fields(test.args), test.says)
	}
	var out strings.Builder
	code := Main(t.Context(), []string{"deadletters", "list"}, Streams{Getenv: func(string) string { return "" }, Out: &out, Err: &out}, Commands())
	if code != 1 || !strings.Contains(out.String(), "or start a local system with `stationflow up`") {
		t.Errorf("without a project: %d, %s", code, fmt.Sprint(out.String()))
	}
}
