package system

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/robfig/cron/v3"
)

// A scheduler triggers the transform function as Cloud Scheduler does: a POST
// on a unix-cron schedule in UTC, at most one attempt under way.
type scheduler struct {
	url      string
	deadline time.Duration
	cron     *cron.Cron
	entry    cron.EntryID
	before   func()      // called before each attempt
	after    func(error) // called after each attempt, with how it ended

	cancel context.CancelFunc
}

// startScheduler begins to trigger url on the schedule. before and after are
// told of each attempt and of how it ended.
func startScheduler(schedule, url string, deadline time.Duration, before func(), after func(error)) (*scheduler, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scheduler{url: url, deadline: deadline, before: before, after: after, cancel: cancel,
		cron: cron.New(cron.WithLocation(time.UTC), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))}
	entry, err := s.cron.AddFunc(schedule, func() { _ = s.Trigger(ctx) })
	if err != nil {
		cancel()
		return nil, fmt.Errorf("reading the transform schedule %q: %w", schedule, err)
	}
	s.entry = entry
	s.cron.Start()
	return s, nil
}

// Trigger posts to the function once and returns how it ended.
func (s *scheduler) Trigger(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.deadline)
	defer cancel()
	s.before()
	err := post(ctx, s.url)
	s.after(err)
	return err
}

// Next is when the schedule triggers next.
func (s *scheduler) Next() time.Time { return s.cron.Entry(s.entry).Next }

// Close ends the schedule and gives up an attempt under way.
func (s *scheduler) Close() {
	stopped := s.cron.Stop()
	s.cancel()
	<-stopped.Done()
}

func post(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return fmt.Errorf("triggering %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("triggering %s: %w", url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("triggering %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("triggering %s: %s: %s", url, response.Status, body)
	}
	return nil
}
