package pubsub

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

func data(received []*pubsubpb.ReceivedMessage) []string {
	var out []string
	for _, r := range received {
		out = append(out, string(r.Message.Data))
	}
	return out
}

func (l *lab) modify(name string, deadlineSeconds int32, received ...*pubsubpb.ReceivedMessage) {
	l.Helper()
	for _, r := range received {
		l.ok(l.client.SubscriptionAdminClient.ModifyAckDeadline(l.Context(), &pubsubpb.ModifyAckDeadlineRequest{
			Subscription: name, AckIds: []string{r.AckId}, AckDeadlineSeconds: deadlineSeconds}))
	}
}

func TestPull_AckRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		l.publish(topicT, text("a"), text("b"))
		received := l.pull(subS)
		if diff := cmp.Diff([]string{"a", "b"}, data(received)); diff != "" {
			t.Errorf("first pull (-want +got):\n%s", diff)
		}
		l.ack(subS, received...)
		l.ack(subS, received...) // again: no harm
		start := time.Now()
		if again := l.pull(subS); len(again) > 0 || time.Since(start) != pullWait {
			t.Errorf("pulled %v after %v, want nothing after %v", again, time.Since(start), pullWait)
		}
		if got := l.stats(subS); got.Outstanding != 0 || got.Acked != 2 || l.server.Stats().RetainedBytes != 0 {
			t.Errorf("after the acknowledgement %+v, %d bytes", got, l.server.Stats().RetainedBytes)
		}
	})
}

// TestPull_Deadline follows one message through leases that end by time, by extension and by return.
func TestPull_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		l.topic(topicT, topicDL)
		l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicDL})
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, AckDeadlineSeconds: 20,
			RetryPolicy:      &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(time.Second), MaximumBackoff: durationpb.New(2 * time.Second)},
			DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: 5}})
		l.publish(topicT, text("a"))
		start := time.Now()
		step := func(what string, attempt int32, at time.Duration) *pubsubpb.ReceivedMessage {
			t.Helper()
			var received []*pubsubpb.ReceivedMessage
			for len(received) == 0 {
				received = l.pull(subS)
			}
			if got := received[0]; got.DeliveryAttempt != attempt || time.Since(start) != at {
				t.Fatalf("%s: attempt %d after %v, want %d after %v", what, got.DeliveryAttempt, time.Since(start), attempt, at)
			}
			return received[0]
		}
		step("at once", 1, 0)
		second := step("20 s lease expired, 1 s delay", 2, 21*time.Second)
		l.modify(subS, 60, second)
		third := step("lease extended to 60 s, 2 s delay", 3, 83*time.Second)
		l.modify(subS, 0, second) // no longer the lease
		l.modify(subS, 60, second)
		l.modify(subS, 0, third)
		fourth := step("returned, 2 s delay", 4, 85*time.Second)
		l.modify(subS, 0, third)
		l.modify(subS, 60, third)
		fifth := step("20 s lease expired, 2 s delay", 5, 107*time.Second)
		l.modify(subS, 0, fourth)
		l.modify(subS, 0, fifth)
		if dead := l.pull(subDL); len(dead) != 1 || time.Since(start) != 107*time.Second {
			t.Errorf("%d dead letters after %v, want 1 at once", len(dead), time.Since(start))
		}
	})
}

// TestPull_LateAck acknowledges after the lease has ended: the message does not come again.
func TestPull_LateAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		l.publish(topicT, text("a"))
		received := l.pull(subS)
		time.Sleep(11 * time.Second)
		l.ack(subS, received...)
		if again := l.pull(subS); len(again) > 0 {
			t.Errorf("pulled %v again", again)
		}
	})
}

// TestStreamingPull_FlowControl gives a stream room for two messages: the next comes only after an acknowledgement or
// a return.
func TestStreamingPull_FlowControl(t *testing.T) {
	for name, limit := range map[string]*pubsubpb.StreamingPullRequest{
		"messages": {MaxOutstandingMessages: 2},
		"bytes":    {MaxOutstandingBytes: 2 * newMessage(1, text("a"), nil).size},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Config{})
				l.topic(topicT)
				l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
				for _, s := range []string{"a", "b", "c", "d"} {
					l.publish(topicT, text(s))
				}
				stream, err := l.client.SubscriptionAdminClient.StreamingPull(t.Context())
				l.ok(err)
				limit.Subscription, limit.StreamAckDeadlineSeconds = subS, 60
				l.ok(stream.Send(limit))
				got := make(chan *pubsubpb.ReceivedMessage, 10)
				go func() {
					for {
						response, err := stream.Recv()
						if err != nil {
							return
						}
						for _, m := range response.ReceivedMessages {
							got <- m
						}
					}
				}()
				synctest.Wait()
				if len(got) > 2 {
					t.Fatalf("%d messages sent, want at most 2", len(got))
				}
				first := <-got
				l.ok(stream.Send(&pubsubpb.StreamingPullRequest{AckIds: []string{first.AckId}}))
				synctest.Wait()
				if len(got) != 2 {
					t.Errorf("%d messages after one was acknowledged, want 2", len(got))
				}
				second := <-got
				l.modify(subS, 0, second)
				synctest.Wait()
				if len(got) != 2 {
					t.Errorf("%d messages after one was returned, want 2", len(got))
				}
				l.ok(stream.CloseSend())
				synctest.Wait()
			})
		})
	}
}

// TestStreamingPull_AnswersPings sends the empty requests by which clients of protocol version 1 check the stream.
func TestStreamingPull_AnswersPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		stream, err := l.client.SubscriptionAdminClient.StreamingPull(t.Context())
		l.ok(err)
		l.ok(stream.Send(&pubsubpb.StreamingPullRequest{Subscription: subS, StreamAckDeadlineSeconds: 60, ProtocolVersion: 1}))
		for range 3 {
			l.ok(stream.Send(new(pubsubpb.StreamingPullRequest)))
			if response, err := stream.Recv(); err != nil || len(response.ReceivedMessages) > 0 {
				t.Fatalf("a ping was answered by %v, %v", response, err)
			}
		}
		l.ok(stream.CloseSend())
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after the client's end: %v, want EOF", err)
		}
	})
}

func TestPull_Errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicT, PushConfig: pushTo("http://nobody/")})
		admin := l.client.SubscriptionAdminClient
		_, err := admin.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: project + "/subscriptions/none", MaxMessages: 1})
		wantCode(t, err, codes.NotFound)
		_, err = admin.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: subS})
		wantCode(t, err, codes.InvalidArgument)
		_, err = admin.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: subDL, MaxMessages: 1})
		wantCode(t, err, codes.FailedPrecondition)
		for _, id := range []string{"", "x", "1", "1-x", "-1-1"} {
			err = admin.Acknowledge(t.Context(), &pubsubpb.AcknowledgeRequest{Subscription: subS, AckIds: []string{id}})
			wantCode(t, err, codes.InvalidArgument)
		}
		err = admin.ModifyAckDeadline(t.Context(), &pubsubpb.ModifyAckDeadlineRequest{Subscription: subS, AckIds: []string{"1-1"}, AckDeadlineSeconds: 601})
		wantCode(t, err, codes.InvalidArgument)
		stream, err := admin.StreamingPull(t.Context())
		l.ok(err)
		l.ok(stream.Send(&pubsubpb.StreamingPullRequest{Subscription: subS, StreamAckDeadlineSeconds: 9}))
		_, err = stream.Recv()
		wantCode(t, err, codes.InvalidArgument)
	})
}
