package pubsub

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A message that nobody takes is told of with its attempts until it is dead,
// although others are delivered meanwhile.
func TestStats_Failing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		var during []int // attempts that had failed, while the next one was under way
		url := l.endpoint("endpoint", func(w http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); string(body) == "bad" {
				during = append(during, l.stats(subS).Failing.Attempts)
				w.WriteHeader(http.StatusUnprocessableEntity)
			}
		})
		l.topic(topicT, topicDL)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url),
			RetryPolicy:      &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(time.Second), MaximumBackoff: durationpb.New(4 * time.Second)},
			DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: 5}})
		if got := l.stats(subS).Failing; got != (Failing{}) {
			t.Errorf("before anything %+v", got)
		}
		l.publish(topicT, text("bad"))
		for failed, pause := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} { // attempts 1 to 4
			time.Sleep(pause)
			synctest.Wait()
			l.publish(topicT, text("good"))
			synctest.Wait()
			want := Failing{Messages: 1, Attempts: failed + 1, Of: 5, Cause: "push endpoint answered 422 Unprocessable Entity: "}
			if diff := cmp.Diff(want, l.stats(subS).Failing); diff != "" {
				t.Errorf("after %d attempts (-want +got):\n%s", failed+1, diff)
			}
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := l.stats(subS); got.Failing != (Failing{}) || got.DeadLettered != 1 || got.Acked != 4 {
			t.Errorf("at the end %+v, want one dead letter and nothing that fails", got)
		}
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4}, during); diff != "" {
			t.Errorf("attempts that failed before each (-want +got):\n%s", diff)
		}
	})
}
