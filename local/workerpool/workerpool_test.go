package workerpool

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const name = "projects/p/locations/l/workerPools/w"

// What the real API refuses is refused here, too, and changes nothing.
func TestPool_Answers(t *testing.T) {
	for what, c := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"get":            {"GET", name, "", 200, `"manualInstanceCount":2`},
		"another pool":   {"GET", name + "2", "", 404, "NOT_FOUND"},
		"delete":         {"DELETE", name, "", 405, "UNIMPLEMENTED"},
		"without a mask": {"PATCH", name, `{"scaling":{"manualInstanceCount":1}}`, 400, "can be changed here"},
		"another field":  {"PATCH", name + "?updateMask=template", `{}`, 400, "can be changed here"},
		"no count":       {"PATCH", name + "?updateMask=scaling.manualInstanceCount", `{"scaling":{}}`, 400, "0 or more"},
		"fewer than none": {"PATCH", name + "?updateMask=scaling.manualInstanceCount",
			`{"scaling":{"manualInstanceCount":-1}}`, 400, "0 or more"},
		"no JSON": {"PATCH", name + "?updateMask=scaling.manualInstanceCount", `1`, 400, "0 or more"},
	} {
		t.Run(what, func(t *testing.T) {
			p := New(name, func(ctx context.Context, _ int) error { <-ctx.Done(); return nil }, func(err error) { t.Error(err) })
			t.Cleanup(p.Close)
			p.Set(2)
			answer := httptest.NewRecorder()
			p.ServeHTTP(answer, httptest.NewRequest(c.method, "/v2/"+c.path, strings.NewReader(c.body)))
			if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.want) {
				t.Errorf("it answers %d %s, want %d with %q", answer.Code, answer.Body, c.status, c.want)
			}
			if set, _ := p.Instances(); set != 2 {
				t.Errorf("there are %d instances", set)
			}
		})
	}
}

// As many instances run as were last asked for, each with the lowest ordinal
// that is free, and never two with the same: they may take the same port.
func TestPool_RunsWhatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running [5]atomic.Int64
		p := New(name, func(ctx context.Context, ordinal int) error {
			if running[ordinal].Add(1) != 1 {
				t.Errorf("instance %d runs twice", ordinal)
			}
			<-ctx.Done()
			time.Sleep(8 * time.Second) // it drains
			running[ordinal].Add(-1)
			return nil
		}, func(err error) { t.Error(err) })
		count := func() (n int64) {
			for i := range running {
				n += running[i].Load()
			}
			return n
		}
		for _, want := range []int{1, 3, 0, 2, 1, 0} {
			p.Set(want)
			if set, since := p.Instances(); set != want || !since.Equal(time.Now()) {
				t.Errorf("%d instances since %v, want %d since now", set, since, want)
			}
			time.Sleep(time.Minute)
			if got := count(); got != int64(want) {
				t.Errorf("%d instances run, want %d", got, want)
			}
		}
		p.Set(1) // and away again before it has begun
		p.Set(0)
		p.Set(4)
		p.Close()
		if got := count(); got != 0 {
			t.Errorf("%d instances run on", got)
		}
	})
}

// An instance that cannot start is told of.
func TestPool_TellsWhatFailed(t *testing.T) {
	told := make(chan error, 1)
	p := New(name, func(context.Context, int) error { return errors.New("no such topic") }, func(err error) { told <- err })
	p.Set(1)
	if err := <-told; err == nil || err.Error() != "no such topic" {
		t.Errorf("told %v", err)
	}
	p.Close()
}

var _ http.Handler = (*Pool)(nil)
