package pubsub

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
)

// crashDirEnv tells TestRestart_AfterKill that it is the child process, and where to keep messages.
const crashDirEnv = "PUBSUB_TEST_CRASH_DIR"

// TestRestart_AfterKill publishes and acknowledges in another process, which kills itself with SIGKILL, and looks that
// every published message is there afterwards but for those acknowledged.
func TestRestart_AfterKill(t *testing.T) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		publishAndDie(t, dir)
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestRestart_AfterKill$")
	child.Env = append(os.Environ(), crashDirEnv+"="+dir)
	out, err := child.Output()
	var published []string
	for line := range strings.Lines(string(out)) {
		if id, found := strings.CutPrefix(strings.TrimSpace(line), "kept "); found {
			published = append(published, id)
		}
	}
	if err == nil || len(published) != 90 {
		t.Fatalf("the child ended with %v and kept %d messages, want a kill and 90:\n%s", err, len(published), out)
	}
	l := newLab(t, Config{DataDir: dir})
	l.topic(topicT)
	l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
	var ids []string
	for _, r := range l.pull(subS) {
		ids = append(ids, r.Message.MessageId)
	}
	if diff := cmp.Diff(published, ids); diff != "" {
		t.Errorf("messages after the restart (-want +got):\n%s", diff)
	}
	if later := l.publish(topicT, text("later"))[0]; slices.Contains(ids, later) {
		t.Errorf("message id %s is given twice", later)
	}
}

func publishAndDie(t *testing.T, dir string) {
	l := newLab(t, Config{DataDir: dir})
	l.topic(topicT)
	l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT})
	for i := range 100 {
		l.publish(topicT, text(fmt.Sprint(i)))
	}
	received := l.pull(subS)
	l.ack(subS, received[:10]...)
	for _, r := range received[10:] {
		fmt.Println("kept", r.Message.MessageId)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {}
}

// TestRestart_PushGoesOn closes a server whose endpoint is down and starts another on its folder: the messages are
// delivered once their subscriptions are created again, each to those that had not acknowledged it.
func TestRestart_PushGoesOn(t *testing.T) {
	dir := t.TempDir()
	run := func(t *testing.T, code int, wantPushed, wantOutstanding int) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, Config{DataDir: dir})
			var pushed atomic.Int64
			url := l.endpoint("endpoint", func(w http.ResponseWriter, _ *http.Request) {
				if pushed.Add(1); code != 200 {
					w.WriteHeader(code)
				}
			})
			l.topic(topicT)
			l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicT})
			l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushTo(url), RetryPolicy: &pubsubpb.RetryPolicy{}})
			if code != 200 {
				l.publish(topicT, text("a"), text("b"))
				l.ack(subDL, l.pull(subDL)[0])
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := l.stats(subS).Outstanding; int(pushed.Load()) != wantPushed || int(got) != wantOutstanding {
				t.Errorf("%d pushes, %d outstanding; want %d and %d", pushed.Load(), got, wantPushed, wantOutstanding)
			}
			if got := l.stats(subDL).Outstanding; got != 1 {
				t.Errorf("the other subscription has %d outstanding, want 1", got)
			}
			l.stop()
		})
	}
	t.Run("endpoint down", func(t *testing.T) { run(t, 503, 2, 2) })
	t.Run("restarted", func(t *testing.T) { run(t, 200, 2, 0) })
	t.Run("restarted again", func(t *testing.T) { run(t, 200, 0, 0) })
}
