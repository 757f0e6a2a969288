package serve

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/internal/program"
)

func TestFunction_Answers(t *testing.T) {
	type result struct {
		Records int `json:"records"`
	}
	for name, c := range map[string]struct {
		method, body string
		task         Task
		status       int
		want         string
	}{
		"a result":         {"POST", "{}", func(_ context.Context, body []byte) (any, error) { return result{len(body)}, nil }, 200, `{"records":2}`},
		"a mistake":        {"POST", "", func(context.Context, []byte) (any, error) { return nil, program.Mistakef("say what") }, 400, "say what"},
		"a failure":        {"POST", "", func(context.Context, []byte) (any, error) { return nil, errors.New("no Kafka") }, 500, "no Kafka"},
		"how far it came":  {"POST", "", func(context.Context, []byte) (any, error) { return result{7}, errors.New("no Kafka") }, 500, `{"records":7}`},
		"of one that ends": {"POST", "", Result(func(context.Context) (*result, error) { return nil, errors.New("no Kafka") }), 500, "no Kafka"},
		"another method":   {"GET", "", nil, 405, "send POST"},
		"a body too large": {"POST", strings.Repeat(" ", maxBody+1), nil, 400, "reading the body"},
	} {
		t.Run(name, func(t *testing.T) {
			handle := Function("thing", func(context.Context) (Task, error) { return c.task, nil })
			answer := httptest.NewRecorder()
			handle(answer, httptest.NewRequest(c.method, "/thing", strings.NewReader(c.body)))
			if got := strings.TrimSpace(answer.Body.String()); answer.Code != c.status || !strings.HasPrefix(got, c.want) {
				t.Errorf("%d %q, want %d %q", answer.Code, got, c.status, c.want)
			}
		})
	}
}

// What cannot be set up is tried again by the next request, and then stays.
func TestFunction_IsSetUpOnce(t *testing.T) {
	tries := 0
	handle := Function("thing", func(context.Context) (Task, error) {
		if tries++; tries == 1 {
			return nil, errors.New("THING is not set")
		}
		return func(context.Context, []byte) (any, error) { return "done", nil }, nil
	})
	for i, want := range []int{http.StatusInternalServerError, http.StatusOK, http.StatusOK} {
		answer := httptest.NewRecorder()
		handle(answer, httptest.NewRequest(http.MethodPost, "/thing", nil))
		if answer.Code != want || strings.Contains(answer.Body.String(), "THING") {
			t.Errorf("request %d: %d %s", i, answer.Code, answer.Body)
		}
	}
	if tries != 2 {
		t.Errorf("it was set up %d times", tries)
	}
}
