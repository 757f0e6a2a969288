package pubsub

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestCreateSubscription_Errors(t *testing.T) {
	l := newLab(t, Config{})
	l.topic(topicT, topicDL)
	l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicDL})
	deadLetter := func(topic string, attempts int32) *pubsubpb.DeadLetterPolicy {
		return &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topic, MaxDeliveryAttempts: attempts}
	}
	retry := func(low, high time.Duration) *pubsubpb.RetryPolicy {
		return &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(low), MaximumBackoff: durationpb.New(high)}
	}
	tests := map[string]struct {
		config *pubsubpb.Subscription
		want   codes.Code
	}{
		"exists":               {&pubsubpb.Subscription{Name: subDL, Topic: topicT}, codes.AlreadyExists},
		"no topic":             {&pubsubpb.Subscription{Name: subS, Topic: project + "/topics/none"}, codes.NotFound},
		"no dead letter topic": {&pubsubpb.Subscription{Name: subS, Topic: topicT, DeadLetterPolicy: deadLetter(project+"/topics/none", 5)}, codes.NotFound},
		"few attempts":         {&pubsubpb.Subscription{Name: subS, Topic: topicT, DeadLetterPolicy: deadLetter(topicDL, 4)}, codes.InvalidArgument},
		"many attempts":        {&pubsubpb.Subscription{Name: subS, Topic: topicT, DeadLetterPolicy: deadLetter(topicDL, 101)}, codes.InvalidArgument},
		"name":                 {&pubsubpb.Subscription{Name: topicT, Topic: topicT}, codes.InvalidArgument},
		"short id":             {&pubsubpb.Subscription{Name: project + "/subscriptions/ab", Topic: topicT}, codes.InvalidArgument},
		"google's id":          {&pubsubpb.Subscription{Name: project + "/subscriptions/google", Topic: topicT}, codes.InvalidArgument},
		"short deadline":       {&pubsubpb.Subscription{Name: subS, Topic: topicT, AckDeadlineSeconds: 9}, codes.InvalidArgument},
		"long deadline":        {&pubsubpb.Subscription{Name: subS, Topic: topicT, AckDeadlineSeconds: 601}, codes.InvalidArgument},
		"backoff reversed":     {&pubsubpb.Subscription{Name: subS, Topic: topicT, RetryPolicy: retry(2, 1)}, codes.InvalidArgument},
		"backoff too long":     {&pubsubpb.Subscription{Name: subS, Topic: topicT, RetryPolicy: retry(0, 601*time.Second)}, codes.InvalidArgument},
		"endpoint":             {&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushTo("localhost:80")}, codes.InvalidArgument},
		"filter":               {&pubsubpb.Subscription{Name: subS, Topic: topicT, Filter: "attributes.a > 1"}, codes.InvalidArgument},
		"ordering":             {&pubsubpb.Subscription{Name: subS, Topic: topicT, EnableMessageOrdering: true}, codes.Unimplemented},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := l.client.SubscriptionAdminClient.CreateSubscription(l.Context(), test.config)
			wantCode(t, err, test.want)
		})
	}
}

func TestSubscription_DefaultsAndUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		admin := l.client.SubscriptionAdminClient
		l.topic(topicT, topicDL)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, Labels: map[string]string{"a": "b"},
			RetryPolicy: &pubsubpb.RetryPolicy{}, DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL}})
		want := &pubsubpb.Subscription{
			Name: subS, Topic: topicT, Labels: map[string]string{"a": "b"}, AckDeadlineSeconds: 10,
			MessageRetentionDuration: durationpb.New(7 * 24 * time.Hour), State: pubsubpb.Subscription_ACTIVE,
			RetryPolicy:      &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(10 * time.Second), MaximumBackoff: durationpb.New(600 * time.Second)},
			DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: 5},
		}
		check := func(what string) {
			t.Helper()
			got, err := admin.GetSubscription(t.Context(), &pubsubpb.GetSubscriptionRequest{Subscription: subS})
			l.ok(err)
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		check("created")
		change := func(paths ...string) error {
			_, err := admin.UpdateSubscription(t.Context(), &pubsubpb.UpdateSubscriptionRequest{
				Subscription: &pubsubpb.Subscription{Name: subS, AckDeadlineSeconds: 30}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
			return err
		}
		l.ok(change("ack_deadline_seconds", "labels", "retry_policy"))
		want.AckDeadlineSeconds, want.Labels, want.RetryPolicy = 30, nil, nil
		check("updated")
		wantCode(t, change("topic"), codes.InvalidArgument)
		wantCode(t, change(), codes.InvalidArgument)
		l.ok(l.client.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: topicT}))
		want.Topic = "_deleted-topic_"
		check("topic deleted")
	})
}

// TestModifyPushConfig_Switches turns a pull subscription into a push one and back.
func TestModifyPushConfig_Switches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		pushed := 0
		url := l.endpoint("endpoint", func(http.ResponseWriter, *http.Request) { pushed++ })
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		set := func(config *pubsubpb.PushConfig) {
			t.Helper()
			l.ok(l.client.SubscriptionAdminClient.ModifyPushConfig(t.Context(), &pubsubpb.ModifyPushConfigRequest{Subscription: subS, PushConfig: config}))
			l.publish(topicT, text("x"))
			synctest.Wait()
		}
		set(pushTo(url))
		if pushed != 1 {
			t.Errorf("%d pushes after the switch to push, want 1", pushed)
		}
		set(&pubsubpb.PushConfig{})
		if pushed != 1 || len(l.pull(subS)) != 1 {
			t.Errorf("%d pushes after the switch to pull, want 1 and a message to pull", pushed)
		}
	})
}

