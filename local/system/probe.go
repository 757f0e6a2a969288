package system

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/internal/pause"
)

// A probe asks again and again whether something answers at all.
type probe struct {
	ask    func(context.Context) error
	within time.Duration // it must answer
	last   atomic.Pointer[silence]
}

func newProbe(within time.Duration, ask func(context.Context) error) *probe {
	p := &probe{ask: ask, within: within}
	p.last.Store(new(notAsked()))
	return p
}

// answered says that what is asked has answered, before the first question.
func (p *probe) answered() *probe {
	p.last.Store(new(notAsked().then("")))
	return p
}

// silence is what is known now; of nil nothing is.
func (p *probe) silence() silence {
	if p == nil {
		return silence{}
	}
	return *p.last.Load()
}

// watch asks until ctx is done, with a pause after each answer.
func (p *probe) watch(ctx context.Context, every time.Duration) {
	for {
		p.look(ctx)
		if pause.For(ctx, every) != nil {
			return
		}
	}
}

// look asks once.
func (p *probe) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	failure := ""
	switch err := p.ask(asking); {
	case err != nil && asking.Err() != nil:
		failure = fmt.Sprintf("none within %v", p.within)
	case err != nil:
		failure = unreached(err)
	}
	p.last.Store(new(p.silence().then(failure)))
}

// serverAnswers returns how to ask a server over HTTP whether it is there, in
// a way that reaches none of what it serves (OPTIONS *, RFC 9110, 9.3.7).
func serverAnswers(base string) func(context.Context) error {
	return func(ctx context.Context) error {
		to, err := url.Parse(base)
		if err != nil {
			return err
		}
		to.Path = "*"
		request := (&http.Request{Method: http.MethodOptions, URL: to, Host: to.Host}).WithContext(ctx)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
}

// The warehouse is asked every so often, and answers one statement after the
// other.
const (
	warehouseEvery  = 5 * time.Second
	warehouseWithin = 10 * time.Second
)