func TestTopics_Administration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		admin := l.client.TopicAdminClient
		l.topic(project+"/topics/ccc", project+"/topics/aaa", project+"/topics/bbb", "projects/other/topics/aaa")
		_, err := admin.CreateTopic(t.Context(), &pubsubpb.Topic{Name: project + "/topics/aaa"})
		wantCode(t, err, codes.AlreadyExists)
		_, err = admin.CreateTopic(t.Context(), &pubsubpb.Topic{Name: "aaa"})
		wantCode(t, err, codes.InvalidArgument)
		var names []string
		topics := admin.ListTopics(t.Context(), &pubsubpb.ListTopicsRequest{Project: project, PageSize: 2})
		for {
			topic, err := topics.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			l.ok(err)
			names = append(names, topic.Name)
		}
		if diff := cmp.Diff([]string{project + "/topics/aaa", project + "/topics/bbb", project + "/topics/ccc"}, names); diff != "" {
			t.Errorf("topics (-want +got):\n%s", diff)
		}
		updated, err := admin.UpdateTopic(t.Context(), &pubsubpb.UpdateTopicRequest{
			Topic:      &pubsubpb.Topic{Name: project + "/topics/aaa", Labels: map[string]string{"a": "b"}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}}})
		l.ok(err)
		if updated.Labels["a"] != "b" {
			t.Errorf("updated topic %v, want its label", updated)
		}
		l.ok(admin.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: project + "/topics/aaa"}))
		_, err = admin.GetTopic(t.Context(), &pubsubpb.GetTopicRequest{Topic: project + "/topics/aaa"})
		wantCode(t, err, codes.NotFound)
	})
}

func TestPublish_Errors(t *testing.T) {
	l := newLab(t, Config{})
	l.topic(topicT)
	attributes := func(key, value string) *pubsubpb.PubsubMessage {
		return &pubsubpb.PubsubMessage{Attributes: map[string]string{key: value}}
	}
	const overhead = 4 + 4 + 4 + len(topicT) // of data, message and topic around the data of a request
	tests := map[string]struct {
		topic   string
		message *pubsubpb.PubsubMessage
		want    codes.Code
	}{
		"no topic":       {project + "/topics/none", text("x"), codes.NotFound},
		"empty":          {topicT, text(""), codes.InvalidArgument},
		"attribute only": {topicT, attributes("k", ""), codes.OK},
		"longest key":    {topicT, attributes(strings.Repeat("k", 256), "v"), codes.OK},
		"long key":       {topicT, attributes(strings.Repeat("k", 257), "v"), codes.InvalidArgument},
		"longest value":  {topicT, attributes("k", strings.Repeat("v", 1024)), codes.OK},
		"long value":     {topicT, attributes("k", strings.Repeat("v", 1025)), codes.InvalidArgument},
		"largest":        {topicT, text(strings.Repeat("x", 10_000_000-overhead-20)), codes.OK},
		"large":          {topicT, text(strings.Repeat("x", 10_000_001)), codes.InvalidArgument},
		"very large":     {topicT, text(strings.Repeat("x", 12_000_000)), codes.InvalidArgument},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := l.client.TopicAdminClient.Publish(l.Context(), &pubsubpb.PublishRequest{Topic: test.topic, Messages: []*pubsubpb.PubsubMessage{test.message}})
			wantCode(t, err, test.want)
		})
	}
}

// TestPublish_FansOut gives every subscription its own copy to acknowledge, and keeps nothing for a topic without any.
func TestPublish_FansOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		l.topic(topicT)
		if l.publish(topicT, text("nobody")); l.server.Stats().RetainedBytes != 0 {
			t.Error("a message is held for a topic without subscriptions")
		}
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicT})
		ids := l.publish(topicT, text("both"))
		for i, name := range []string{subS, subDL} {
			received := l.pull(name)
			if len(received) != 1 || received[0].Message.MessageId != ids[0] {
				t.Fatalf("%s pulled %v, want message %v", name, received, ids)
			}
			l.ack(name, received...)
			if held := l.server.Stats().RetainedBytes > 0; held != (i == 0) {
				t.Errorf("after %d of 2 acknowledgements: held is %v", i+1, held)
			}
		}
	})
}

// TestPublish_MemoryLimit fills the server until it refuses, and goes on once a subscriber has caught up.
func TestPublish_MemoryLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{MaxBytes: 16 << 20})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
		megabyte := text(strings.Repeat("x", 1<<20))
		for range 15 {
			l.publish(topicT, megabyte)
		}
		request := &pubsubpb.PublishRequest{Topic: topicT, Messages: []*pubsubpb.PubsubMessage{megabyte}}
		_, err := l.raw.Publish(t.Context(), request)
		wantCode(t, err, codes.ResourceExhausted)
		if used := l.server.Stats().RetainedBytes; used > 16<<20 {
			t.Errorf("%d bytes held, over the limit", used)
		}
		for range 3 {
			l.ack(subS, l.pull(subS)...) // each at most 3.5 MB
		}
		_, err = l.raw.Publish(t.Context(), request)
		l.ok(err)
	})
}
